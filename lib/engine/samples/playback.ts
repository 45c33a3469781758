// SPDX-License-Identifier: MIT
/** Playback: the guest's WRITEs announce samples in its buffer; the samples go to the device as that makes room. */
import type { Pcm } from "../../pcm/pcm.ts";
import type { GuestBuffer } from "./guest_buffer.ts";
import type { PositionFeed } from "./position_feed.ts";
import { QueuedSilence } from "./queued_silence.ts";
import type { KeptPositions } from "../../bridge/kept_stream.ts";
import type { StatusRow } from "../../bridge/stream_status.ts";
import { Transfer, type TransferOptions } from "./transfer.ts";
import { Underrun } from "./underrun.ts";

/** An interrupt comes by so much late at most. (Then the pointer that the interrupt brings is older than a device period.) */
const LATE_INTERRUPT_SECONDS = 0.004;

export class Playback extends Transfer {
  readonly #underrun: Underrun;
  /** Whether the last pump left samples behind, for want of room in the device. */
  #waiting = false;
  /**
   * Up to this frame an xrun is the host's: the pointer leapt by a good part of the buffer, and the guest, which is told the
   * pointer, has had no time to fill the buffer again.
   */
  #stallEnd = -1;
  /** Silence among what {@link deviceFrames} counts. */
  readonly #queuedSilence = new QueuedSilence();
  /** The guest's first frame since its last STOP. */
  #beginning = 0;
  /** How far before {@link guestFrames} the last WRITE has ended: a guest that goes back writes what it has written once more. */
  #rewound = 0;

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
   * WRITE. The samples stay in the guest's buffer until the device has room: the guest overwrites no sample before it is told
   * that the sample was played.
   *
   * Which round of the buffer `offset` means: a driver writes on from where its last WRITE ended. The position may have passed
   * that frame while the request was under way, and says nothing. A driver that jumps, back over queued samples or on past a
   * silence, jumps from the position. No driver writes a frame that is a buffer or more ahead of the position that it was told:
   * such a WRITE jumps back, to a place that the position has passed while the request was under way.
   */
  protected serve(offsetFrames: number, frames: number): number {
    const limit = this.#knownFrames + this.bufferFrames;
    let from = this.guestFrames - this.#rewound;
    if (from % this.bufferFrames !== offsetFrames) from = this.#jumpTo(offsetFrames);
    if (from + frames > limit) from -= this.bufferFrames;
    const end = from + frames;
    this.#rewound = Math.max(0, this.guestFrames - end);
    if (end <= this.guestFrames) return 0;
    // A guest jumps over silence that it was told of. Of a jump ahead of the device the device plays what the buffer holds.
    const begin = Math.max(this.guestFrames, Math.min(from, this.settled));
    this.status.add("transferredFrames", end - begin);
    // Frames that the device has passed already are not heard any more.
    this.xruns.late(Math.min(end, this.settled) - begin);
    if (this.#underrun.isDry) this.#underrun.late(this.guestFrames, this.#isHostLate);
    this.guestFrames = end;
    return 0;
  }

  /** The position by which the guest writes. A guest whose event page is full is not told of the beginning that its STOP has made. */
  get #knownFrames(): number {
    return Math.max(this.feed.toldFrames, this.#beginning);
  }

  /**
   * The frame at `offset` nearest to the position: after it while samples are queued, on either side of it otherwise. A guest that goes
   * back to where it believes the device to be may not have been told yet that the device has passed that frame.
   */
  #jumpTo(offsetFrames: number): number {
    const { bufferFrames, guestFrames } = this;
    const known = this.#knownFrames;
    const isQueued = guestFrames > known;
    const least = isQueued ? known : Math.max(0, known - (bufferFrames >> 1));
    const ahead = (offsetFrames - least) % bufferFrames;
    const on = least + (ahead < 0 ? ahead + bufferFrames : ahead);
    const back = on - bufferFrames;
    const isBack = isQueued && back >= Math.max(this.#beginning, known - (bufferFrames >> 2)) &&
      guestFrames - back < on - guestFrames;
    return isBack ? back : on;
  }

  reportable(): number {
    return this.lastPosition;
  }

  pump(): void {
    this.pointer();
    this.#lookForUnderrun();
    this.#move();
    this.#keepGoing();
    this.#waiting = this.deviceFrames < this.guestFrames;
  }

  override start(): number {
    const status = super.start();
    if (status === 0) this.#keepGoing();
    return status;
  }

  /** Samples that a turn has left behind come next. */
  #keepGoing(): void {
    if (!this.hasMore) this.pcm.keepGoing();
  }

