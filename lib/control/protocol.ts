// SPDX-License-Identifier: MIT
/**
 * The control protocol: what a client and the daemon say to each other over a UNIX stream socket, one JSON object a line.
 * docs/control-protocol.md describes it for other clients, with tables of these types.
 *
 * A client has one request at a time. Another line ends the request before it, as hanging up does: `watch` and `trace` end, and
 * a request that still waits is given up, and never carried out. An empty line ends the request and asks for nothing. Requests
 * that need not wait are answered in their order. The daemon hangs up on a client whose first request does not come in time.
 */
import { Exit, type ExitCode, XsndError } from "../base/error.ts";
import type { Percentiles } from "../base/percentiles.ts";
import { didYouMean } from "../base/suggest.ts";
import type { LogLine } from "../log/log_tail.ts";
import { isMeantBy, type KnownStream, nameByNumber, shortenedAs } from "../stream/stream_name.ts";
import { controlPath } from "../xen/embedded/layout.ts";
import { CONTROL_VARIABLE, SANDBOX_VARIABLE } from "../base/environment.ts";
import type { Hold, OperatorTrigger, StreamState } from "../stream/stream_state.ts";
import type { TraceHead } from "../trace/trace_format.ts";

/**
 * The version of requests, responses and reports. A field may be added under the same version. A field that is removed, or
 * that changes its meaning, makes a new version. Every response says the daemon's version.
 */
export const CONTROL_VERSION = 2;

/** States that a client can wait for: the guest has opened the stream; it runs without a hold; nobody has it open. */
export const STREAM_GOALS = ["open", "running", "closed"] as const;
/** One of {@link STREAM_GOALS}. */
export type StreamGoal = typeof STREAM_GOALS[number];

/** Asks for a {@link StatusReport}. */
export interface StatusRequest {
  /** Names the request. */
  readonly command: "status";
}

/** Asks for a {@link StatusReport} at once, and for another whenever a stream's steady fields have changed. */
export interface WatchRequest {
  /** Names the request. */
  readonly command: "watch";
}

/**
 * Holds or releases a stream as soon as the daemon serves it, whether its guest has opened it or not. A hold stays in force until a
 * release. The response is the stream's {@link StreamReport}.
 */
export interface TriggerRequest {
  /** Names the request. */
  readonly command: "trigger";
  /** `DOMAIN/CARD/PCM/STREAM`; DOMAIN is a name or a number; trailing parts may be left out while one stream matches. */
  readonly stream: string;
  /** `pause` stops the device's pointer; `stop` also empties the device; `resume` and `start` release the stream. */
  readonly trigger: OperatorTrigger;
  /** How long the daemon may wait, in ms: 0 to 86 400 000, a day. */
  readonly waitMs: number;
}

/**
 * Sets the operator's volume and mute of a stream, as soon as the daemon serves it. A setting that is left out stays. The
 * response is the stream's {@link StreamReport}.
 */
export interface VolumeRequest {
  /** Names the request. */
  readonly command: "volume";
  /** `DOMAIN/CARD/PCM/STREAM`, as in `trigger`. */
  readonly stream: string;
  /** dB on top of the guest's own volume, -120 (silence) to 12. */
  readonly volume?: number;
  /** Whether the stream is silent. */
  readonly muted?: boolean;
  /**
   * After how many ms the mute ends by itself, 1 to 86 400 000 000: a thousand days. Only with `muted: true`. Without this field the
   * mute does not end.
   */
  readonly muteMs?: number;
  /** How long the daemon may wait, in ms: 0 to 86 400 000. */
  readonly waitMs: number;
}

/** Waits until a stream reaches a goal. The response is its {@link StreamReport}. */
export interface WaitRequest {
  /** Names the request. */
  readonly command: "wait";
  /** `DOMAIN/CARD/PCM/STREAM`, as in `trigger`. */
  readonly stream: string;
  /** `open`: the guest has opened the stream; `running`: it runs without a hold; `closed`: nobody has it open. */
  readonly goal: StreamGoal;
  /** How long the daemon may wait, in ms: 0 to 86 400 000. */
  readonly waitMs: number;
}

