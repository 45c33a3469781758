// SPDX-License-Identifier: MIT
/**
 * An ALSA PCM in the engine's thread. The main thread has opened it, non-blocking, and set it up (`device.ts`): the PCM starts and
 * stops only on command, plays silence in an underrun, and wakes this thread at each of its periods.
 */
import { libc, POLL } from "../../../ffi/libc/libc.ts";
import { addressOf } from "../../../ffi/libc/pointers.ts";
import { TimerFd } from "../../../ffi/libc/timer_fd.ts";
import { SND_PCM_STATE } from "../../../ffi/alsa/libasound.ts";
import { SndPcmIo } from "../../../ffi/alsa/snd_pcm_io.ts";
import { fillSilence } from "../../sndif/mod.ts";
import { type Pcm, type PcmParams, sampleFormatOf, STAGING_BYTES } from "../pcm.ts";

/** An open ALSA PCM, for the engine's thread. */
export interface AlsaDescriptor {
  readonly kind: "alsa";
  readonly params: PcmParams;
  /** `snd_pcm_t *`, as a decimal string. */
  readonly pcm: string;
  readonly canPause: boolean;
  /**
   * The file descriptor that each period interrupt of a hardware PCM makes ready. -1 for a PCM of plugins, whose own descriptors may
   * be ready for ever: there a timer wakes the engine once a period.
   */
  readonly interruptFd: number;
  /** The PCM's own file descriptor, if {@link interruptFd} is none of the PCM's; otherwise -1. */
  readonly ownFd: number;
  /** Whether the driver plays silence in an underrun by itself (`silence_size` at the boundary; hardware, not plugins). */
  readonly silencesItself: boolean;
  /** If the pointer of a PCM of plugins stands still for longer than this, in frames, the PCM waits for samples. */
  readonly steadyFrames: number;
}

/** Periods that a PCM of plugins always has queued: the engine wakes once in each, and may be late. */
const KEEP_AHEAD = 4;
/** Room for the whole queue of a period interrupt's timer: 128 `struct snd_timer_tread` of up to 32 octets. */
const INTERRUPT_BYTES = 128 * 32;
const EAGAIN = 11;
const ENOSYS = 38;

export class AlsaPcm implements Pcm {
  readonly params: PcmParams;
  readonly pollEvents = POLL.IN;
  readonly mayStand = true;
  readonly #descriptor: AlsaDescriptor;
  readonly #io: SndPcmIo;
  readonly #staging: NonNullable<Deno.PointerValue>;
  readonly #timer: TimerFd | undefined;
  readonly #interrupts = addressOf(new Uint8Array(INTERRUPT_BYTES));
  /** Frames written to or read from the PCM since prepare, silence of this class included. */
  #applFrames = 0;
  /** The playback pointer as last read. */
  #position = 0;
  #running = false;
  /** The last new position of a PCM of plugins, and the time of its reading, in ms. */
  #lastPosition = 0;
  #movedAt = 0;
  /** A period of silence, for a PCM that makes none. */
  readonly #silence: Uint8Array<ArrayBuffer>;
  readonly #silenceAddress: NonNullable<Deno.PointerValue>;

  constructor(descriptor: AlsaDescriptor, readonly staging = new ArrayBuffer(STAGING_BYTES)) {
    this.#descriptor = descriptor;
    this.#staging = addressOf(new Uint8Array(staging));
    this.params = descriptor.params;
    this.#io = new SndPcmIo(BigInt(descriptor.pcm));
    if (descriptor.interruptFd < 0) this.#timer = new TimerFd();
    const { periodFrames, frameBytes } = this.params;
    this.#silence = new Uint8Array(periodFrames * frameBytes);
    fillSilence(sampleFormatOf(this.params), this.#silence, 0, this.#silence.length);
    this.#silenceAddress = addressOf(this.#silence);
  }

  get pollFd(): number {
    return this.#timer?.fd ?? this.#descriptor.interruptFd;
  }

  get stopFd(): number {
    return this.#descriptor.ownFd;
  }

  acknowledge(): void {
    if (this.#timer !== undefined) this.#timer.drain();
    // snd_pcm_poll_descriptors_revents does the same, but asks the device several times.
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

  /** For hardware, libasound reads the pointer from memory in which the kernel stores it at each interrupt. */
  pointer(): number {
    return this.#timer === undefined ? this.#positionOf(this.#io.availUpdate()) : this.position();
  }

  pointerAge(now: number): number {
    return this.noteInterrupt() ? Math.max(0, this.#io.updateAge(now)) : 0;
  }

  /** The position of the pointer, by `avail`: the distance from the pointer to the last frame written or read. */
  #positionOf(avail: number): number {
    if (avail < 0) return avail;
    if (this.params.direction === "capture") return this.#applFrames + avail;
    return this.#position = Math.max(0, this.#applFrames - this.params.bufferFrames + avail);
  }

  /**
   * A PCM of plugins stops where its samples end, and a sound server even before: after an underrun the server waits for a good part
   * of its buffer. So a few periods of silence follow when the samples are about to end, and as much as fits when the pointer has
   * stood still for too long.
   */
  keepGoing(): void {
    if (this.#running && !this.#descriptor.silencesItself) this.#keepAhead(this.#position);
  }

  #keepAhead(position: number): void {
    const { bufferFrames, periodFrames, rate } = this.params;
    const now = performance.now();
    if (position !== this.#lastPosition) {
      this.#lastPosition = position;
      this.#movedAt = now;
    }
    const standsStill = (now - this.#movedAt) * rate / 1000 > this.#descriptor.steadyFrames;
    // The null plugin takes everything, and its pointer leaps: at most one buffer of silence goes in.
    const ahead = standsStill ? bufferFrames : KEEP_AHEAD * periodFrames;
    this.#fill(Math.min(position + ahead, this.#applFrames + bufferFrames));
  }

  /** Queues silence up to frame `enough` at least, as far as there is room. */
  #fill(enough: number): void {
    const { periodFrames } = this.params;
    while (this.#applFrames < enough) {
      const taken = this.#io.writei(this.#silenceAddress, periodFrames);
      if (taken <= 0) return;
      this.#applFrames += taken;
    }
  }

  /** A server that waits for samples would wait for ever: {@link keepGoing} is not called while the device stands aside. */
  standAside(): number {
    if (this.params.direction === "playback") this.#fill(this.#applFrames + this.params.bufferFrames);
    return this.position();
  }

  avail(): number {
    return Math.min(this.#io.availUpdate(), this.params.bufferFrames);
  }

  next(): number {
    const { direction, bufferFrames, periodFrames } = this.params;
    const isPlayback = direction === "playback";
    const late = isPlayback ? this.#position - this.#applFrames : this.#io.availUpdate() - bufferFrames;
    if (late > 0) {
      // A capture device is about to overwrite the next frames, too.
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
    // A device that has waited for its start since prepare does not stand still.
    this.#movedAt = performance.now();
    // Hardware does not start with an empty buffer, and a PCM of plugins would stop at once.
    if (this.params.direction === "playback" && this.#applFrames === 0) {
      if (!this.#descriptor.silencesItself) this.#keepAhead(0);
      else this.#applFrames += Math.max(0, this.#io.writei(this.#silenceAddress, 1));
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

  /** Discards the queued frames. The main thread closes the handle. */
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
