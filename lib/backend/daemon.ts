/** The daemon: a backend, and the control socket by which operators reach it. */
import { processCpuSeconds } from "../../ffi/cpu_clock.ts";
import { ControlServer } from "../control/server.ts";
import {
  type ControlRequest,
  resolveStream,
  type StatusReport,
  steadyPart,
  STREAM_GOALS,
  type StreamGoal,
  type StreamReport,
  type TraceChunk,
} from "../control/protocol.ts";
import { Exit, XsndError } from "../error.ts";
import type { TraceHead } from "../trace/format.ts";
import { isStoreLost, type Xen } from "../xen/ports.ts";
import { Announcement } from "./announcement.ts";
import { Backend, type BackendOptions } from "./backend.ts";
import { isVolume } from "./operator_settings.ts";
import type { StreamHost } from "./stream_host.ts";
import { OPERATOR_TRIGGERS } from "./stream_state.ts";
import { MAX_VOLUME, MIN_VOLUME } from "./volume.ts";

/** How often a request that waits for a stream looks at it again. */
const LOOK_MS = 10;

/** How often the streams are looked at for who watches them. */
const WATCH_MS = 100;

export interface DaemonOptions extends BackendOptions {
  readonly controlSocket: string;
  /** Whose members may use the control socket, besides this user. */
  readonly controlGroup?: string;
}

export class Daemon implements AsyncDisposable {
  private constructor(
    readonly backend: Backend,
    private readonly control: ControlServer,
    private readonly announcement: Announcement,
  ) {}

  /** Throws {@link XsndError} if another daemon is running or what it needs is missing; nothing is left behind then. */
  static async start(xen: Xen, options: DaemonOptions): Promise<Daemon> {
    await using stack = new AsyncDisposableStack();
    // The socket first: a second daemon must not touch the first one's cards.
    const control = stack.use(await ControlServer.listen(options.controlSocket, options.controlGroup));
    const announcement = new Announcement(xen.store, xen.domid);
    const backend = stack.use(await Backend.start(xen, options));
    announcement.make();
    control.serve((request, gone) => handle(backend, request, gone));
    stack.move();
    return new Daemon(backend, control, announcement);
  }

  /** Rejects when the daemon cannot go on. */
  get failed(): Promise<never> {
    return this.backend.failed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.control[Symbol.dispose]();
    this.announcement[Symbol.dispose]();
    await this.backend[Symbol.asyncDispose]();
  }
}

async function handle(backend: Backend, request: ControlRequest, gone: AbortSignal): Promise<unknown> {
  switch (request.command) {
    case "status":
      return status(backend);
    case "watch":
      return watch(backend, gone);
    case "trigger":
      return await trigger(backend, request);
    case "volume":
      return await volume(backend, request);
    case "wait":
      return await waitFor(backend, request);
    case "trace":
      return await trace(backend, request, gone);
    default:
      throw new XsndError(
        `the daemon knows no ${JSON.stringify((request as { command: unknown }).command)}`,
        Exit.usage,
      );
  }
}

function status(backend: Backend): StatusReport {
  return {
    version: 1,
    pid: Deno.pid,
    uptimeSeconds: performance.now() / 1000,
    cpuSeconds: processCpuSeconds(),
    sharedEngineCpuSeconds: backend.sharedEngineCpuSeconds,
    residentBytes: Deno.memoryUsage().rss,
    streams: backend.streams.map(reportStream),
  };
}

/**
 * The status, at once and after each change. The engines write it to memory without a word, so it is looked at, as long as
 * somebody watches; what has come and gone between two looks is not told.
 */
async function* watch(backend: Backend, gone: AbortSignal): AsyncGenerator<StatusReport> {
  let told: string | undefined;
  while (!gone.aborted) {
    const report = status(backend);
    const steady = JSON.stringify(report.streams.map(steadyPart));
    if (steady !== told) yield report;
    told = steady;
    await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
  }
}

/** What the daemon tells of a stream. */
export function reportStream(stream: StreamHost): StreamReport {
  const { type, device, denied = false, uniqueId } = stream.policy;
  const { volume, muted } = stream.settings;
  const names = { stream: stream.name, domid: stream.domid, type, device, denied, uniqueId };
  return { ...names, volume: volume / 1000, muted, ...stream.engineUse, ...stream.snapshot() };
}

/** Sets what the operator wants to hold for good, as soon as the stream is served. */
async function volume(
  backend: Backend,
  { stream: wanted, volume, muted, waitMs }: ControlRequest & { command: "volume" },
): Promise<StreamReport> {
  const steps = volume === undefined ? undefined : Math.round(volume * 1000);
  if (typeof wanted !== "string" || steps !== undefined && !isVolume(steps)) {
    throw new XsndError(
      `a volume is from ${MIN_VOLUME / 1000} to ${MAX_VOLUME / 1000} dB, of a stream`,
      Exit.usage,
    );
  }
  const stream = await streamWhen(backend, wanted, waitMs, () => true, () => "");
  keeping(stream, () =>
    stream.set({
      ...(steps === undefined ? {} : { volume: steps }),
      ...(muted === undefined ? {} : { muted: muted === true }),
    }));
  return reportStream(stream);
}

