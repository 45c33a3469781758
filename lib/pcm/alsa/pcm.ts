// SPDX-License-Identifier: MIT
/**
 * A real card through ALSA, in the engine's thread. The main thread has opened it, non-blocking, and set it up
 * (`alsa_device.ts`) so that it starts and stops only when told to, plays silence when it runs dry, and wakes this
 * thread at each of its periods.
 */
import { libc, POLL } from "../../../ffi/libc/libc.ts";
import { addressOf } from "../../../ffi/libc/pointers.ts";
import { TimerFd } from "../../../ffi/libc/timer_fd.ts";
import { SND_PCM_STATE } from "../../../ffi/alsa/libasound.ts";
import { SndPcmIo } from "../../../ffi/alsa/snd_pcm_io.ts";
import { fillSilence, FORMATS } from "../../sndif/mod.ts";
import { type Pcm, type PcmParams, STAGING_BYTES } from "../pcm.ts";

/** Everything that the engine's thread needs to run an open ALSA PCM. */
export interface AlsaDescriptor {
  readonly kind: "alsa";
  readonly params: PcmParams;
  /** `snd_pcm_t *`, as a decimal string. */
  readonly pcm: string;
  readonly canPause: boolean;
  /**
   * The descriptor that is ready at each period interrupt of a card. A PCM made of plugins has none, and its own may be ready
   * for ever: there (-1) a timer looks at the pointer once a period.
   */
  readonly interruptFd: number;
  /** Whether the card plays silence by itself when it runs dry (`silence_size` at the boundary; cards, not plugins). */
  readonly silencesItself: boolean;
  /** For how long, in frames, the pointer of a card of plugins may stand before that means that it waits for samples. */
  readonly steadyFrames: number;
}

/** Periods that a card of plugins always has before it: it is looked at once in each, and that can be late. */
const KEEP_AHEAD = 4;
/** Room for all that a period interrupt's timer queues: 128 `struct snd_timer_tread` of up to 32 octets. */
const INTERRUPT_BYTES = 128 * 32;
const EAGAIN = 11;
const ENOSYS = 38;

export class AlsaPcm implements Pcm {
  readonly params: PcmParams;
  readonly pollEvents = POLL.IN;
  readonly #descriptor: AlsaDescriptor;
  readonly #io: SndPcmIo;
  readonly #staging: NonNullable<Deno.PointerValue>;
  readonly #timer: TimerFd | undefined;
  readonly #interrupts = addressOf(new Uint8Array(INTERRUPT_BYTES));
  /** Frames that have gone to (come from) the card since prepare, silence of our own included. */
  #applFrames = 0;
  /** The pointer of a playing card as last read. */
  #position = 0;
  #running = false;
  /** Where the pointer of a card of plugins was last found to have moved, and when, in ms. */
  #lastPosition = 0;
  #movedAt = 0;
  /** A period of silence, for a card that does not make its own. */
  readonly #silence: Uint8Array<ArrayBuffer>;
  readonly #silenceAddress: NonNullable<Deno.PointerValue>;

