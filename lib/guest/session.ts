// SPDX-License-Identifier: MIT
/** The types of a guest's session: options, progress and report. They are structured-cloneable, to travel between threads. */
import type { EventIdBehaviour } from "../sndif/mod.ts";
import type { Percentiles } from "../base/percentiles.ts";
import type { ReplayReport, ReplayStep } from "./replayer.ts";

/** A stream by its numbers. */
export interface SessionStream {
  /** `DOMAIN/CARD/PCM/STREAM`, for messages. */
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
  /** Of a file without a header: what its samples are. */
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
  /** The buffer to ask for, in frames; by default half a second. */
  readonly bufferFrames?: number;
  /** The period to ask for, in frames; by default a quarter of the buffer. */
  readonly periodFrames?: number;
  /** `record`: what to record, and for how long. */
  readonly record?: {
    readonly format: string;
    readonly rate: number;
    readonly channels: number;
    readonly seconds: number;
  };
  /** Whether to measure the ping-pong baseline too. */
  readonly baseline?: boolean;
}

/** A session that sends the requests of a trace. */
export interface ReplayOptions {
  readonly kind: "replay";
  readonly stream: SessionStream;
  readonly behaviour: EventIdBehaviour;
  readonly steps: readonly ReplayStep[];
  /** The factor by which the session is faster than the trace. */
  readonly speed: number;
}

/** The progress of a session. */
export interface SessionProgress {
  /** Frames so far. */
  readonly frames: number;
  /** Frames in all, if their number is known. */
  readonly totalFrames: number | undefined;
  /** Hz. */
  readonly rate: number;
}

/** The measurements of a session. */
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
  /** Position events that were taken. */
  readonly events: number;
  /** Position events that were dropped because of their id. */
  readonly droppedEvents: number;
  /** Wake-ups for a period. */
  readonly periods: number;
  /** Xruns that the guest's end has seen. */
  readonly xruns: number;
  /** The largest distance, in frames, between a position and the one that this machine's clock expects. */
  readonly maxPositionErrorFrames: number;
  /** From one position to the next, in µs. */
  readonly positionGapMicros: Percentiles;
  /** Round trips of WRITE (READ), in µs. */
  readonly writeRttMicros: Percentiles;
  /** An eventfd ping-pong between two threads of this process, in µs. */
  readonly pingPongMicros?: Percentiles;
  /** From the first START to the last sample. */
  readonly seconds: number;
}

export interface SessionStart {
  /** One session, or several on streams of one card. */
  readonly options: readonly SessionOptions[] | ReplayOptions;
  /** An eventfd that becomes readable when the session shall end. */
  readonly stopFd: number;
}

/** Hears of the progress and the warnings of a session. */
export interface SessionListener {
  /** Called a few times a second. */
  progress(progress: SessionProgress): void;
  /** Called with a fault of the file, in a sentence. */
  warning(warning: string): void;
}

export type SessionMessage =
  | { readonly kind: "warning"; readonly warning: string }
  | { readonly kind: "progress"; readonly progress: SessionProgress }
  | { readonly kind: "report"; readonly report: readonly SessionReport[] | ReplayReport }
  | { readonly kind: "failed"; readonly message: string; readonly exitCode: number | undefined };
