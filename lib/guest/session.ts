// SPDX-License-Identifier: MIT
/** What a playing or recording session is asked to do and what it tells, in a form that travels between threads. */
import type { EventIdBehaviour } from "../sndif/mod.ts";
import type { Percentiles } from "../base/percentiles.ts";
import type { ReplayReport, ReplayStep } from "./replayer.ts";

/** A stream as a session needs it: already resolved to numbers. */
export interface SessionStream {
  /** `domU/0/0/0`, for messages. */
  readonly name: string;
  /** The guest's name, for messages. */
  readonly domain: string;
  /** The guest's number: the session acts as this domain. */
  readonly domid: number;
  /** The card's number in its guest. */
  readonly card: number;
  /** The PCM's number in its card. */
  readonly pcm: number;
  /** The stream's number in its PCM. */
  readonly stream: number;
}

/** A file that is played or recorded to. */
export interface SessionFile {
  /** A WAV file, or with `raw` a file of samples. */
  readonly path: string;
  /** For a file of samples without a header: what they are. */
  readonly raw?: { readonly format: string; readonly rate: number; readonly channels: number };
}

/** What a session plays or records. */
export interface SessionOptions {
  /** `play` reads the file, `record` writes it. */
  readonly kind: "play" | "record";
  /** The file. */
  readonly file: SessionFile;
  /** The stream. */
  readonly stream: SessionStream;
  /** The directory of an embedded Xen; by default what `XSND_SANDBOX` says, else the real Xen. */
  readonly sandbox?: string;
  /** How the frontend treats event ids; by default as `snd_xen_front` does. */
  readonly behaviour?: EventIdBehaviour;
  /** Wishes, in frames. */
  readonly bufferFrames?: number;
  /** The period to ask for, in frames; by default a quarter of the buffer. */
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
  /** Frames so far. */
  readonly frames: number;
  /** Frames in all, if their number is known. */
  readonly totalFrames: number | undefined;
  /** Hz. */
  readonly rate: number;
}

/** What a session came to. */
export interface SessionReport {
  /** Frames that were played or recorded. */
  readonly frames: number;
  /** Hz. */
  readonly rate: number;
  /** Samples in a frame. */
  readonly channels: number;
  /** The sample format's name in sndif.h, as `s16_le`. */
  readonly format: string;
  /** The guest's buffer, in frames. */
  readonly bufferFrames: number;
  /** The guest's period, in frames. */
  readonly periodFrames: number;
  /** XENSND_EVT_CUR_POS taken, and passed over because of their id. */
  readonly events: number;
  /** Position events that were dropped because of their id. */
  readonly droppedEvents: number;
  /** Wake-ups for a period. */
  readonly periods: number;
  /** Xruns that the guest's end has seen. */
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
