// SPDX-License-Identifier: MIT
/** The commands of the control socket: status, watch, trigger, volume, wait, trace and logs. One function answers each. */
import { processCpuSeconds } from "../../ffi/libc/cpu_clock.ts";
import type { ControlRequest } from "../control/protocol.ts";
import {
  type LogLines,
  resolveStream,
  type StatusReport,
  steadyPart,
  type StreamGoal,
  type StreamReport,
  type TraceChunk,
} from "../control/protocol.ts";
import { Exit, XsndError } from "../base/error.ts";
import { pause } from "../base/signals.ts";
import type { LogTail } from "../log/log_tail.ts";
import type { TraceHead } from "../trace/trace_format.ts";
import { isMeantBy } from "../stream/stream_name.ts";
import { isStoreLost } from "../xen/ports.ts";
import type { Backend } from "./backend.ts";
import type { DeclaredCards } from "./declared_cards.ts";
import { inTime } from "./engines/engine_client.ts";
import type { StreamControl } from "./stream/stream_control.ts";
import { reportStream } from "./stream/stream_report.ts";

/** How often `watch` looks at the streams. */
const WATCH_MS = 100;

/** Lines of the log in one response, which is far shorter than the protocol allows. */
const LOG_LINES = 20;

/** What the commands are about. */
export interface Commanded {
  readonly backend: Backend;
  /** The cards that the daemon makes. */
  readonly declared?: DeclaredCards;
  /** The last lines of the daemon's log. */
  readonly log?: LogTail;
}

/**
 * Answers a client's request. `gone` is aborted when the client is gone. Throws {@link XsndError}, which is the answer then.
 */
export async function answerCommand(
  commanded: Commanded,
  request: ControlRequest,
  gone: AbortSignal,
): Promise<unknown> {
  const { backend } = commanded;
  switch (request.command) {
    case "status":
      return status(commanded);
    case "watch":
      return watch(commanded, gone);
    case "trigger":
      return await trigger(backend, request, gone);
    case "volume":
      return await volume(backend, request, gone);
    case "wait":
      return await waitFor(backend, request, gone);
    case "trace":
      return await trace(backend, request, gone);
    case "logs":
      return logs(commanded, request, gone);
  }
}

function status({ backend, declared }: Commanded): StatusReport {
  return {
    version: 2,
    pid: Deno.pid,
    uptimeSeconds: performance.now() / 1000,
    cpuSeconds: processCpuSeconds(),
    sharedEngineCpuSeconds: backend.sharedEngineCpuSeconds,
    residentBytes: Deno.memoryUsage().rss,
    streams: backend.streams.map(reportStream),
    ...(declared !== undefined && { declared: declared.report }),
  };
}

/**
 * The status, at once and after each change. An engine announces changes of state, but writes counters to memory without a word. So
 * the daemon polls while somebody watches; a change that is undone between two polls goes unseen.
 */
async function* watch(commanded: Commanded, gone: AbortSignal): AsyncGenerator<StatusReport> {
  let told: string | undefined;
  while (!gone.aborted) {
    const report = status(commanded);
    const steady = JSON.stringify(report.streams.map(steadyPart));
    if (steady !== told) yield report;
    told = steady;
    await pause(WATCH_MS, gone).catch(() => {});
  }
}

/** Sets volume and mute for good, as soon as the stream is served. */
async function volume(
  backend: Backend,
  { stream: wanted, volume, muted, muteMs, waitMs }: ControlRequest & { command: "volume" },
  gone: AbortSignal,
): Promise<StreamReport> {
  const stream = await streamWhen(backend, wanted, waitMs, gone, () => true, () => "");
  const changes = {
    // Not -0, which is another number to whoever compares.
    ...(volume !== undefined && { volume: Math.round(volume * 1000) + 0 }),
    ...(muted !== undefined && { muted }),
  };
  if (Object.keys(changes).length > 0) await keeping(stream, () => stream.operator.set(changes, muteMs));
  return reportStream(stream);
}

/** Carries out `set`, which keeps a setting in XenStore. While XenStore is away, throws XsndError: no setting changes that is not kept. */
async function keeping(stream: StreamControl, set: () => void | Promise<void>): Promise<void> {
  try {
    await set();
  } catch (error) {
    if (!isStoreLost(error)) throw error;
    throw new XsndError(
      `nothing of ${stream.name} is changed: XenStore, which is to keep it, is away (${error.code}); ` +
        "the daemon goes on looking for it, try again when `xsnd list` answers",
    );
  }
}

type Snapshot = ReturnType<StreamControl["counters"]["snapshot"]>;

const NOT_SERVED =
  "the daemon does not serve it: its guest is gone, or its card could not be had; see its log";