  /**
   * Each frame that the pointer passes counts once: as sound that the device has been handed, or as silence. A frame of the guest's
   * in the place of silence is late. The guest has written the frame by then, or writes the frame later ({@link serve}).
   */
  protected override settle(): void {
    const from = this.settled;
    const to = this.lastPosition;
    if (to <= from) return;
    this.settled = to;
    const { bufferFrames, deviceFrames, guestFrames } = this;
    if (to - from > bufferFrames >> 2) this.#stallEnd = Math.max(from + 2 * bufferFrames, to + bufferFrames);
    let heard = Math.max(0, Math.min(to, deviceFrames) - from);
    let late = Math.max(0, Math.min(to, guestFrames) - Math.max(from, deviceFrames));
    if (!this.#queuedSilence.isEmpty) {
      heard -= this.#queuedSilence.within(from, to);
      late += this.#queuedSilence.within(from, Math.min(to, guestFrames));
      this.#queuedSilence.forget(to);
    }
    this.status.add("movedFrames", to - from);
    this.pass(heard);
    if (heard === to - from) return;
    this.silence(to - from - heard, this.#isHostLate);
    this.xruns.late(late);
  }

  protected override discard(): void {
    this.status.add("discardedFrames", Math.max(0, this.guestFrames - this.lastPosition));
  }

  override rebase(at: number): void {
    super.rebase(at);
    this.#queuedSilence.clear();
  }

  #lookForUnderrun(): void {
    this.settle();
    if (this.deviceFrames < this.guestFrames) this.#catchUp();
    if (this.deviceFrames < this.guestFrames) {
      if (this.#underrun.isDry) this.#underrun.over(this.deviceFrames);
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
    const hasPlayed = guestFrames > this.#beginning;
    this.#underrun.stopped(guestFrames, lastPosition, hasPlayed, this.#isHostLate, performance.now());
  }

  override restart(): number {
    const at = super.restart();
    this.#beginning = at;
    this.#rewound = 0;
    // The guest has time to fill its buffer before the next START.
    this.#stallEnd = -1;
    this.#waiting = false;
    return at;
  }

  override resume(kept: KeptPositions): void {
    super.resume(kept);
    this.#beginning = kept.beginning;
    this.status.add("transferredFrames", Math.max(0, kept.guestFrames - kept.position));
  }

  protected override hasStopped(isSuspended: boolean): void {
    const { deviceFrames, guestFrames, lastPosition, xruns } = this;
    const lost = isSuspended ? Math.max(0, Math.min(deviceFrames, guestFrames) - lastPosition) : 0;
    // The pointer leaps over what is lost, and the guest, which is told the pointer, runs dry.
    if (lost > 0) this.#stallEnd = Math.max(this.#stallEnd, deviceFrames + this.bufferFrames);
    xruns.late(lost);
    if ((lost === 0 && deviceFrames >= guestFrames) || xruns.isOn) return;
    xruns.begin(lost > 0 ? lastPosition : deviceFrames, true, 0);
    xruns.end(lost);
  }

  #move(): void {
    this.hasMore = false;
    let most = this.stagingFrames;
    for (let left = this.turnFrames; this.deviceFrames < this.guestFrames;) {
      if (left === 0) {
        this.hasMore = true;
        return;
      }
      const at = this.deviceFrames % this.bufferFrames;
      const frames = Math.min(
        this.guestFrames - this.deviceFrames,
        this.bufferFrames - at,
        most,
        left,
        this.pcm.avail(),
      );
      if (frames <= 0) return;
      this.buffer.toStaging(at * this.frameBytes, frames * this.frameBytes);
      this.volume.apply(frames);
      const taken = this.pcm.write(frames);
      if (taken < 0) this.error = taken;
      if (taken <= 0) return;
      this.movesAloud(taken);
      this.volume.advance(taken);
      this.deviceFrames += taken;
      left -= taken;
      // What a device does not take is copied once more: the next copy is as small as what it took, and later ones grow.
      most = taken < frames ? taken : Math.min(2 * most, this.stagingFrames);
    }
  }

  /**
   * A device that ran dry has played silence in the place of the samples that come now, which are that much late. (A stream
   * that has come to its end runs dry as well, but no samples come after it.)
   */
  #catchUp(): void {
    const { periodFrames, rate } = this.pcm.params;
    // So little is left that the device may have played all of it since its last interrupt, which may be late.
    if (this.deviceFrames - this.lastPosition <= periodFrames + LATE_INTERRUPT_SECONDS * rate) {
      this.position();
      this.settle();
    }
    const next = this.base + this.pcm.next();
    if (next <= this.deviceFrames) return;
    this.#underrun.late(this.deviceFrames, this.#isHostLate);
    this.#queuedSilence.add(Math.max(this.deviceFrames, this.lastPosition), next);
    this.deviceFrames = next;
  }
}