/** What an operator sets holds for good, or not at all: while XenStore is away nothing can be kept. */
function keeping<T>(stream: StreamHost, set: () => T): T {
  try {
    return set();
  } catch (error) {
    if (!isStoreLost(error)) throw error;
    throw new XsndError(
      `nothing of ${stream.name} is changed: XenStore, which is to keep it, is away (${error.code}); ` +
        "the daemon goes on looking for it, try again when `xsnd list` answers",
    );
  }
}

/** An operator's trigger waits until there is something to trigger: a stream that its guest has started. */
async function trigger(
  backend: Backend,
  { stream: wanted, trigger, waitMs }: ControlRequest & { command: "trigger" },
): Promise<StreamReport> {
  if (!OPERATOR_TRIGGERS.includes(trigger) || typeof wanted !== "string") {
    throw new XsndError(`a trigger is one of ${OPERATOR_TRIGGERS.join(", ")}, on a stream`, Exit.usage);
  }
  const isStarted = ({ state, hold }: ReturnType<StreamHost["snapshot"]>) =>
    state === "running" || state === "paused" || hold !== "none";
  const stream = await streamWhen(
    backend,
    wanted,
    waitMs,
    (stream) => isStarted(stream.snapshot()),
    (stream) =>
      `cannot ${trigger} ${stream.name}: it is ${stream.snapshot().state}, and its guest has not started it`,
  );
  await keeping(stream, () => stream.trigger(trigger));
  return reportStream(stream);
}

type Snapshot = ReturnType<StreamHost["snapshot"]>;

const HAS_REACHED: Readonly<Record<StreamGoal, (snapshot: Snapshot) => boolean>> = {
  open: ({ state }) => state === "prepared" || state === "running" || state === "paused",
  running: ({ state, hold }) => state === "running" && hold === "none",
  closed: ({ state }) => state === "closed" || state === "detached",
};

/** Answers when the stream is as is wanted, though nobody may have provisioned it yet. */
async function waitFor(
  backend: Backend,
  { stream: wanted, goal, waitMs }: ControlRequest & { command: "wait" },
): Promise<StreamReport> {
  if (!STREAM_GOALS.includes(goal) || typeof wanted !== "string") {
    throw new XsndError(`one waits for ${STREAM_GOALS.join(", ")}, of a stream`, Exit.usage);
  }
  const describe = (stream: StreamHost) => {
    const { state, hold } = stream.snapshot();
    return `${stream.name} is ${state}${hold === "none" ? "" : `, ${hold} by the operator`}, and not ${goal}`;
  };
  const hasReached = HAS_REACHED[goal];
  return reportStream(
    await streamWhen(backend, wanted, waitMs, (stream) => hasReached(stream.snapshot()), describe),
  );
}

/** What passes on the stream's rings, from now on. */
async function trace(
  backend: Backend,
  { stream: wanted, waitMs }: ControlRequest & { command: "trace" },
  gone: AbortSignal,
): Promise<AsyncIterable<TraceHead | TraceChunk>> {
  if (typeof wanted !== "string") throw new XsndError("a trace is of a stream", Exit.usage);
  const stream = await streamWhen(backend, wanted, waitMs, () => true, () => "");
  const { traceStream } = await import("./tracer.ts");
  return traceStream(stream, gone);
}

/** The stream, once it is served and `isReady`. Throws {@link XsndError} if it is not in time; `why` says what it is not. */
async function streamWhen(
  backend: Backend,
  wanted: string,
  waitMs: number,
  isReady: (stream: StreamHost) => boolean,
  why: (stream: StreamHost) => string,
): Promise<StreamHost> {
  const patience = Number.isFinite(waitMs) ? Math.max(0, waitMs) : 0;
  const deadline = performance.now() + patience;
  for (;;) {
    const last = performance.now() >= deadline;
    const stream = findStream(backend, wanted, last);
    if (stream !== undefined && isReady(stream)) return stream;
    if (last) throw new XsndError(`${why(stream!)} (waited ${patience / 1000} s)`, Exit.timedOut);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** The stream, or undefined if there is none as yet; throws for that too when it is the `last` look. */
function findStream(backend: Backend, wanted: string, last: boolean): StreamHost | undefined {
  const streams = backend.streams;
  const names = streams.map(({ name }) => name);
  if (!last && !names.some((name) => name === wanted || name.startsWith(`${wanted}/`))) return undefined;
  const name = resolveStream(names, wanted);
  return streams.find((stream) => stream.name === name);
}
