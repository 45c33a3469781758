// SPDX-License-Identifier: MIT
/** ALSA's null PCM (pcm_null.c): takes every frame at once, gives silence without end, and has no clock. */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { POLL } from "../../../ffi/libc/libc.ts";
import { HostPcm, type HostPcmOptions, STATE } from "./host_pcm.ts";
import { PcmFile } from "./period_timer.ts";
import type { StopCause } from "./reports.ts";

export class NullPcm extends HostPcm {
  /** /dev/null, or /dev/full. */
  readonly #file = new PcmFile(() => POLL.IN | POLL.OUT, () => this.closedByOthers());

  constructor(options: HostPcmOptions) {
    super(options);
    this.hasDescriptors = this.openFile(this.#file);
  }

  override get pollFiles() {
    return [{ file: this.#file, events: this.isPlayback ? POLL.OUT : POLL.IN }];
  }

  availUpdate(): number {
    if (this.configuration === undefined) return -ERRNO.EIO;
    if (this.state !== STATE.PREPARED || this.isPlayback) return this.set.bufferFrames;
    return 0;
  }

  avail(): number {
    return this.availUpdate();
  }

  #transfer(frames: number): number {
    const wrong = this.expect(STATE.PREPARED, STATE.RUNNING, STATE.PAUSED);
    if (wrong !== 0) return wrong;
    this.appl += frames;
    if (this.state === STATE.PREPARED && this.appl >= this.sw.startThreshold) this.state = STATE.RUNNING;
    return frames;
  }

  writei(now: number, octets: Uint8Array, frames: number): number {
    const position = this.appl;
    const taken = this.#transfer(this.end.faults.shortened(frames));
    if (taken > 0) this.end.reports.written?.(this, position, taken, octets, now);
    return taken;
  }

  readi(_now: number, into: Uint8Array, frames: number): number {
    const given = this.#transfer(frames);
    if (given > 0) into.fill(0, 0, given * this.frameBytes);
    return given;
  }

  forward(_now: number, frames: number): number {
    return this.#transfer(frames);
  }

  start(now: number): number {
    const wrong = this.expect(STATE.PREPARED);
    if (wrong !== 0) return wrong;
    this.state = STATE.RUNNING;
    this.end.reports.started?.(this, now);
    return 0;
  }

  drop(now: number): number {
    if (this.configuration === undefined) return -ERRNO.EIO;
    if (this.state !== STATE.SETUP) this.halt(now, "drop", STATE.SETUP);
    return 0;
  }

  pause(_now: number, enable: boolean): number {
    const wrong = this.expect(enable ? STATE.RUNNING : STATE.PAUSED);
    if (wrong !== 0) return wrong;
    this.state = enable ? STATE.PAUSED : STATE.RUNNING;
    return 0;
  }

  prepare(): number {
    if (this.configuration === undefined) return -ERRNO.EIO;
    this.appl = 0;
    this.state = STATE.PREPARED;
    return 0;
  }

  timestamp(now: number): number {
    return now;
  }

  override settle(): void {}

  override halt(now: number, cause: StopCause, state: number): void {
    const wasGoing = this.state === STATE.RUNNING || this.state === STATE.PAUSED;
    this.state = state;
    if (wasGoing) this.end.reports.stopped?.(this, cause, this.appl, now);
  }

  override stall(): void {}

  override setDrift(): void {}

  override dump(): string {
    return "Null PCM\n";
  }
}
