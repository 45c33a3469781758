// SPDX-License-Identifier: MIT
/** What belongs to a guest's connection of one stream and outlives its OPENs, for the parts of the engine that share it. */
import type { EngineEvent } from "../bridge/messages.ts";
import type { KeptStream } from "../bridge/kept_stream.ts";
import type { StatusRow } from "../bridge/stream_status.ts";
import type { EventPageProducer } from "../sndif/mod.ts";
import type { EventChannels } from "../xen/ports.ts";
import type { Queries } from "./queries.ts";
import type { StreamTrace } from "./stream_trace.ts";

/** What a stream needs of the engine around it. */
export interface EngineServices {
  readonly channels: EventChannels;
  /** Sends `event` to the main thread. */
  post(event: EngineEvent): void;
  /** The set of file descriptors to poll has changed. */
  pollSetChanged(): void;
}

/** One stream's connection. */
export interface Connection {
  readonly slot: number;
  /** Local ports of event-channel and evt-event-channel. */
  readonly requestPort: number;
  readonly eventPort: number;
  readonly direction: "playback" | "capture";
  readonly events: EventPageProducer;
  readonly queries: Queries;
  readonly status: StatusRow;
  /** What the next daemon goes on by. */
  readonly kept: KeptStream;
  readonly trace: StreamTrace;
  readonly services: EngineServices;
}