/** Triggers a stream as soon as the stream is served, whether its guest has opened the stream or not. */
async function trigger(
  backend: Backend,
  { stream: wanted, trigger, waitMs }: ControlRequest & { command: "trigger" },
  gone: AbortSignal,
): Promise<StreamReport> {
  const stream = await streamWhen(
    backend,
    wanted,
    waitMs,
    gone,
    (stream) => !stream.isGivenUp,
    (stream) => `cannot ${trigger} ${stream.name}: ${NOT_SERVED}`,
  );
  if (await inTime(keeping(stream, () => stream.operator.trigger(trigger)))) return reportStream(stream);
  throw new XsndError(
    `${trigger} holds for ${stream.name}, but its device ${stream.policy.device} has not obeyed yet; see the log`,
    Exit.timedOut,
  );
}

const HAS_REACHED: Readonly<Record<StreamGoal, (snapshot: Snapshot) => boolean>> = {
  open: ({ state }) => state === "prepared" || state === "running" || state === "paused",
  running: ({ state, hold }) => state === "running" && hold === "none",
  closed: ({ state }) => state === "closed" || state === "detached",
};

/** Answers when the stream has reached the goal. The stream need not be provisioned yet. */
async function waitFor(
  backend: Backend,
  { stream: wanted, goal, waitMs }: ControlRequest & { command: "wait" },
  gone: AbortSignal,
): Promise<StreamReport> {
  const describe = (stream: StreamControl) => {
    const { state, hold } = stream.counters.snapshot();
    return `${stream.name} is ${state}${hold === "none" ? "" : `, ${hold} by the operator`}, and not ${goal}`;
  };
  const hasReached = HAS_REACHED[goal];
  return reportStream(
    await streamWhen(
      backend,
      wanted,
      waitMs,
      gone,
      (stream) => hasReached(stream.counters.snapshot()),
      describe,
    ),
  );
}

/** Everything that passes on the stream's rings from now on, or has passed within the last seconds. */
async function trace(
  backend: Backend,
  { stream: wanted, lastSeconds, waitMs }: ControlRequest & { command: "trace" },
  gone: AbortSignal,
): Promise<AsyncIterable<TraceHead | TraceChunk>> {
  const stream = await streamWhen(
    backend,
    wanted,
    waitMs,
    gone,
    (stream) => !stream.isGivenUp,
    (stream) => `cannot trace ${stream.name}: ${NOT_SERVED}`,
  );
  const { lastTrace, traceStream } = await import("./trace_source.ts");
  return lastSeconds === undefined ? traceStream(stream, gone) : lastTrace(stream, lastSeconds);
}

/** The lines of the log that are kept, and, if asked to follow, those that come. */
async function* logs(
  { log }: Commanded,
  { follow }: ControlRequest & { command: "logs" },
  gone: AbortSignal,
): AsyncGenerator<LogLines> {
  if (log === undefined) {
    throw new XsndError("the daemon is part of another program, and keeps no lines of its log");
  }
  let told = 0;
  for (let isFirst = true; !gone.aborted; isFirst = false) {
    const lines = log.after(told);
    const lost = isFirst ? 0 : log.count - told - lines.length;
    told = log.count;
    // The first look always has an answer.
    for (let at = 0; at < lines.length || isFirst && at === 0; at += LOG_LINES) {
      const part = { lines: lines.slice(at, at + LOG_LINES), more: at + LOG_LINES < lines.length };
      yield at === 0 && lost > 0 ? { ...part, lost } : part;
    }
    if (!follow) return;
    await pause(WATCH_MS, gone).catch(() => {});
  }
}

/**
 * The stream, as soon as it is served and `isReady`. Throws {@link XsndError} when `waitMs` have passed, with the text of `why`, and
 * as soon as the client is gone: a client that has gone changes no stream.
 */
async function streamWhen(
  backend: Backend,
  wanted: string,
  waitMs: number,
  gone: AbortSignal,
  isReady: (stream: StreamControl) => boolean,
  why: (stream: StreamControl) => string,
): Promise<StreamControl> {
  const look = () => {
    const stream = findStream(backend, wanted, false);
    return stream !== undefined && isReady(stream) ? stream : undefined;
  };
  const found = await backend.changes.until(look, waitMs, gone);
  if (found !== undefined) return found;
  if (gone.aborted) throw new XsndError("the request was given up before it could be done", Exit.interrupted);
  const stream = findStream(backend, wanted, true)!;
  throw new XsndError(`${why(stream)} (waited ${waitMs / 1000} s)`, Exit.timedOut);
}

/** The stream; undefined if none has that name yet. At the `last` look that throws, as an ambiguous name always does. */
function findStream(backend: Backend, wanted: string, last: boolean): StreamControl | undefined {
  const served = backend.streams.map((control) => ({ stream: control.name, domid: control.domid, control }));
  const meant = served.filter((stream) => isMeantBy(stream, wanted));
  if (!last && meant.length === 0) return undefined;
  // A domain that has gone may have left its card, and another domain has its name.
  const living = meant.filter(({ control }) => !control.isGivenUp);
  return resolveStream(living.length > 0 ? living : served, wanted).control;
}
