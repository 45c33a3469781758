// SPDX-License-Identifier: MIT
/**
 * Keeps one stream in its state, as guest and operator drive it (see stream_state.ts), and makes the device follow. The
 * guest's OPEN, CLOSE and TRIGGER lead from state to state. The operator's hold stands above them, and the operator's volume
 * is on top of the guest's own; both outlive an OPEN.
 */
import { SND_ERROR_BEGIN } from "../../ffi/alsa/libasound.ts";
import type { KeptOpen } from "../bridge/kept_stream.ts";
import type { EngineCommand } from "../bridge/messages.ts";
import { XEN_EINVAL, XEN_EIO } from "../sndif/mod.ts";
import type { OperatorSettings } from "../stream/operator_settings.ts";
import { afterTrigger, type Hold, type StreamState } from "../stream/stream_state.ts";
import type { Connection } from "./connection.ts";
import { OpenStream } from "./open_stream.ts";

export class StreamLife {
  #state: StreamState = "closed";
  #open: OpenStream | undefined;

  constructor(
    private readonly connection: Connection,
    private hold: Hold,
    private settings: OperatorSettings,
  ) {
    this.setState("closed");
  }

  /** What the guest has opened, from OPEN to CLOSE. */
  get open(): OpenStream | undefined {
    return this.#open;
  }

  /** Sets the state, and tells the status row and the trace. The device is left alone. */
  setState(state: StreamState): void {
    const { kept, status, trace } = this.connection;
    this.#state = state;
    kept.setState(state);
    status.setState(state, this.hold);
    trace.sample(this.#open?.device.pcm);
  }

  /** The main thread has opened the device and mapped the buffer. Throws with nothing left behind. {@link prepared} follows. */
  opened(command: EngineCommand & { op: "opened" | "resumed" }): void {
    const { events, kept, trace } = this.connection;
    this.#open = OpenStream.open(command, this.connection);
    trace.opened();
    kept.thaw();
    // What a former daemon has kept of a stream that goes on is right as it is: a daemon that dies now takes nothing of it away.
    if (command.op === "opened") kept.opened(command.open, events.base);
  }

  /** The stream goes on as a former daemon has left it. {@link opened} has come before. */
  resumed({ state }: KeptOpen): void {
    this.setOperators(this.settings);
    this.setState(state);
    this.#runDevice();
  }

  /** Leaves an open stream to the next daemon. {@link release} follows. */
  leave(): void {
    this.#open?.leave();
  }

  /** The stream is open, and waits for the guest's START. */
  prepared(): void {
    this.setOperators(this.settings);
    // Last: the trace takes a sample of the status row, in which nothing of the former OPEN is left.
    this.setState("prepared");
  }

  /** Goes to the state that the guest's `trigger` (`XENSND_OP_TRIGGER_*`) leads to: 0 or -XEN_E*. */
  trigger(trigger: number): number {
    const next = afterTrigger(this.#state, trigger);
    if (next === undefined || this.#open === undefined) return -XEN_EINVAL;
    const before = this.#state;
    if (next === "prepared" && before !== "prepared") this.#open.stop();
    if (next === "running" && before === "prepared") this.#open.transfer.started();
    this.setState(next);
    const status = this.#runDevice();
    if (status >= 0) return 0;
    // A trigger that the guest is told has failed has not happened. ALSA's own errors mean nothing to a guest.
    this.setState(before);
    return -status < SND_ERROR_BEGIN ? status : -XEN_EIO;
  }

  /** `xsnd trigger`. */
  setHold(hold: Hold): void {
    const { status, trace } = this.connection;
    this.hold = hold;
    status.setState(this.#state, hold);
    this.#runDevice();
    trace.sample(this.#open?.device.pcm);
  }

  /** `xsnd volume`, `mute` and `unmute`. */
  setOperators(settings: OperatorSettings): void {
    this.settings = settings;
    const volume = this.#open?.transfer.volume;
    volume?.setOperators(settings.volume, settings.muted);
    volume?.changed();
    if (volume === undefined || volume.isPossible || settings.volume === 0) return;
    const { services, slot } = this.connection;
    const text = "the operator's volume has no effect: the guest's sample format can only be muted";
    services.post({ op: "log", slot, level: "warn", text });
  }

  /** Lets go of device and buffer, if the stream is open, and of what queries were answered by. */
  release(): void {
    const open = this.#open;
    this.#open = undefined;
    open?.release();
    this.connection.queries.end();
    this.setState("closed");
  }

  /** Makes the device do what guest and operator want together. Returns 0 or -errno. */
  #runDevice(): number {
    const runs = this.#state === "running" && this.hold === "none";
    return this.#open?.run(runs, this.hold === "stopped") ?? 0;
  }
}
