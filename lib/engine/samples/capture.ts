// SPDX-License-Identifier: MIT
/**
 * Capture: the engine takes samples from the device as they come, and keeps them until a READ of the guest's says where in its
 * buffer they go. Samples that the guest leaves for longer than its buffer lasts are lost, the oldest first; the guest's
 * driver sees an overrun by the position. Samples that the device has overwritten before the engine came become silence.
 */
import { Memory } from "../../../ffi/libc/memory.ts";
import type { Pcm } from "../../pcm/pcm.ts";
import { fillSilence, knownFormat, type SampleFormat, XEN_EAGAIN } from "../../sndif/mod.ts";
import { GuestBuffer } from "./guest_buffer.ts";
import type { PositionFeed } from "./position_feed.ts";
import type { KeptPositions } from "../../bridge/kept_stream.ts";
import type { StatusRow } from "../../bridge/stream_status.ts";
import { Transfer, type TransferOptions } from "./transfer.ts";

export class Capture extends Transfer {
  /** The samples that are kept: as many as the guest's buffer holds, frame `n` at `n % bufferFrames`. */
  readonly #memory: Uint8Array<ArrayBuffer>;
  /** {@link #memory}, reached through staging as the guest's buffer is. */
  readonly #kept: GuestBuffer;
  readonly #format: SampleFormat;
  /** Frames that the present xrun has cost. */
  #lost = 0;
  /** While {@link hasMore}: frames that the last turn left. */
  #left = 0;
  /** Until this frame the guest may be late because this host was: the guest was told of too much at once. */
  #stallEnd = -1;
  /** Where the device's pointer was when {@link pump} looked last. */
  #seenAt = 0;

  constructor(
    pcm: Pcm,
    buffer: GuestBuffer,
    feed: PositionFeed,
    status: StatusRow,
    options: TransferOptions = {},
  ) {
    super(pcm, buffer, feed, status, options);
    this.#format = knownFormat(pcm.params.format);
    this.#memory = new Uint8Array(buffer.bytes);
    this.#kept = new GuestBuffer(Memory.of(this.#memory.buffer), pcm.staging);
  }

  protected serve(offsetFrames: number, frames: number): number {
    this.pump();
    if (this.guestFrames + frames > this.deviceFrames) return -XEN_EAGAIN;
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
    this.status.add("transferredFrames", frames);
    return 0;
  }

  /** The guest can read the frames that were taken from the device, and no others. */
  reportable(): number {
    return this.deviceFrames;
  }

  pump(): void {
    this.pointer();
    this.#lookForStall();
    const missed = this.#passOver(this.base + this.pcm.next());
    const heardFrom = this.deviceFrames;
    // Frames that come while this turn takes some wait: ALSA's null plugin never runs out. The next turn takes what is left.
    const now = this.pcm.avail();
    const avail = this.hasMore ? Math.min(now, this.#left) : now;
    const most = this.turnFrames;
    this.hasMore = avail > most;
    this.#left = avail - most;
    for (let left = Math.min(avail, most); left > 0;) {
      const at = this.deviceFrames % this.bufferFrames;
      const got = this.pcm.read(Math.min(left, this.bufferFrames - at, this.stagingFrames));
      if (got < 0) this.error = got;
      if (got <= 0) break;
      this.movesAloud(got);
      this.volume.apply(got);
      this.volume.advance(got);
      this.#kept.fromStaging(at * this.frameBytes, got * this.frameBytes);
      this.deviceFrames += got;
      left -= got;
    }
    this.pass(this.deviceFrames - heardFrom);
    this.#lose(missed, heardFrom);
  }

  /**
   * The device has overwritten `missed` frames before `heardFrom`, and the guest has left no room for the oldest of the frames that
   * are kept. An overrun of the guest's goes on until its next READ.
   */
  #lose(missed: number, heardFrom: number): void {
    const from = this.guestFrames;
    const lost = Math.max(0, this.deviceFrames - this.bufferFrames - from);
    if (missed + lost === 0) return;
    this.guestFrames += lost;
    const silent = Math.max(0, heardFrom - Math.max(heardFrom - missed, this.guestFrames));
    this.xruns.late(lost);
    if (!this.xruns.isOn) {
      const isHosts = missed > 0 || this.#isHostLate;
      this.xruns.begin(lost > 0 ? from : heardFrom - missed, isHosts, lost + silent);
    }
    this.#lost += lost + silent;
    if (lost === 0) this.#endXrun();
  }