  constructor(descriptor: AlsaDescriptor, readonly staging = new ArrayBuffer(STAGING_BYTES)) {
    this.#descriptor = descriptor;
    this.#staging = addressOf(new Uint8Array(staging));
    this.params = descriptor.params;
    this.#io = new SndPcmIo(BigInt(descriptor.pcm));
    if (descriptor.interruptFd < 0) this.#timer = new TimerFd();
    const { periodFrames, frameBytes, format } = this.params;
    this.#silence = new Uint8Array(periodFrames * frameBytes);
    fillSilence(FORMATS[format], this.#silence, 0, this.#silence.length);
    this.#silenceAddress = addressOf(this.#silence);
  }

  get pollFd(): number {
    return this.#timer?.fd ?? this.#descriptor.interruptFd;
  }

  acknowledge(): void {
    if (this.#timer !== undefined) this.#timer.drain();
    // snd_pcm_poll_descriptors_revents does no more than that either, but asks the device several times.
    else libc().hot_read(this.#descriptor.interruptFd, this.#interrupts, INTERRUPT_BYTES);
  }

  noteInterrupt(): boolean {
    return this.#timer === undefined && this.#io.noteUpdate();
  }

  interruptAge(now: number): number {
    return this.#io.updateAge(now);
  }

  position(): number {
    return this.#positionOf(this.#io.avail());
  }

  /** The kernel keeps the pointer as of each interrupt in memory that libasound reads. */
  pointer(): number {
    return this.#timer === undefined ? this.#positionOf(this.#io.availUpdate()) : this.position();
  }

  pointerAge(now: number): number {
    return this.noteInterrupt() ? Math.max(0, this.#io.updateAge(now)) : 0;
  }

  /** `avail` counts from the pointer to the end of what was written (or read). */
  #positionOf(avail: number): number {
    if (avail < 0) return avail;
    if (this.params.direction === "capture") return this.#applFrames + avail;
    const position = this.#applFrames - this.params.bufferFrames + avail;
    if (this.#running && !this.#descriptor.silencesItself) this.#keepGoing(position);
    return this.#position = Math.max(0, position);
  }

  /**
   * A card of plugins stops where its samples end, and a sound server even before: once it ran dry it waits for a good
   * part of its buffer. So silence goes in behind the last samples, a few periods when they are about to end, and as
   * much as fits when the pointer has not moved for longer than it should.
   */
  #keepGoing(position: number): void {
    const { bufferFrames, periodFrames, rate } = this.params;
    const now = performance.now();
    if (position !== this.#lastPosition) {
      this.#lastPosition = position;
      this.#movedAt = now;
    }
    const standsStill = (now - this.#movedAt) * rate / 1000 > this.#descriptor.steadyFrames;
    // The null plugin takes all that it is given: what is enough is not for the card to say, nor by a pointer that has leapt.
    const ahead = standsStill ? bufferFrames : KEEP_AHEAD * periodFrames;
    const enough = Math.min(position + ahead, this.#applFrames + bufferFrames);
    while (this.#applFrames < enough) {
      const taken = this.#io.writei(this.#silenceAddress, periodFrames);
      if (taken <= 0) return;
      this.#applFrames += taken;
    }
  }

  avail(): number {
    return Math.min(this.#io.availUpdate(), this.params.bufferFrames);
  }

  next(): number {
    const { direction, bufferFrames, periodFrames } = this.params;
    const isPlayback = direction === "playback";
    const late = isPlayback ? this.#position - this.#applFrames : this.#io.availUpdate() - bufferFrames;
    if (late > 0) {
      // A recording card is about to overwrite the next frames too.
      const forwarded = this.#io.forward(isPlayback ? late : late + periodFrames);
      if (forwarded > 0) this.#applFrames += forwarded;
    }
    return this.#applFrames;
  }

  write(frames: number): number {
    const taken = this.#io.writei(this.#staging, frames);
    if (taken > 0) this.#applFrames += taken;
    return taken === -EAGAIN ? 0 : taken;
  }

  read(frames: number): number {
    const got = this.#io.readi(this.#staging, frames);
    if (got > 0) this.#applFrames += got;
    return got === -EAGAIN ? 0 : got;
  }

  start(): number {
    if (this.params.direction === "playback") {
      if (!this.#descriptor.silencesItself) this.#keepGoing(0);
      // A card does not start with nothing to play.
      else if (this.#applFrames === 0) {
        this.#applFrames += Math.max(0, this.#io.writei(this.#silenceAddress, 1));
      }
    }
    const status = this.#io.start();
    if (status === 0) this.#run(true);
    return status;
  }

  drop(): number {
    this.#run(false);
    return this.#io.drop();
  }

  prepare(): number {
    this.#run(false);
    this.#applFrames = this.#position = 0;
    return this.#io.prepare();
  }

  pause(enable: boolean): number {
    if (!this.#descriptor.canPause) return -ENOSYS;
    const status = this.#io.pause(enable);
    if (status === 0) this.#run(!enable);
    return status;
  }

  /** Drops what the card holds; the handle itself is closed by the main thread. */
  release(): void {
    const state = this.#io.state();
    if (state !== SND_PCM_STATE.SETUP && state !== SND_PCM_STATE.DISCONNECTED) this.drop();
    this.#timer?.[Symbol.dispose]();
  }

  #run(running: boolean): void {
    this.#running = running;
    this.#movedAt = performance.now();
    const intervalNs = running ? this.params.periodFrames * 1e9 / this.params.rate : 0;
    this.#timer?.arm(intervalNs, intervalNs);
  }
}
