// SPDX-License-Identifier: MIT
/** The messages between the main thread and the engine, through two mailboxes. Everything frequent passes through plain memory. */
import type { PcmDescriptor } from "../pcm/descriptor.ts";
import type { RefinerDescriptor } from "../pcm/refiner.ts";
import type { OpenRequest } from "../sndif/mod.ts";
import type { StreamParams } from "../vsnd/model/card.ts";
import type { EventChannelsShare } from "../xen/ports.ts";
import type { OperatorSettings } from "../stream/operator_settings.ts";
import type { KeptOpen } from "./kept_stream.ts";
import type { Hold } from "../stream/stream_state.ts";

/** An address in this process, as a decimal string: JSON has no 64-bit integers. */
export type Address = string;

/** The first message to a new engine, by `postMessage`, before the engine blocks in poll(2). */
export interface EngineStart {
  readonly toEngine: SharedArrayBuffer;
  readonly toMain: SharedArrayBuffer;
  readonly status: SharedArrayBuffer;
  /** The word of `Changes` that counts changes of a stream's state. */
  readonly changes: SharedArrayBuffer;
  /** The eventfd that wakes the engine once a message is in `toEngine`. */
  readonly wakeFd: number;
  readonly channels: EventChannelsShare;
  readonly realtime: boolean;
}

/** The answer to an OPEN that succeeded. */
export interface Opened {
  readonly op: "opened";
  readonly slot: number;
  readonly buffer: Address;
  readonly mappedBytes: number;
  readonly open: OpenRequest;
  readonly pcm: PcmDescriptor;
  /** Whether `pcm` is silence in the place of a device that somebody else uses. */
  readonly isStandIn: boolean;
  /** Whether `pcm` is silence since the stream is denied. */
  readonly isDenied: boolean;
}

/** A command to the engine; `slot` is the stream's row in the status table. */
export type EngineCommand =
  | {
    readonly op: "attach";
    readonly slot: number;
    /** The guest. Its streams share one budget of the engine's time. */
    readonly domid: number;
    readonly direction: "playback" | "capture";
    /** The parameters that the host allows. */
    readonly allowed: StreamParams;
    readonly ring: Address;
    readonly eventPage: Address;
    /** Local ports of event-channel and evt-event-channel. */
    readonly requestPort: number;
    readonly eventPort: number;
    /** Requests, and MB of sound, that are served a second in the long run: see `GuestBudget`. */
    readonly requests: number;
    readonly moved: number;
    /** The operator's hold and settings, which outlive the connection. */
    readonly hold: Hold;
    readonly settings: OperatorSettings;
    /** The `TraceRing` to which the stream's trace records go. */
    readonly trace: Address;
    /** The block of a `KeptStream`; null: nothing is kept. */
    readonly kept: Address | null;
    /** Whether `resumed` or `notResumed` follows. The stream takes no request before. */
    readonly resumes: boolean;
  }
  /** `leaves`: an open stream is left to the next daemon. */
  | { readonly op: "detach"; readonly slot: number; readonly leaves: boolean }
  | Opened
  /** A stream that a former daemon had open is open again: as `opened`, with what was kept of the stream. */
  | Omit<Opened, "op"> & { readonly op: "resumed"; readonly kept: KeptOpen }
  /** What a former daemon had open cannot be opened again. The guest's requests fail until its next OPEN. */
  | { readonly op: "notResumed"; readonly slot: number }
  /** The status of a CLOSE, or of another request that failed. */
  | { readonly op: "respond"; readonly slot: number; readonly status: number }
  /**
   * A refiner is lent. The engine answers the query that waits, and those that follow, until it leaves an OPEN or CLOSE to the main
   * thread or is told to `forget` the refiner.
   */
  | { readonly op: "refiner"; readonly slot: number; readonly refiner: RefinerDescriptor }
  | { readonly op: "forget"; readonly slot: number }
  /** The stream stops using its device, and goes on in silence until `replaced`. */
  | { readonly op: "giveBackDevice"; readonly slot: number; readonly ticket: number }
  /** The device that was lost, or that somebody else used, is open. */
  | {
    readonly op: "replaced";
    readonly slot: number;
    readonly pcm: PcmDescriptor;
    /** As in `opened`. */
    readonly isDenied: boolean;
  }
  | { readonly op: "hold"; readonly slot: number; readonly hold: Hold; readonly ticket: number }
  | { readonly op: "settings"; readonly slot: number; readonly settings: OperatorSettings }
  /** Is it alive? */
  | { readonly op: "ping"; readonly ticket: number }
  | { readonly op: "stop" };

/** A command about a stream that is attached. */
export type StreamCommand = Exclude<EngineCommand, { op: "attach" | "detach" | "ping" | "stop" }>;

/** A message from the engine to the main thread. */
export type EngineEvent =
  /** The engine serves; `realtimeErrno`: why it does so without real-time scheduling, though that was asked for. */
  | { readonly op: "ready"; readonly realtimeErrno: number; readonly threadId: number }
  /** The engine has stopped, and touches nothing any more. */
  | { readonly op: "stopped" }
  /** The engine has ended, in the middle of whatever it did. */
  | { readonly op: "failed"; readonly reason: string }
  | { readonly op: "detached"; readonly slot: number }
  /** The guest's OPEN. The engine has released whatever the stream had open before. */
  | { readonly op: "open"; readonly slot: number; readonly open: OpenRequest }
  /** The guest's CLOSE. The engine has let go of buffer and device. */
  | { readonly op: "close"; readonly slot: number }
  /** The guest's HW_PARAM_QUERY, for which a refiner is needed. */
  | { readonly op: "query"; readonly slot: number }
  /** The loan has ended, though neither OPEN nor CLOSE was left to the main thread. */
  | { readonly op: "forgotten"; readonly slot: number }
  /** The device has failed. The engine has let go of it, and plays into a stand-in. */
  | { readonly op: "lost"; readonly slot: number; readonly errno: number }
  /** The device stands still without an error: a stand-in plays in its place, and the device is kept. */
  | { readonly op: "stalled"; readonly slot: number }
  /** The device that has stood still moves, and has its place again. */
  | { readonly op: "moves"; readonly slot: number }
  /** The device and buffer of `opened` cannot be used. The OPEN waits for its answer. */
  | { readonly op: "openFailed"; readonly slot: number; readonly reason: string }
  /** What a former daemon had open cannot go on: nothing is open. */
  | { readonly op: "resumeFailed"; readonly slot: number; readonly reason: string }
  /** The command with this ticket has been carried out. */
  | { readonly op: "done"; readonly ticket: number }
  /** The stream's frontend has broken the protocol. The stream is served no more. */
  | { readonly op: "broken"; readonly slot: number; readonly reason: string }
  /** The stream has thrown an exception, a defect of the engine's own. That stream is served no more, others are. */
  | { readonly op: "defect"; readonly slot: number; readonly reason: string }
  | { readonly op: "log"; readonly slot: number; readonly level: "warn" | "error"; readonly text: string };
