// SPDX-License-Identifier: MIT
/**
 * What commands and the daemon say to each other over the control socket: a UNIX stream socket, one JSON object a line, one
 * line back for each line sent. `watch` and `trace` are answered by as many as there are to tell.
 *
 * A client has one request at a time. Another line ends the one before it, as hanging up does: `watch` and `trace` end, and a
 * request that waits is given up, and is not carried out later. An empty line asks for nothing else. Requests that need not wait
 * are answered in their order. A client that asks for nothing at first is let go.
 */
import type { Counts } from "../bridge/stream_status.ts";
import { Exit, type ExitCode, XsndError } from "../base/error.ts";
import type { Percentiles } from "../base/percentiles.ts";
import { didYouMean } from "../base/suggest.ts";
import { isMeantBy, shortenedAs } from "../stream/stream_name.ts";
import { controlPath } from "../xen/embedded/layout.ts";
import { CONTROL_VARIABLE } from "../base/environment.ts";
import { SANDBOX_VARIABLE } from "../base/environment.ts";

/**
 * What one can wait for of a stream: that its guest has opened it; that it runs, and no operator holds it; that nobody has it
 * open.
 */
export const STREAM_GOALS = ["open", "running", "closed"] as const;
export type StreamGoal = typeof STREAM_GOALS[number];

export type ControlResponse<T = unknown> =
  | { readonly ok: true; readonly result: T }
  | { readonly ok: false; readonly error: string; readonly exitCode: ExitCode };

/**
 * What `status` tells of a stream. Counters are of all its guest's connections since the daemon serves its card; frames that
 * are no counters count from OPEN, and are there while it is connected.
 */
export interface StreamReport extends Counts {
  /** `domU/0/0/0`. */
  readonly stream: string;
  readonly domid: number;
  readonly type: "playback" | "capture";
  readonly device: string;
  /** Whether the guest gets silence in the device's place. */
  readonly denied: boolean;
  readonly uniqueId: string;
  /** Whether the guest records a device at this moment: neither denied, muted nor held, and with the card there. */
  readonly recording: boolean;
  /** detached, closed, opening, prepared, running or paused: as the guest wants it. */
  readonly state: string;
  /** none, paused or stopped: what an operator has imposed. */
  readonly hold: string;
  /** The operator's, in dB. */
  readonly volume: number;
  readonly muted: boolean;
  /** While the stream is connected: whether its card was lost, or is somebody else's, and silence is played until it can be had. */
  readonly cardLost?: boolean;
  /** From the card's interrupt to the event that tells the guest of it; of this connection, while there is one. */
  readonly eventDelayMicros?: Percentiles;
  /** From the engine's waking up for a request to its answer; of this connection, while there is one. */
  readonly requestMicros?: Percentiles;
  /** Whether the stream has an engine, and with it a thread, of its own, or shares one; none while its card is not ready. */
  readonly engine?: "shared" | "own";
  /** Processor time that its engine has taken, in seconds. */
  readonly engineCpuSeconds?: number;
  readonly [frames: string]: string | number | boolean | Percentiles | undefined;
}

/** What always moves while a stream is open. */
const MOVING: ReadonlySet<string> = new Set([
  "positionFrames",
  "guestFrames",
  "cardFrames",
  "movedFrames",
  "requests",
  "queries",
  "events",
  "periods",
  "eventDelayMicros",
  "requestMicros",
  "engineCpuSeconds",
]);

/** The report without what always moves: what is left changes for a reason. */
export function steadyPart(report: StreamReport): Partial<StreamReport> {
  return Object.fromEntries(Object.entries(report).filter(([name]) => !MOVING.has(name)));
}

/** Some records of a trace, as they stand in a file, in base64. */
export interface TraceChunk {
  readonly records: string;
}

export interface StatusReport {
  /** Of this shape. */
  readonly version: 2;
  readonly pid: number;
  /** Since the daemon was started. */
  readonly uptimeSeconds: number;
  /** Processor time that the daemon has taken, with all its engines. */
  readonly cpuSeconds: number;
  /** Of that, what the engine has taken that streams on the kernel's cards and on dummy cards share. */
  readonly sharedEngineCpuSeconds?: number;
  readonly residentBytes: number;
  readonly streams: readonly StreamReport[];
}

/** The daemon's own directory, outside of a sandbox. */
export const RUN_DIRECTORY = "/run/xsnd";

/** Where the daemon listens: `$XSND_CONTROL`, in a sandbox its directory, else {@link RUN_DIRECTORY}. */
export function controlSocketPath(): string {
  const explicit = Deno.env.get(CONTROL_VARIABLE);
  if (explicit) return explicit;
  const sandbox = Deno.env.get(SANDBOX_VARIABLE);
  return sandbox ? controlPath(sandbox) : `${RUN_DIRECTORY}/control.sock`;
}

/**
 * The one of `names` that the user means by `wanted`: `DOMAIN/CARD/PCM/STREAM`, of which trailing parts may be left out
 * while the rest is unambiguous. Throws {@link XsndError}.
 */
export function resolveStream(names: readonly string[], wanted: string): string {
  const matches = names.filter((name) => isMeantBy(name, wanted));
  if (matches.length === 1) return matches[0];
  const known = names.length === 0 ? "it serves none" : `it serves ${names.join(", ")}`;
  if (matches.length === 0) {
    const meant = didYouMean(wanted, names.map((name) => shortenedAs(name, wanted)));
    throw new XsndError(`the daemon serves no stream ${JSON.stringify(wanted)}${meant}; ${known}`);
  }
  throw new XsndError(
    `${JSON.stringify(wanted)} could be ${matches.join(" or ")}; say which stream`,
    Exit.usage,
  );
}