  #endXrun(): void {
    if (this.xruns.isOn) this.xruns.end(this.#lost);
    this.#lost = 0;
  }

  /** A guest that stops with its buffer full has an overrun by its ALSA core's count, though no frame is lost so far. */
  stopped(): void {
    this.pump();
    const isFull = this.deviceFrames - this.guestFrames >= this.bufferFrames;
    if (isFull && !this.xruns.isOn) this.xruns.begin(this.guestFrames, this.#isHostLate, 0);
    this.#endXrun();
  }

  /** The engine looks at the pointer at least once in a quarter of the guest's buffer. A longer way means that this host was late. */
  #lookForStall(): void {
    const { bufferFrames, lastPosition } = this;
    if (lastPosition - this.#seenAt > bufferFrames >> 2) this.#stallEnd = lastPosition + bufferFrames;
    this.#seenAt = lastPosition;
  }

  /** Whether an overrun that begins now is this host's. */
  get #isHostLate(): boolean {
    return this.lastPosition <= this.#stallEnd;
  }

  /** The end of what the device has heard: what was taken from it, or what it still has. */
  get #heardTo(): number {
    return Math.max(this.lastPosition, this.deviceFrames);
  }

  protected override settle(): void {
    const to = this.#heardTo;
    if (to <= this.settled) return;
    this.status.add("movedFrames", to - this.settled);
    this.settled = to;
  }

  protected override discard(): void {
    const to = this.#heardTo;
    this.pass(to - this.deviceFrames);
    this.deviceFrames = to;
    this.status.add("discardedFrames", to - this.guestFrames);
  }

  override restart(): number {
    // The guest reads as it likes from the next START on.
    this.#stallEnd = -1;
    return super.restart();
  }

  /** What the guest has yet to read was in the former daemon's memory: the guest reads silence. */
  override resume(kept: KeptPositions): void {
    const { position } = kept;
    const guestFrames = Math.max(kept.guestFrames, position - this.bufferFrames);
    super.resume({ ...kept, guestFrames });
    this.deviceFrames = this.settled = guestFrames;
    this.#passOver(position);
    this.status.add("movedFrames", position - guestFrames);
    this.settled = position;
  }

  /** What the device has heard, and nobody has taken from it, is lost. */
  override rebase(at: number): void {
    const left = this.#heardTo - this.deviceFrames;
    this.pass(left);
    this.xruns.late(left);
    super.rebase(at);
    this.#seenAt = at;
  }

  /** What the device has heard, and nobody has taken from it, becomes silence, so that the guest's clock goes on. */
  protected override hasStopped(): void {
    const missed = this.#passOver(this.lastPosition);
    if (missed > 0) this.#lose(missed, this.deviceFrames);
    else if (!this.xruns.isOn) {
      this.xruns.begin(this.deviceFrames, true, 0);
      this.xruns.end(0);
    }
  }

  /** Puts silence in the place of frames that are gone, so that those from frame `next` on keep theirs. Returns how many are gone. */
  #passOver(next: number): number {
    const missed = next - this.deviceFrames;
    if (missed <= 0) return 0;
    this.silence(missed, true);
    const format = this.#format;
    for (let left = Math.min(missed, this.bufferFrames); left > 0;) {
      const at = (this.deviceFrames + missed - left) % this.bufferFrames;
      const count = Math.min(left, this.bufferFrames - at);
      fillSilence(format, this.#memory, at * this.frameBytes, (at + count) * this.frameBytes);
      this.moves(count);
      left -= count;
    }
    this.deviceFrames += missed;
    return missed;
  }
}
