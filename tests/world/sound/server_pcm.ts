// SPDX-License-Identifier: MIT
/**
 * A PCM of an I/O plugin (pcm_ioplug.c) before a sound server, as alsa-plugins' pulse: the server takes samples at its own pace, in
 * chunks. After an underrun it waits until most of the buffer is full (`prebuf`). The server may stand still, hang or die.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { POLL } from "../../../ffi/libc/libc.ts";
import { HostPcm, type HostPcmOptions, sampleOf, STATE } from "./host_pcm.ts";
import type { Configuration } from "./hw_space.ts";
import { putFrame } from "./microphone.ts";
import { PcmFile } from "./period_timer.ts";
import type { StopCause } from "./reports.ts";
import { SampleClock } from "./sample_clock.ts";
import { SoundRing } from "./sound_ring.ts";

export interface ServerOptions extends HostPcmOptions {
  /** The server moves this many frames at a time. */
  readonly chunk: number;
}

export class ServerPcm extends HostPcm {
  readonly #chunk: number;
  #clock = new SampleClock(1, 0);
  #ring: SoundRing | undefined;
  /** Frames that the server has taken, or given. */
  #moved = 0;
  /** The server waits until the buffer is full enough. */
  #isWaiting = false;
  #heardBefore = 0;
  /** The server that this handle was connected to has died. */
  #isCut = false;
  /** The plugin's descriptors, which are ready whatever the PCM does. */
  readonly #files = Array.from({ length: 2 }, () => new PcmFile(() => POLL.IN, () => this.closedByOthers()));

  constructor(options: ServerOptions) {
    super(options);
    this.#chunk = options.chunk;
    this.hasDescriptors = this.#files.every((file) => this.openFile(file));
  }

  override get pollFiles() {
    return this.#files.map((file) => ({ file, events: POLL.IN }));
  }

  override closeFiles(): void {
    super.closeFiles();
    this.#ring = undefined;
  }

  override configure(configuration: Configuration): void {
    super.configure(configuration);
    const { channels, format, bufferFrames, rate } = configuration;
    const { silence } = sampleOf(format);
    this.#ring = new SoundRing(bufferFrames, Uint8Array.from(Array(channels).fill(silence).flat()));
    this.#clock = new SampleClock(rate, this.end.driftPpm);
  }

