// SPDX-License-Identifier: MIT
/** Counts the xruns of one open stream: each once, with its cause, as it begins, and its length as it ends. Nothing here allocates. */
import type { StatusRow } from "../../bridge/stream_status.ts";
import type { StreamTrace } from "../stream_trace.ts";

export class Xruns {
  #isOn = false;
  #fromFrame = 0;
  #isHosts = false;

  constructor(
    private readonly status: StatusRow,
    readonly rate: number,
    private readonly trace?: StreamTrace,
  ) {}

  /** Whether an xrun has begun and not ended. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** Counts an xrun that began at `fromFrame` and has lasted for `frames`. */
  begin(fromFrame: number, isHosts: boolean, frames: number): void {
    this.#fromFrame = fromFrame;
    this.#isHosts = isHosts;
    this.status.add("xruns", 1);
    if (isHosts) this.status.add("hostXruns", 1);
    this.status.set("xrunFrame", fromFrame);
    this.#setOn(true);
    this.trace?.xrun(fromFrame, frames, frames / this.rate, isHosts, false);
  }

  /** Ends the xrun, which has lasted for `frames`. Silence that a device has queued and not played is none: no frames. */
  end(frames: number): void {
    frames = Math.max(0, frames);
    const seconds = frames / this.rate;
    this.status.add("xrunSeconds", seconds);
    this.#setOn(false);
    this.trace?.xrun(this.#fromFrame, frames, seconds, this.#isHosts, true);
  }

  /** Counts frames of the guest's that are not heard in their place. */
  late(frames: number): void {
    if (frames > 0) this.status.add("lateFrames", frames);
  }

  #setOn(isOn: boolean): void {
    this.#isOn = isOn;
    this.status.set("xrunIsOn", isOn ? 1 : 0);
  }
}