/**
 * Traces a stream, as soon as the daemon serves it: from now on, or what the daemon's flight recorder has. The first response is a
 * {@link TraceHead}, each that follows a {@link TraceChunk}.
 */
export interface TraceRequest {
  /** Names the request. */
  readonly command: "trace";
  /** `DOMAIN/CARD/PCM/STREAM`, as in `trigger`. */
  readonly stream: string;
  /**
   * Asks for the past instead: the records of this many seconds, up to the newest one. The flight recorder holds 16 384 records, some 30 s
   * of a stream with usual periods.
   */
  readonly lastSeconds?: number;
  /** How long the daemon may wait, in ms: 0 to 86 400 000. */
  readonly waitMs: number;
}

/**
 * Asks for the lines of the daemon's log that the daemon has kept: the newest ones, 1000 and 262 144 characters at most. Each response is
 * {@link LogLines}.
 */
export interface LogsRequest {
  /** Names the request. */
  readonly command: "logs";
  /** Whether lines that come later follow, as they come. */
  readonly follow: boolean;
}

/** A request: one JSON object a line. */
export type ControlRequest =
  | StatusRequest
  | WatchRequest
  | TriggerRequest
  | VolumeRequest
  | WaitRequest
  | TraceRequest
  | LogsRequest;

/** The `result` of a response, by the request's `command`. */
export interface ControlResults {
  /** Of {@link StatusRequest}. */
  readonly status: StatusReport;
  /** Of {@link WatchRequest}, again and again. */
  readonly watch: StatusReport;
  /** Of {@link TriggerRequest}. */
  readonly trigger: StreamReport;
  /** Of {@link VolumeRequest}. */
  readonly volume: StreamReport;
  /** Of {@link WaitRequest}. */
  readonly wait: StreamReport;
  /** Of {@link TraceRequest}: the head, then chunks. */
  readonly trace: TraceHead | TraceChunk;
  /** Of {@link LogsRequest}, again and again. */
  readonly logs: LogLines;
}

/** A response that carries a result. */
export interface ControlResult<T = unknown> {
  /** The daemon's version of the protocol. */
  readonly version: number;
  /** The request is done. */
  readonly ok: true;
  /** What the request asks for: see {@link ControlResults}. */
  readonly result: T;
}

/** A response that refuses a request. Its fields are the same in every version. */
export interface ControlFailure {
  /** The daemon's version of the protocol. Daemons of version 1 leave it out. */
  readonly version?: number;
  /** The request is refused. */
  readonly ok: false;
  /** A sentence for people. */
  readonly error: string;
  /** The exit code with which a command fails on this error. */
  readonly exitCode: ExitCode;
}

/** A response: one JSON object a line. */
export type ControlResponse<T = unknown> = ControlResult<T> | ControlFailure;