  get #prebuf(): number {
    return this.set.bufferFrames - this.set.periodFrames;
  }

  override settle(now: number): void {
    if (!this.#clock.isRunning) return;
    const exact = this.#clock.framesAt(now);
    const wanted = exact - exact % this.#chunk;
    const moved = this.isPlayback ? Math.min(wanted, this.appl) : wanted;
    if (this.isPlayback && moved > this.#moved) this.#play(moved);
    this.#moved = Math.max(this.#moved, moved);
    if (wanted > moved) this.#wait(now);
  }

  #play(end: number): void {
    const { played } = this.end.reports;
    this.#ring!.play(this.#moved, end, (position, source, frames, octets, isRepeat) => {
      const [from, until] = [this.#clock.beginOf(position), this.#clock.endOf(position + frames)];
      played?.call(this.end.reports, this, { position, source, isRepeat, frames, octets, from, until });
    });
  }

  #wait(now: number): void {
    this.#isWaiting = true;
    this.#clock.standAt(now, this.#moved);
  }

  /** The server dies. A new server does not know this handle. */
  cut(now: number, state: number): void {
    this.#isCut = true;
    if (this.configuration !== undefined) this.halt(now, "server", state);
  }

  /** The server wants the buffer filled before it goes on, as after an underrun. */
  waitForSamples(now: number): void {
    this.settle(now);
    if (this.state === STATE.RUNNING && this.isPlayback) this.#wait(now);
  }

  avail(now: number): number {
    return this.configuration === undefined ? -ERRNO.EIO : this.availUpdate(now);
  }

  availUpdate(now: number): number {
    if (this.state === STATE.RUNNING) this.settle(now);
    if (this.state === STATE.XRUN) return -ERRNO.EPIPE;
    if (this.state === STATE.DISCONNECTED) return -ERRNO.ENODEV;
    return this.isPlayback ? this.#moved + this.set.bufferFrames - this.appl : this.#moved - this.appl;
  }

  #transferable(now: number): number {
    if (this.configuration === undefined) return -ERRNO.EIO;
    const wrong = this.expect(STATE.PREPARED, STATE.RUNNING, STATE.PAUSED);
    if (wrong !== 0) return wrong;
    const available = this.availUpdate(now);
    return available === 0 ? -ERRNO.EAGAIN : available;
  }

  writei(now: number, octets: Uint8Array, frames: number): number {
    const available = frames === 0 ? 0 : this.#transferable(now);
    if (available <= 0) return available;
    const taken = this.end.faults.shortened(Math.min(frames, available));
    this.#ring!.write(this.appl, octets, taken);
    this.end.reports.written?.(this, this.appl, taken, octets, now);
    this.appl += taken;
    if (this.#isWaiting && this.state === STATE.RUNNING && this.appl - this.#moved >= this.#prebuf) {
      this.#isWaiting = false;
      this.#clock.start(now);
    }
    if (this.state === STATE.PREPARED && this.appl >= this.sw.startThreshold) this.#run(now);
    return taken;
  }

  readi(now: number, into: Uint8Array, frames: number): number {
    const available = frames === 0 ? 0 : this.#transferable(now);
    if (available <= 0) return available;
    const given = Math.min(frames, available);
    const number = this.#heardBefore + this.appl + 1;
    for (let i = 0; i < given; i++) putFrame(into, i * this.frameBytes, this.frameBytes, number + i);
    const [from, until] = [this.#clock.beginOf(this.appl), this.#clock.endOf(this.appl + given)];
    this.end.reports.read?.(this, { position: this.appl, number, frames: given, from, until });
    this.appl += given;
    return given;
  }

  forward(_now: number, frames: number): number {
    this.appl += frames;
    return frames;
  }

  start(now: number): number {
    if (this.configuration === undefined) return -ERRNO.EIO;
    if (this.state !== STATE.PREPARED) return -ERRNO.EBADFD;
    if (this.#isCut) return -ERRNO.EIO;
    this.#run(now);
    return 0;
  }

  #run(now: number): void {
    this.state = STATE.RUNNING;
    this.#heardBefore = this.end.heard;
    this.#clock.start(now);
    this.end.reports.started?.(this, now);
  }

  drop(now: number): number {
    if (this.state === STATE.OPEN) return -ERRNO.EBADFD;
    this.halt(now, "drop", STATE.SETUP);
    return 0;
  }

  prepare(now: number): number {
    if (this.configuration === undefined) return -ERRNO.EIO;
    if (this.state === STATE.DISCONNECTED) return -ERRNO.ENODEV;
    if (this.#isCut) return -ERRNO.EIO;
    this.appl = this.#moved = 0;
    this.#isWaiting = false;
    this.#clock.reset(now);
    this.state = STATE.PREPARED;
    return 0;
  }

  pause(now: number, enable: boolean): number {
    if (this.state !== (enable ? STATE.RUNNING : STATE.PAUSED)) return -ERRNO.EBADFD;
    if (enable) {
      this.settle(now);
      this.#clock.stop(now);
    } else if (!this.#isWaiting) this.#clock.start(now);
    this.state = enable ? STATE.PAUSED : STATE.RUNNING;
    return 0;
  }

  /** Each look reads the server's pointer anew. */
  timestamp(now: number): number {
    const avail = this.availUpdate(now);
    return avail < 0 ? avail : now;
  }

  override halt(now: number, cause: StopCause, state: number): void {
    const wasGoing = this.state === STATE.RUNNING || this.state === STATE.PAUSED;
    if (wasGoing) {
      this.settle(now);
      this.#clock.stop(now);
      this.end.heard = Math.max(this.end.heard, this.#heardBefore + this.#moved);
    }
    const hadFrames = wasGoing || this.state === STATE.PREPARED && this.appl > 0;
    this.state = state;
    if (hadFrames) this.end.reports.stopped?.(this, cause, this.#moved, now);
  }

  override stall(now: number, micros: number, then: "resume" | "jump"): void {
    if (this.state !== STATE.RUNNING || then === "jump") return;
    this.settle(now);
    if (this.#clock.isRunning) this.#clock.stall(now, micros);
  }

  override setDrift(now: number, ppm: number): void {
    this.settle(now);
    this.#clock.setDrift(now, ppm);
  }

  override dump(): string {
    return "ALSA <-> PulseAudio PCM I/O Plugin\n";
  }
}
