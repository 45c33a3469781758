// SPDX-License-Identifier: MIT
/**
 * A PCM of the kernel: its DMA engine runs round a buffer, and interrupts once a period. The rules are those of sound/core's
 * pcm_native.c and pcm_lib.c, and of alsa-lib's pcm_hw.c.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { POLL } from "../../../ffi/libc/libc.ts";
import type { Entry } from "../machine/clock.ts";
import { HostPcm, type HostPcmOptions, sampleOf, STATE, type SwParameters } from "./host_pcm.ts";
import type { Configuration } from "./hw_space.ts";
import { newestAt, putFrame } from "./microphone.ts";
import { PcmFile, PeriodTimer } from "./period_timer.ts";
import type { StopCause } from "./reports.ts";
import { SampleClock } from "./sample_clock.ts";
import { SoundRing } from "./sound_ring.ts";

const RUNNABLE = [STATE.PREPARED, STATE.RUNNING, STATE.XRUN, STATE.DRAINING, STATE.PAUSED] as const;

export interface HardwareOptions extends HostPcmOptions {
  /** The frames between two places in which the pointer can be. */
  readonly granularity: number;
  /** All that has been played becomes silent by itself, as in dmix's buffer. */
  readonly alwaysSilences: boolean;
}

export class HardwarePcm extends HostPcm {
  readonly #granularity: number;
  readonly #alwaysSilences: boolean;
  #clock = new SampleClock(1, 0);
  #ring: SoundRing | undefined;
  /** Frames that the DMA engine has moved since prepare. */
  #moved = 0;
  /** The kernel's pointer: frames since prepare, as far as it knows. */
  #pointer = 0;
  /** Whole buffers that the kernel has missed: it sees the place within the buffer alone. */
  #missed = 0;
  #stamp = 0;
  #interrupt: Entry | undefined;
  #timer: PeriodTimer | undefined;
  readonly #file: PcmFile;
  /** The number that the microphone had reached at the start. */
  #heardBefore = 0;

