// SPDX-License-Identifier: MIT
/**
 * Capture: samples are taken from the card as they come and kept until the guest's READ says where in its buffer it
 * wants them. What the guest leaves lying for longer than its own buffer lasts is lost, oldest first; its driver sees
 * that as an overrun by the position. What the card has overwritten before this thread came is silence in its place.
 */
import { Memory } from "../../../ffi/libc/memory.ts";
import type { Pcm } from "../../pcm/pcm.ts";
import { fillSilence, FORMATS, XEN_EAGAIN } from "../../sndif/mod.ts";
import { GuestBuffer } from "./guest_buffer.ts";
import type { PositionFeed } from "./position_feed.ts";
import type { StatusRow } from "../../bridge/stream_status.ts";
import { Transfer, type TransferOptions } from "./transfer.ts";

export class Capture extends Transfer {
  /** As long as the guest's buffer, frame `n` at `n % bufferFrames`, and reached through staging as that is. */
  readonly #memory: Uint8Array<ArrayBuffer>;
  readonly #kept: GuestBuffer;
  /** Frames that the xrun which is on has cost. */
  #lost = 0;
  /** While there is more: how much was left by the last turn. */
  #left = 0;

  constructor(
    pcm: Pcm,
    buffer: GuestBuffer,
    feed: PositionFeed,
    status: StatusRow,
    options: TransferOptions = {},
  ) {
    super(pcm, buffer, feed, status, options);
    this.#memory = new Uint8Array(buffer.bytes);
    this.#kept = new GuestBuffer(Memory.of(this.#memory.buffer), pcm.staging);
  }

  protected serve(offsetFrames: number, frames: number): number {
    this.pump();
    if (this.guestFrames + frames > this.cardFrames) return -XEN_EAGAIN;
    if (frames > 0) this.#endXrun();
    for (let done = 0; done < frames;) {
      const at = this.guestFrames % this.bufferFrames;
      const count = Math.min(frames - done, this.bufferFrames - at, this.stagingFrames);
      this.#kept.toStaging(at * this.frameBytes, count * this.frameBytes);
      this.buffer.fromStaging((offsetFrames + done) * this.frameBytes, count * this.frameBytes);
      this.guestFrames += count;
      done += count;
    }
    this.moves(frames);
    return 0;
  }

  /** Only what has been taken from the card can be read. */
  reportable(): number {
    return this.cardFrames;
  }

  pump(): void {
    this.pointer();
    const missed = this.#passOver();
    const heardFrom = this.cardFrames;
    // What there is now, and no more: ALSA's null plugin never runs out. What a turn leaves of that is for the next.
    const now = this.pcm.avail();
    const avail = this.hasMore ? Math.min(now, this.#left) : now;
    const most = this.turnFrames;
    this.hasMore = avail > most;
    this.#left = avail - most;
    for (let left = Math.min(avail, most); left > 0;) {
      const at = this.cardFrames % this.bufferFrames;
      const got = this.pcm.read(Math.min(left, this.bufferFrames - at, this.stagingFrames));
      if (got < 0) this.error = got;
      if (got <= 0) break;
      this.movesAloud(got);
      this.volume.apply(got);
      this.volume.advance(got);
      this.#kept.fromStaging(at * this.frameBytes, got * this.frameBytes);
      this.cardFrames += got;
      left -= got;
    }
    const lost = Math.max(0, this.cardFrames - this.bufferFrames - this.guestFrames);
    if (missed + lost > 0) this.#lose(missed, lost, heardFrom);
  }

  /**
   * The card has overwritten `missed` frames before `heardFrom`, and the guest has left no room for the oldest `lost`. An
   * overrun of the guest's goes on until it READs.
   */
  #lose(missed: number, lost: number, heardFrom: number): void {
    const from = this.guestFrames;
    this.guestFrames += lost;
    const silent = Math.max(0, heardFrom - Math.max(heardFrom - missed, this.guestFrames));
    this.xruns.late(lost + silent);
    if (!this.xruns.isOn) this.xruns.begin(lost > 0 ? from : heardFrom - missed, missed > 0, lost + silent);
    this.#lost += lost + silent;
    if (lost === 0) this.#endXrun();
  }

  #endXrun(): void {
    if (this.xruns.isOn) this.xruns.end(this.#lost);
    this.#lost = 0;
  }

  /** A guest that stops with its buffer full has an overrun, as its ALSA core sees it, though nothing was lost so far. */
  stopped(): void {
    this.pump();
    const isFull = this.cardFrames - this.guestFrames >= this.bufferFrames;
    if (isFull && !this.xruns.isOn) this.xruns.begin(this.guestFrames, false, 0);
    this.#endXrun();
  }

  protected hasPlayedAll(): boolean {
    return false;
  }

  /** Puts silence where the card has overwritten what it heard, so that all that follows keeps its place; how many frames. */
  #passOver(): number {
    const missed = this.base + this.pcm.next() - this.cardFrames;
    if (missed <= 0) return 0;
    const format = FORMATS[this.pcm.params.format];
    for (let left = Math.min(missed, this.bufferFrames); left > 0;) {
      const at = (this.cardFrames + missed - left) % this.bufferFrames;
      const count = Math.min(left, this.bufferFrames - at);
      fillSilence(format, this.#memory, at * this.frameBytes, (at + count) * this.frameBytes);
      this.moves(count);
      left -= count;
    }
    this.cardFrames += missed;
    return missed;
  }
}
