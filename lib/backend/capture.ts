/**
 * Capture: samples are taken from the card as they come and kept until the guest's READ says where in its buffer it
 * wants them. What the guest leaves lying for longer than its own buffer lasts is lost, oldest first; its driver sees
 * that as an overrun by the position. What the card has overwritten before this thread came is silence in its place.
 */
import { Memory } from "../../ffi/memory.ts";
import type { Pcm } from "../pcm/pcm.ts";
import { fillSilence, FORMATS, XEN_EAGAIN } from "../sndif/mod.ts";
import { GuestBuffer } from "./guest_buffer.ts";
import type { StatusRow } from "./stream_status.ts";
import { Transfer } from "./transfer.ts";

export class Capture extends Transfer {
  /** As long as the guest's buffer, frame `n` at `n % bufferFrames`, and reached through staging as that is. */
  readonly #memory: Uint8Array<ArrayBuffer>;
  readonly #kept: GuestBuffer;

  constructor(pcm: Pcm, buffer: GuestBuffer, status: StatusRow) {
    super(pcm, buffer, status);
    this.#memory = new Uint8Array(buffer.bytes);
    this.#kept = new GuestBuffer(Memory.of(this.#memory.buffer), pcm.staging);
  }

  protected serve(offsetFrames: number, frames: number): number {
    this.pump();
    if (this.guestFrames + frames > this.cardFrames) return -XEN_EAGAIN;
    for (let done = 0; done < frames;) {
      const at = this.guestFrames % this.bufferFrames;
      const count = Math.min(frames - done, this.bufferFrames - at, this.stagingFrames);
      this.#kept.toStaging(at * this.frameBytes, count * this.frameBytes);
      this.buffer.fromStaging((offsetFrames + done) * this.frameBytes, count * this.frameBytes);
      this.guestFrames += count;
      done += count;
    }
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
    // What there is now, and no more: ALSA's null plugin never runs out.
    for (let left = this.pcm.avail(); left > 0;) {
      const at = this.cardFrames % this.bufferFrames;
      const got = this.pcm.read(Math.min(left, this.bufferFrames - at, this.stagingFrames));
      if (got < 0) this.error = got;
      if (got <= 0) break;
      this.volume.apply(got);
      this.volume.advance(got);
      this.#kept.fromStaging(at * this.frameBytes, got * this.frameBytes);
      this.cardFrames += got;
      left -= got;
    }
    const lost = Math.max(0, this.cardFrames - this.bufferFrames - this.guestFrames);
    this.guestFrames += lost;
    if (missed + lost === 0) return;
    this.countXrun(missed > 0 ? "host" : "guest");
    const silent = Math.max(0, heardFrom - Math.max(heardFrom - missed, this.guestFrames));
    this.status.add("lateFrames", lost + silent);
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
      left -= count;
    }
    this.cardFrames += missed;
    return missed;
  }
}