/** What `status` says of a stream. Counters count since the daemon serves the card, over all connections of the guest. */
export interface StreamReport {
  /** `DOMAIN/CARD/PCM/STREAM`, as commands take it. */
  readonly stream: string;
  /** The guest's number. */
  readonly domid: number;
  /** Playback: the guest plays; capture: the guest records. */
  readonly type: "playback" | "capture";
  /** The host's device: an ALSA PCM, or `dummy:[FILE]`. */
  readonly device: string;
  /** Whether the guest gets silence instead of the device. */
  readonly denied: boolean;
  /** The stream's name in the configuration. */
  readonly uniqueId: string;
  /** Whether the guest records a device at this moment. */
  readonly recording: boolean;
  /** The state that the guest wants. `detached`: no frontend is connected. */
  readonly state: StreamState;
  /** What an operator has imposed on the stream. */
  readonly hold: Hold;
  /** The operator's volume, in dB. */
  readonly volume: number;
  /** Whether an operator has muted the stream. */
  readonly muted: boolean;
  /** When the mute ends by itself, ISO 8601 in UTC. Missing if it does not, or if there is none. */
  readonly mutedUntil?: string;
  /** Whether the stream's thread serves other streams, too. Missing while the device is not ready. */
  readonly engine?: "shared" | "own";
  /** Processor time of this thread, in seconds. */
  readonly engineCpuSeconds?: number;
  /** Whether the device is lost or busy or stands still, and the guest gets silence. Missing while the stream is detached. */
  readonly cardLost?: boolean;
  /** Whether the device is there, and stands still: a sound server that hangs, for one. Missing while the stream is detached. */
  readonly cardStalled?: boolean;
  /** Hz; 0 before the first OPEN. Missing while the stream is detached, as all of the next nine. */
  readonly rate?: number;
  /** Samples in a frame; 0 before the first OPEN. */
  readonly channels?: number;
  /** The sample format's name in sndif.h, as `s16_le`. Missing before the first OPEN. */
  readonly format?: string;
  /** The guest's buffer, in frames. */
  readonly bufferFrames?: number;
  /** The guest's period, in frames; 0: the guest wants no events. */
  readonly periodFrames?: number;
  /** The device's buffer, in frames. */
  readonly cardBufferFrames?: number;
  /** The device's period, in frames. */
  readonly cardPeriodFrames?: number;
  /** The device's pointer, in frames since OPEN. */
  readonly positionFrames?: number;
  /** Frames that the guest has written or read since OPEN. */
  readonly guestFrames?: number;
  /** Frames that the device has been given, or has given, since OPEN. */
  readonly cardFrames?: number;
  /** Connections of the guest's frontend. */
  readonly connections: number;
  /** Frames by which the device's pointer has moved on while it ran. */
  readonly movedFrames: number;
  /** Frames that the guest has written or read. */
  readonly transferredFrames: number;
  /** Frames of sound that the device has played or recorded. */
  readonly heardFrames: number;
  /** Frames of sound that a stand-in took, or of silence that it gave: the device was busy, lost, or being changed. */
  readonly standInFrames: number;
  /** The same, while the stream was denied. */
  readonly deniedFrames: number;
  /** Frames of silence in the place of sound: the guest's samples were not there, or the device has overwritten its own. */
  readonly silenceFrames: number;
  /** Of this silence, the frames that the host caused. */
  readonly hostSilenceFrames: number;
  /** Frames that waited to be played or read when the guest stopped or closed the stream, or went. */
  readonly discardedFrames: number;
  /** Requests that were served. */
  readonly requests: number;
  /** Of the requests, the HW_PARAM_QUERY that the engine has answered. */
  readonly queries: number;
  /** Positions that the guest was told. */
  readonly events: number;
  /** Periods that have passed. */
  readonly periods: number;
  /** Xruns: the device ran dry (playback) or over (capture). */
  readonly xruns: number;
  /** Of the xruns, those that the host caused. */
  readonly hostXruns: number;
  /** Sound that finished xruns have cost, in seconds. */
  readonly xrunSeconds: number;
  /** Frames that were not heard: written after the device had passed them, or not read in time. */
  readonly lateFrames: number;
  /** Requests that were refused, and breaches of the ring's rules. */
  readonly protocolErrors: number;
  /** Times that the device was started, or went on, for the guest. */
  readonly starts: number;
  /** Times that the device went away. */
  readonly losses: number;
  /** Times that the device stood still for the length of the guest's buffer. */
  readonly stalls: number;
  /** From the device's interrupt to the event that tells the guest, in µs; of this connection. */
  readonly eventDelayMicros?: Percentiles;
  /** From the engine's wake-up for a request to its response, in µs; of this connection. */
  readonly requestMicros?: Percentiles;
}

/** What `status` says of the daemon. */
export interface StatusReport {
  /** The version of this shape: {@link CONTROL_VERSION}. */
  readonly version: typeof CONTROL_VERSION;
  /** The daemon's process. */
  readonly pid: number;
  /** Since the daemon's start. */
  readonly uptimeSeconds: number;
  /** Processor time of the daemon, with all its engines. */
  readonly cpuSeconds: number;
  /** Of this time, the part of the engine that streams on kernel and dummy devices share. Missing without such an engine. */
  readonly sharedEngineCpuSeconds?: number;
  /** Memory of the daemon that is resident. */
  readonly residentBytes: number;
  /** All streams that the daemon serves. */
  readonly streams: readonly StreamReport[];
  /** The guests whose cards the daemon makes. Missing without `--config`, and with `--no-provision`. */
  readonly declared?: DeclaredReport;
}