  constructor(options: HardwareOptions) {
    super(options);
    this.#granularity = options.granularity;
    this.#alwaysSilences = options.alwaysSilences;
    this.#file = new PcmFile(() => this.#ready(), () => this.closedByOthers());
    this.hasDescriptors = this.openFile(this.#file);
  }

  override get pollFiles() {
    const own = { file: this.#file, events: this.isPlayback ? POLL.OUT : POLL.IN };
    return this.#timer === undefined ? [own] : [own, { file: this.#timer, events: POLL.IN }];
  }

  #ready(): number {
    if (this.state === STATE.DISCONNECTED) return POLL.ERR | POLL.NVAL;
    const ready = this.isPlayback ? POLL.OUT : POLL.IN;
    const isFine = this.state === STATE.PREPARED || this.state === STATE.RUNNING ||
      this.state === STATE.PAUSED;
    if (!isFine) return ready | POLL.ERR;
    // libasound lets the PCM's own descriptor rest while a timer tells of the periods.
    return this.#timer === undefined && this.#available() >= this.sw.availMin ? ready : 0;
  }

  override configure(configuration: Configuration): void {
    super.configure(configuration);
    const { channels, format, bufferFrames, rate } = configuration;
    const { silence } = sampleOf(format);
    if (this.isPlayback) {
      this.#ring = new SoundRing(bufferFrames, Uint8Array.from(Array(channels).fill(silence).flat()));
    }
    this.#clock = new SampleClock(rate, this.end.driftPpm);
  }

  override setSoftware(parameters: SwParameters): number {
    if (parameters.periodEvent && this.#timer === undefined) {
      const timer = new PeriodTimer(() => this.closedByOthers());
      if (!this.openFile(timer)) return -ERRNO.EMFILE;
      this.#timer = timer;
    } else if (!parameters.periodEvent && this.#timer !== undefined) {
      this.closeFile(this.#timer);
      this.#timer = undefined;
    }
    return super.setSoftware(parameters);
  }

  override closeFiles(): void {
    super.closeFiles();
    this.#timer = this.#ring = undefined;
  }

  /** Frames free, or heard and not yet read, by the kernel's pointer. */
  #available(): number {
    return this.isPlayback ? this.#pointer + this.set.bufferFrames - this.appl : this.#pointer - this.appl;
  }

  override settle(now: number): void {
    if (!this.#clock.isRunning) return;
    const exact = this.#clock.framesAt(now);
    const moved = exact - exact % this.#granularity;
    if (moved <= this.#moved) return;
    const from = this.#moved;
    this.#moved = moved;
    if (this.#ring === undefined) return;
    const { played } = this.end.reports;
    this.#ring.play(from, moved, (position, source, frames, octets, isRepeat) => {
      const [begin, end] = [this.#clock.beginOf(position), this.#clock.endOf(position + frames)];
      played?.call(this.end.reports, this, {
        position,
        source,
        isRepeat,
        frames,
        octets,
        from: begin,
        until: end,
      });
    });
    if (this.#alwaysSilences) this.#ring.clear(from, moved - from);
  }

  /** snd_pcm_update_hw_ptr: reads the pointer's register. A negative errno after an xrun. */
  #update(now: number): number {
    this.settle(now);
    if (now < this.blind.until) return 0;
    const { bufferFrames } = this.set;
    let delta = this.#moved - this.#missed - this.#pointer;
    const missed = delta - delta % bufferFrames;
    this.#missed += missed;
    delta -= missed;
    if (this.silencesItself) this.#ring?.clear(this.#pointer, delta);
    this.#pointer += delta;
    if (this.sw.hasTimestamps) this.#stamp = now;
    if (!this.hasStopThreshold || this.#available() < this.sw.stopThreshold) return 0;
    this.halt(now, "xrun", STATE.XRUN);
    return -ERRNO.EPIPE;
  }

  /** snd_pcm_hwsync. */
  #sync(now: number): number {
    switch (this.state) {
      case STATE.RUNNING:
        return this.#update(now);
      case STATE.PREPARED:
      case STATE.PAUSED:
        return 0;
      case STATE.SUSPENDED:
        return -ERRNO.ESTRPIPE;
      case STATE.XRUN:
        return -ERRNO.EPIPE;
      case STATE.DISCONNECTED:
        return -ERRNO.ENODEV;
    }
    return -ERRNO.EBADFD;
  }

  avail(now: number): number {
    if (this.configuration === undefined) return -ERRNO.EIO;
    const synced = this.#sync(now);
    return synced < 0 ? synced : this.availUpdate(now);
  }

  /** libasound reads the pointer from memory that the kernel keeps up to date; a card that is gone leaves the last one there. */
  availUpdate(now: number): number {
    if (this.configuration === undefined) return -ERRNO.EIO;
    if (this.state === STATE.RUNNING && this.hasStopThreshold && this.#available() >= this.sw.stopThreshold) {
      this.halt(now, "xrun", STATE.XRUN);
    }
    return this.state === STATE.XRUN ? -ERRNO.EPIPE : this.#available();
  }

  timestamp(now: number): number {
    const avail = this.availUpdate(now);
    return avail < 0 ? avail : this.#stamp;
  }

  /** What every transfer begins with: how many frames there are, or a negative errno. */
  #transferable(now: number): number {
    if (this.configuration === undefined) return -ERRNO.EIO;
    const wrong = this.expect(STATE.PREPARED, STATE.RUNNING, STATE.PAUSED);
    if (wrong !== 0) return wrong;
    if (this.state === STATE.RUNNING) {
      const updated = this.#update(now);
      if (updated < 0) return updated;
    }
    return this.#available();
  }

  writei(now: number, octets: Uint8Array, frames: number): number {
    const available = this.#transferable(now);
    if (available < 0 || frames === 0) return Math.min(available, 0);
    if (available === 0) return -ERRNO.EAGAIN;
    const taken = this.end.faults.shortened(Math.min(frames, available));
    this.settle(now);
    this.#ring!.write(this.appl, octets, taken);
    this.end.reports.written?.(this, this.appl, taken, octets, now);
    this.appl += taken;
    const queued = this.set.bufferFrames - this.#available();
    if (this.state === STATE.PREPARED && queued >= this.sw.startThreshold) this.#run(now);
    return taken;
  }

  readi(now: number, into: Uint8Array, frames: number): number {
    if (this.state === STATE.PREPARED && frames >= this.sw.startThreshold) this.#run(now);
    const available = this.#transferable(now);
    if (available < 0 || frames === 0) return Math.min(available, 0);
    if (available === 0) return -ERRNO.EAGAIN;
    this.settle(now);
    const given = Math.min(frames, available);
    for (let i = 0; i < given;) i += this.#hand(into, i, given - i);
    this.appl += given;
    return given;
  }

  /** Gives up to `most` frames that the microphone gave one after the other; returns how many. */
  #hand(into: Uint8Array, at: number, most: number): number {
    const { bufferFrames } = this.set;
    const position = this.appl + at;
    const place = position % bufferFrames;
    const frames = Math.min(most, bufferFrames - place);
    const first = newestAt(place, bufferFrames, this.#moved);
    let count = 1;
    while (count < frames && newestAt(place + count, bufferFrames, this.#moved) === first + count) count++;
    const number = first < 0 ? 0 : this.#heardBefore + first + 1;
    for (let i = 0; i < count; i++) {
      const start = (at + i) * this.frameBytes;
      if (number === 0) into.fill(0, start, start + this.frameBytes);
      else putFrame(into, start, this.frameBytes, number + i);
    }
    const [from, until] = [this.#clock.beginOf(first), this.#clock.endOf(first + count)];
    this.end.reports.read?.(this, { position, number, frames: count, from, until });
    return count;
  }

  forward(now: number, frames: number): number {
    if (this.configuration === undefined) return -ERRNO.EIO;
    if (frames === 0) return 0;
    const wrong = this.expect(...RUNNABLE);
    if (wrong !== 0) return wrong;
    const synced = this.#sync(now);
    if (synced < 0) return synced;
    const moved = Math.max(0, Math.min(frames, this.#available()));
    this.appl += moved;
    return moved;
  }

  start(now: number): number {
    if (this.configuration === undefined) return -ERRNO.EIO;
    const wrong = this.expect(STATE.PREPARED);
    if (wrong !== 0) return wrong;
    // snd_pcm_playback_data: an empty buffer may start if nothing stops the PCM.
    if (this.isPlayback && this.hasStopThreshold && this.#available() >= this.set.bufferFrames) {
      return -ERRNO.EPIPE;
    }
    this.#run(now);
    return 0;
  }

  #run(now: number): void {
    this.state = STATE.RUNNING;
    this.#heardBefore = this.end.heard;
    this.#stamp = now;
    if (this.silencesItself) {
      const queued = Math.min(this.appl - this.#pointer, this.set.bufferFrames);
      this.#ring?.clear(this.#pointer + queued, this.set.bufferFrames - queued);
    }
    this.#clock.start(now);
    this.end.reports.started?.(this, now);
    this.#awaitInterrupt(now);
  }

  #awaitInterrupt(now: number): void {
    const { clock } = this.process;
    clock.cancel(this.#interrupt);
    const { periodFrames } = this.set;
    const next = (Math.floor(Math.max(this.#moved, this.#clock.framesAt(now)) / periodFrames) + 1) *
      periodFrames;
    const time = Math.max(this.#clock.endOf(next), this.blind.until);
    if (time < Infinity) this.#interrupt = clock.at(time + this.end.jitter(), () => this.#period());
  }

  /** snd_pcm_period_elapsed. */
  #period(): void {
    const { now } = this.process.clock;
    if (this.state !== STATE.RUNNING) return;
    this.#update(now);
    if (this.state === STATE.RUNNING) {
      this.#awaitInterrupt(now);
      this.#timer?.tick(now);
    }
    this.#file.changed();
  }

  drop(now: number): number {
    if (this.configuration === undefined) return -ERRNO.EIO;
    if (this.state === STATE.SETUP) return 0;
    const wrong = this.expect(...RUNNABLE, STATE.SUSPENDED);
    if (wrong !== 0) return wrong;
    this.halt(now, "drop", STATE.SETUP);
    return 0;
  }

  prepare(now: number): number {
    if (this.configuration === undefined) return -ERRNO.EIO;
    if (this.state === STATE.DISCONNECTED) return -ERRNO.ENODEV;
    if (this.state === STATE.RUNNING) return -ERRNO.EBUSY;
    if (this.state === STATE.PAUSED) this.halt(now, "drop", STATE.SETUP);
    this.appl =
      this.#moved =
      this.#pointer =
      this.#missed =
        0;
    this.blind.until = 0;
    this.#clock.reset(now);
    this.state = STATE.PREPARED;
    return 0;
  }

  pause(now: number, enable: boolean): number {
    if (this.configuration === undefined) return -ERRNO.EIO;
    if (this.state === (enable ? STATE.PAUSED : STATE.RUNNING)) return 0;
    const wrong = this.expect(...RUNNABLE);
    if (wrong !== 0) return wrong;
    if (!this.capabilities.canPause) return -ERRNO.ENOSYS;
    if (this.state !== (enable ? STATE.RUNNING : STATE.PAUSED)) return -ERRNO.EBADFD;
    if (enable) {
      const updated = this.#update(now);
      if (updated < 0) return updated;
      this.#clock.stop(now);
      this.process.clock.cancel(this.#interrupt);
      this.state = STATE.PAUSED;
    } else {
      this.state = STATE.RUNNING;
      this.#clock.start(now);
      this.#awaitInterrupt(now);
    }
    return 0;
  }

  override halt(now: number, cause: StopCause, state: number): void {
    const wasGoing = this.state === STATE.RUNNING || this.state === STATE.PAUSED;
    const hadFrames = wasGoing || this.state === STATE.PREPARED && this.appl > 0;
    if (wasGoing) {
      this.settle(now);
      this.#clock.stop(now);
      this.process.clock.cancel(this.#interrupt);
      this.end.heard = Math.max(this.end.heard, this.#heardBefore + this.#moved);
    }
    this.state = state;
    if (hadFrames) this.end.reports.stopped?.(this, cause, this.#moved, now);
    if (state === STATE.DISCONNECTED) this.#timer?.disconnect();
    if (state === STATE.SUSPENDED) this.#timer?.suspended(now);
    if (cause !== "drop" && cause !== "close") this.#file.changed();
  }

  override stall(now: number, micros: number, then: "resume" | "jump"): void {
    if (this.state !== STATE.RUNNING) return;
    this.settle(now);
    if (then === "resume") this.#clock.stall(now, micros);
    else {
      if (now >= this.blind.until) {
        this.blind.from = now;
        this.blind.before = this.#moved - this.#missed - this.#pointer;
      }
      this.blind.until = Math.max(this.blind.until, now + micros);
    }
    this.#awaitInterrupt(now);
  }

  override setDrift(now: number, ppm: number): void {
    this.settle(now);
    this.#clock.setDrift(now, ppm);
    if (this.state === STATE.RUNNING) this.#awaitInterrupt(now);
  }

  override dump(): string {
    const hardware = `Hardware PCM card 0 '${this.end.card.name}' device 0 subdevice 0\n`;
    switch (this.type) {
      case "PLUG":
        return `Plug PCM: ${hardware}`;
      case "DMIX":
        return `Direct Stream Mixing PCM\n${hardware}`;
    }
    return hardware;
  }
}
