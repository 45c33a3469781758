// SPDX-License-Identifier: MIT
/** Playback: the guest's WRITEs announce samples in its buffer, which go to the card as it makes room. */
import type { Pcm } from "../../pcm/pcm.ts";
import type { GuestBuffer } from "./guest_buffer.ts";
import type { PositionFeed } from "./position_feed.ts";
import type { StatusRow } from "../../bridge/stream_status.ts";
import { Transfer, type TransferOptions } from "./transfer.ts";
import { Underrun } from "./underrun.ts";

export class Playback extends Transfer {
  readonly #underrun: Underrun;
  /** Whether the last pump left samples behind, for want of room in the card. */
  #waiting = false;
  /**
   * Up to here an xrun is the host's: the pointer, and the guest, which is told of it, leapt by a good part of the buffer, and
   * the guest has had no time to fill it again.
   */
  #stallEnd = -1;
  /** From here to the end of it all has been written without a gap. */
  #writtenFrom = 0;
  /** Where the guest's first sample since its last START is. */
  #beginning = 0;

  constructor(
    pcm: Pcm,
    buffer: GuestBuffer,
    feed: PositionFeed,
    status: StatusRow,
    options: TransferOptions = {},
  ) {
    super(pcm, buffer, feed, status, options);
    this.#underrun = new Underrun(this.xruns, options.periodFrames ?? 0);
  }

  /**
   * The samples stay where they are until the card has room: the guest overwrites nothing that it was not told to have
   * been played. A driver writes on from where it left off; that, and not the position, which may have passed the frame
   * while the request was under way, says which round of the buffer `offset` means. One that jumps, back over what it has
   * queued or on past a silence, does so from the position.
   */
  protected serve(offsetFrames: number, frames: number): number {
    const from = this.guestFrames % this.bufferFrames === offsetFrames
      ? this.guestFrames
      : this.#jumpTo(offsetFrames);
    const end = Math.min(from + frames, this.feed.toldFrames + this.bufferFrames);
    if (end <= this.guestFrames) return 0;
    // What the card has passed already is not heard any more.
    this.xruns.late(Math.min(end, this.cardFrames) - Math.max(from, this.guestFrames));
    if (this.#underrun.isDry) this.#underrun.late(this.guestFrames, this.#isHostLate);
    if (from > this.guestFrames) this.#writtenFrom = from;
    this.guestFrames = end;
    return 0;
  }

  /** The frame at `offset` next to the position: after it while samples are queued, on either side of it if none are. */
  #jumpTo(offsetFrames: number): number {
    const isQueued = this.guestFrames > this.feed.toldFrames;
    const least = isQueued
      ? this.feed.toldFrames
      : Math.max(0, this.feed.toldFrames - (this.bufferFrames >> 1));
    const ahead = (offsetFrames - least) % this.bufferFrames;
    return least + (ahead < 0 ? ahead + this.bufferFrames : ahead);
  }

  reportable(): number {
    return this.lastPosition;
  }

  pump(): void {
    const before = this.lastPosition;
    const after = this.pointer();
    if (after - before > this.bufferFrames >> 2) {
      this.#stallEnd = Math.max(before + 2 * this.bufferFrames, after + this.bufferFrames);
    }
    this.#lookForUnderrun();
    this.#move();
    this.#waiting = this.cardFrames < this.guestFrames;
  }

  #lookForUnderrun(): void {
    if (this.cardFrames < this.guestFrames) this.#catchUp();
    if (this.cardFrames < this.guestFrames) {
      if (this.#underrun.isDry) this.#underrun.over(this.cardFrames);
    } else if (this.lastPosition > this.guestFrames) {
      this.#underrun.dry(this.guestFrames, this.lastPosition, this.#isHostLate);
    }
  }

  /** Whether an xrun that begins now is this host's. */
  get #isHostLate(): boolean {
    return this.#waiting || this.lastPosition <= this.#stallEnd;
  }

  override started(): void {
    this.#underrun.started(performance.now());
  }

  stopped(): void {
    this.#lookForUnderrun();
    const { guestFrames, lastPosition } = this;
    this.#underrun.stopped(guestFrames, lastPosition, guestFrames > this.#beginning, performance.now());
  }

  override restart(): number {
    const at = super.restart();
    this.#beginning = at;
    // The guest has time to fill its buffer before it starts again.
    this.#stallEnd = -1;
    this.#waiting = false;
    return at;
  }

  protected hasPlayedAll(): boolean {
    return this.cardFrames >= this.guestFrames;
  }

  #move(): void {
    this.hasMore = false;
    for (let left = this.turnFrames; this.cardFrames < this.guestFrames;) {
      if (left === 0) {
        this.hasMore = true;
        return;
      }
      const at = this.cardFrames % this.bufferFrames;
      const frames = Math.min(
        this.guestFrames - this.cardFrames,
        this.bufferFrames - at,
        this.stagingFrames,
        left,
        this.pcm.avail(),
      );
      if (frames <= 0) return;
      this.movesAloud(frames);
      this.buffer.toStaging(at * this.frameBytes, frames * this.frameBytes);
      this.volume.apply(frames);
      const taken = this.pcm.write(frames);
      if (taken < 0) this.error = taken;
      if (taken <= 0) return;
      this.volume.advance(taken);
      this.cardFrames += taken;
      left -= taken;
    }
  }

  /**
   * If the card ran dry it has played silence in the place of what comes now, which is that much late. (A stream that
   * has come to its end runs dry as a matter of course: nothing comes after it.)
   */
  #catchUp(): void {
    // So little is left that since its last interrupt the card may have played all of it.
    if (this.cardFrames - this.lastPosition <= this.pcm.params.periodFrames) this.position();
    const next = this.base + this.pcm.next();
    if (next <= this.cardFrames) return;
    this.#underrun.late(this.cardFrames, this.#isHostLate);
    this.xruns.late(Math.min(next, this.guestFrames) - Math.max(this.cardFrames, this.#writtenFrom));
    this.cardFrames = next;
  }
}
