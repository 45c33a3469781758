/** What the main thread and the engine tell each other through their two mailboxes: all that is rare. */
import type { PcmDescriptor } from "../pcm/descriptor.ts";
import type { HwParam, OpenRequest } from "../sndif/mod.ts";
import type { EventChannelsShare } from "../xen/ports.ts";
import type { OperatorSettings } from "./operator_settings.ts";
import type { Hold, OperatorTrigger } from "./stream_state.ts";

/** Addresses travel as decimal strings: JSON has no 64-bit integers. */
export type Address = string;

/** What a freshly started engine is told by `postMessage`, before it first blocks. */
export interface EngineStart {
  readonly toEngine: SharedArrayBuffer;
  readonly toMain: SharedArrayBuffer;
  readonly status: SharedArrayBuffer;
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
    readonly direction: "playback" | "capture";
    readonly ring: Address;
    readonly eventPage: Address;
    /** Local ports of event-channel and evt-event-channel. */
    readonly requestPort: number;
    readonly eventPort: number;
    /** What an operator has imposed, which outlives the connection. */
    readonly hold: Hold;
    readonly settings: OperatorSettings;
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
  }
  /** The answer to any other control request, or to an OPEN that failed. */
  | { readonly op: "respond"; readonly slot: number; readonly status: number; readonly hwParam?: HwParam }
  | {
    readonly op: "trigger";
    readonly slot: number;
    readonly trigger: OperatorTrigger;
    readonly ticket: number;
  }
  | { readonly op: "settings"; readonly slot: number; readonly settings: OperatorSettings }
  | { readonly op: "stop" };

/** What the engine passes on to the main thread. */
export type EngineEvent =
  /** It serves; `realtimeErrno`: why not in real time, though it was to. */
  | { readonly op: "ready"; readonly realtimeErrno: number }
  /** It has ended, in the middle of whatever it did. */
  | { readonly op: "failed"; readonly reason: string }
  | { readonly op: "detached"; readonly slot: number }
  /** The guest's OPEN; whatever the slot had open before is released already. */
  | { readonly op: "open"; readonly slot: number; readonly open: OpenRequest }
  /** The guest's CLOSE: the engine has let go of buffer and card. */
  | { readonly op: "close"; readonly slot: number }
  | { readonly op: "query"; readonly slot: number; readonly hwParam: HwParam }
  /** What `opened` brought is of no use; the OPEN is still to be answered. */
  | { readonly op: "openFailed"; readonly slot: number; readonly reason: string }
  | { readonly op: "triggered"; readonly ticket: number }
  /** The stream's frontend broke the protocol and is served no more; or its card failed. */
  | { readonly op: "broken"; readonly slot: number; readonly reason: string }
  | { readonly op: "log"; readonly slot: number; readonly level: "warn" | "error"; readonly text: string };
