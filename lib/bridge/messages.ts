// SPDX-License-Identifier: MIT
/** What the main thread and the engine tell each other through their two mailboxes: all that is rare. */
import type { PcmDescriptor } from "../pcm/descriptor.ts";
import type { RefinerDescriptor } from "../pcm/refiner.ts";
import type { OpenRequest } from "../sndif/mod.ts";
import type { StreamParams } from "../vsnd/model/card.ts";
import type { EventChannelsShare } from "../xen/ports.ts";
import type { OperatorSettings } from "../stream/operator_settings.ts";
import type { Hold } from "../stream/stream_state.ts";

/** Addresses travel as decimal strings: JSON has no 64-bit integers. */
export type Address = string;

/** What a freshly started engine is told by `postMessage`, before it first blocks. */
export interface EngineStart {
  readonly toEngine: SharedArrayBuffer;
  readonly toMain: SharedArrayBuffer;
  readonly status: SharedArrayBuffer;
  /** Of `Changes`: counts changes of a stream's state. */
  readonly changes: SharedArrayBuffer;
  /** The eventfd that wakes the engine after something was put in `toEngine`. */
  readonly wakeFd: number;
  readonly channels: EventChannelsShare;
  readonly realtime: boolean;
}

/** A command to the engine; `slot` is the stream's row in the status table. */
export type EngineCommand =
  | {
    readonly op: "attach";
    readonly slot: number;
    /** The guest's, whose streams share what they may take of the engine's time. */
    readonly domid: number;
    readonly direction: "playback" | "capture";
    /** What the host allows. */
    readonly allowed: StreamParams;
    readonly ring: Address;
    readonly eventPage: Address;
    /** Local ports of event-channel and evt-event-channel. */
    readonly requestPort: number;
    readonly eventPort: number;
    /** Requests and MB of sound that are served a second, in the long run: see `GuestBudget`. */
    readonly requests: number;
    readonly moved: number;
    /** What an operator has imposed, which outlives the connection. */
    readonly hold: Hold;
    readonly settings: OperatorSettings;
    /** Where to write what passes, as in `trace`. */
    readonly trace: Address | null;
  }
  | { readonly op: "detach"; readonly slot: number }
  | {
    /** The answer to an OPEN that succeeded. */
    readonly op: "opened";
    readonly slot: number;
    readonly buffer: Address;
    readonly mappedBytes: number;
    readonly open: OpenRequest;
    readonly pcm: PcmDescriptor;
    /** Whether that is silence in the place of a card that is somebody else's. */
    readonly isStandIn: boolean;
  }
  /** The answer to CLOSE, or to another request that failed. */
  | { readonly op: "respond"; readonly slot: number; readonly status: number }
  /**
   * What to ask about the card's parameters: the engine answers the query that waits for it, and those that follow, until
   * it passes OPEN or CLOSE on, or is told to `forget` what it was lent under that number.
   */
  | {
    readonly op: "refiner";
    readonly slot: number;
    readonly refiner: RefinerDescriptor;
    readonly loan: number;
  }
  | { readonly op: "forget"; readonly slot: number; readonly loan: number }
  /** The stream is to use its card no more, and to go on in silence until `replaced`. */
  | { readonly op: "giveBackDevice"; readonly slot: number; readonly ticket: number }
  /** The card that was lost, or somebody else's, can be had. */
  | { readonly op: "replaced"; readonly slot: number; readonly pcm: PcmDescriptor }
  | { readonly op: "hold"; readonly slot: number; readonly hold: Hold; readonly ticket: number }
  /** From now on what passes is written to the `TraceReader` at that address, and to none before; null: to none at all. */
  | { readonly op: "trace"; readonly slot: number; readonly ring: Address | null; readonly ticket: number }
  | { readonly op: "settings"; readonly slot: number; readonly settings: OperatorSettings }
  /** Is it alive? */
  | { readonly op: "ping"; readonly ticket: number }
  | { readonly op: "stop" };

/** A command about a stream that is attached. */
export type StreamCommand = Exclude<EngineCommand, { op: "attach" | "detach" | "ping" | "stop" }>;

/** What the engine passes on to the main thread. */
export type EngineEvent =
  /** It serves; `realtimeErrno`: why not in real time, though it was to. */
  | { readonly op: "ready"; readonly realtimeErrno: number; readonly threadId: number }
  /** It has stopped, and touches nothing any more. */
  | { readonly op: "stopped" }
  /** It has ended, in the middle of whatever it did. */
  | { readonly op: "failed"; readonly reason: string }
  | { readonly op: "detached"; readonly slot: number }
  /** The guest's OPEN; whatever the slot had open before is released already. */
  | { readonly op: "open"; readonly slot: number; readonly open: OpenRequest }
  /** The guest's CLOSE: the engine has let go of buffer and card. */
  | { readonly op: "close"; readonly slot: number }
  /** The guest's HW_PARAM_QUERY, for which a refiner is needed. */
  | { readonly op: "query"; readonly slot: number }
  /** The refiner of this number is not used any more, though neither OPEN nor CLOSE was passed on. */
  | { readonly op: "forgotten"; readonly slot: number; readonly loan: number }
  /** The engine has let go of the card, which failed, and plays into a stand-in. */
  | { readonly op: "lost"; readonly slot: number; readonly errno: number }
  /** What `opened` brought is of no use; the OPEN is still to be answered. */
  | { readonly op: "openFailed"; readonly slot: number; readonly reason: string }
  /** The command with that ticket has been carried out. */
  | { readonly op: "done"; readonly ticket: number }
  /** The stream's frontend broke the protocol and is served no more. */
  | { readonly op: "broken"; readonly slot: number; readonly reason: string }
  /** The stream has thrown an exception, which is the engine's own defect: that stream is served no more, others are. */
  | { readonly op: "defect"; readonly slot: number; readonly reason: string }
  | { readonly op: "log"; readonly slot: number; readonly level: "warn" | "error"; readonly text: string };
