// SPDX-License-Identifier: MIT
/** What a playing or recording session is asked to do and what it tells, in a form that travels between threads. */
import type { EventIdBehaviour } from "../sndif/mod.ts";
import type { Percentiles } from "../base/percentiles.ts";
import type { ReplayReport, ReplayStep } from "./replayer.ts";

/** A stream as a session needs it: already resolved to numbers. */
export interface SessionStream {
  /** `domU/0/0/0`, for messages. */
  readonly name: string;
  readonly domain: string;
  readonly domid: number;
  readonly card: number;
  readonly pcm: number;
  readonly stream: number;
}

export interface SessionFile {
  readonly path: string;
  /** For a file of samples without a header: what they are. */
  readonly raw?: { readonly format: string; readonly rate: number; readonly channels: number };
}

export interface SessionOptions {
  readonly kind: "play" | "record";
  readonly file: SessionFile;
  readonly stream: SessionStream;
  /** The directory of an embedded Xen; by default what `XSND_SANDBOX` says, else the real Xen. */
  readonly sandbox?: string;
  /** How the frontend treats event ids; by default as `snd_xen_front` does. */
  readonly behaviour?: EventIdBehaviour;
  /** Wishes, in frames. */
  readonly bufferFrames?: number;
  readonly periodFrames?: number;
  /** Record: what to record, and for how long. */
  readonly record?: {
    readonly format: string;
    readonly rate: number;
    readonly channels: number;
    readonly seconds: number;
  };
  /** Whether to measure the ping-pong baseline too. */
  readonly baseline?: boolean;
}

/** A session that sends what another one was seen to send. */
export interface ReplayOptions {
  readonly kind: "replay";
  readonly stream: SessionStream;
  readonly behaviour: EventIdBehaviour;
  readonly steps: readonly ReplayStep[];
  /** How many times as fast as recorded. */
  readonly speed: number;
}

/** How far a session is. */
export interface SessionProgress {
  readonly frames: number;
  readonly totalFrames: number | undefined;
  readonly rate: number;
}

/** What a session came to. */
export interface SessionReport {
  readonly frames: number;
  readonly rate: number;
  readonly channels: number;
  readonly format: string;
  readonly bufferFrames: number;
  readonly periodFrames: number;
  /** XENSND_EVT_CUR_POS taken, and passed over because of their id. */
  readonly events: number;
  readonly droppedEvents: number;
  /** Wake-ups for a period. */
  readonly periods: number;
  readonly xruns: number;
  /** The largest difference, in frames, between a position as told and what this machine's clock says it should be. */
  readonly maxPositionErrorFrames: number;
  /** Round trips of WRITE (READ), in µs. */
  readonly writeRttMicros: Percentiles;
  /** An eventfd ping-pong between two threads of this process, in µs. */
  readonly pingPongMicros?: Percentiles;
  /** From START to the last sample played. */
  readonly seconds: number;
}

export interface SessionStart {
  readonly options: SessionOptions | ReplayOptions;
  /** An eventfd that becomes readable when the session is to be given up. */
  readonly stopFd: number;
}

/** Is told what happens in a session. */
export interface SessionListener {
  /** A few times a second. */
  progress(progress: SessionProgress): void;
  /** A fault of the file that is played, in a sentence. */
  warning(warning: string): void;
}

export type SessionMessage =
  | { readonly kind: "warning"; readonly warning: string }
  | { readonly kind: "progress"; readonly progress: SessionProgress }
  | { readonly kind: "report"; readonly report: SessionReport | ReplayReport }
  | { readonly kind: "failed"; readonly message: string; readonly exitCode: number | undefined };