/** What a daemon says of the guests whose cards it makes. */
export interface DeclaredReport {
  /** The configuration's file. */
  readonly file: string;
  /** All guests of the configuration whose cards the daemon serves. */
  readonly guests: readonly DeclaredGuest[];
}

/** A guest that the configuration declares. */
export interface DeclaredGuest {
  /** The guest's name or number in the configuration. */
  readonly domain: string;
  /** The number of the domain that has the name. Missing if the guest does not run. */
  readonly domid?: number;
  /** Why the guest has not the cards that are declared. Missing if it has them. */
  readonly problem?: string;
}

/** Records of a trace. */
export interface TraceChunk {
  /** Records as a trace file has them, in base64. */
  readonly records: string;
}

/** Lines of the daemon's log, in their order. */
export interface LogLines {
  /** Each with its time, level, subject and message. */
  readonly lines: readonly LogLine[];
  /** Whether further lines of those that the daemon has kept follow at once. */
  readonly more: boolean;
  /** How many lines before these the client was too slow for. Missing if none. */
  readonly lost?: number;
}

/** Fields that move all the time while a stream is open. */
const MOVING = [
  "positionFrames",
  "guestFrames",
  "cardFrames",
  "movedFrames",
  "transferredFrames",
  "heardFrames",
  "standInFrames",
  "deniedFrames",
  "silenceFrames",
  "hostSilenceFrames",
  "requests",
  "queries",
  "events",
  "periods",
  "eventDelayMicros",
  "requestMicros",
  "engineCpuSeconds",
] as const satisfies readonly (keyof StreamReport)[];

/** The fields of a report that change for a reason: without those that move all the time while a stream is open. */
export function steadyPart(report: StreamReport): Omit<StreamReport, typeof MOVING[number]> {
  const steady: { -readonly [K in keyof StreamReport]?: StreamReport[K] } = { ...report };
  for (const name of MOVING) delete steady[name];
  return steady as Omit<StreamReport, typeof MOVING[number]>;
}

/** The daemon's own directory outside of a sandbox. */
export const RUN_DIRECTORY = "/run/xsnd";

/** Where the daemon listens: `$XSND_CONTROL`; in a sandbox `control.sock` in its directory; otherwise in {@link RUN_DIRECTORY}. */
export function controlSocketPath(): string {
  const explicit = Deno.env.get(CONTROL_VARIABLE);
  if (explicit) return explicit;
  const sandbox = Deno.env.get(SANDBOX_VARIABLE);
  return sandbox ? controlPath(sandbox) : `${RUN_DIRECTORY}/control.sock`;
}

/** The error for a name that means none of `streams`, which the daemon serves. */
export function noSuchStream(streams: readonly KnownStream[], wanted: string): XsndError {
  const names = streams.map(({ stream }) => stream);
  const known = names.length === 0 ? "it serves none" : `it serves ${names.join(", ")}`;
  const meant = didYouMean(wanted, names.map((name) => shortenedAs(name, wanted)));
  return new XsndError(`the daemon serves no stream ${JSON.stringify(wanted)}${meant}; ${known}`);
}

/**
 * The one of `streams` that `wanted` means: `DOMAIN/CARD/PCM/STREAM`, whose trailing parts may be left out while one stream matches.
 * Throws {@link XsndError} if none matches, or several.
 */
export function resolveStream<S extends KnownStream>(streams: readonly S[], wanted: string): S {
  const matches = streams.filter((stream) => isMeantBy(stream, wanted));
  const [match] = matches;
  if (match !== undefined && matches.length === 1) return match;
  if (match === undefined) throw noSuchStream(streams, wanted);
  const names = new Set(matches.map(({ stream }) => stream));
  // Two domains may have one name. Their numbers tell them apart.
  const candidates = names.size === matches.length ? [...names] : matches.map(nameByNumber);
  throw new XsndError(
    `${JSON.stringify(wanted)} could be ${candidates.join(" or ")}; say which stream`,
    Exit.usage,
  );
}
