// SPDX-License-Identifier: MIT
/**
 * Checks what a daemon answers: it may be older or newer than its client, or another program. Unknown fields pass, since a field
 * may be added under the same version.
 */
import { z } from "zod";
import { Exit, type ExitCode, XsndError } from "../base/error.ts";
import type { Percentiles } from "../base/percentiles.ts";
import { VERSION } from "../base/version.ts";
import { HOLDS, STREAM_STATES } from "../stream/stream_state.ts";
import { isTraceHead, type TraceHead } from "../trace/trace_format.ts";
import {
  CONTROL_VERSION,
  type ControlRequest,
  type ControlResults,
  type DeclaredReport,
  type LogLines,
  type StatusReport,
  type StreamReport,
  type TraceChunk,
} from "./protocol.ts";

/** A shape for each field of a report, no more and no fewer. */
type Fields<T> = { readonly [K in keyof T]-?: z.ZodType<T[K]> };

const count = z.int().min(0);
const seconds = z.number().min(0);
const percentiles = z.looseObject({ p50: z.number(), p99: z.number(), max: z.number() }) satisfies z.ZodType<
  Percentiles
>;

/** The fields of a {@link StreamReport}. */
export const STREAM_FIELDS = {
  stream: z.string(),
  domid: count,
  type: z.enum(["playback", "capture"]),
  device: z.string(),
  denied: z.boolean(),
  uniqueId: z.string(),
  recording: z.boolean(),
  state: z.enum(STREAM_STATES),
  hold: z.enum(HOLDS),
  volume: z.number(),
  muted: z.boolean(),
  mutedUntil: z.string().optional(),
  engine: z.enum(["shared", "own"]).optional(),
  engineCpuSeconds: seconds.optional(),
  cardLost: z.boolean().optional(),
  cardStalled: z.boolean().optional(),
  rate: count.optional(),
  channels: count.optional(),
  format: z.string().optional(),
  bufferFrames: count.optional(),
  periodFrames: z.number().min(0).optional(),
  cardBufferFrames: count.optional(),
  cardPeriodFrames: count.optional(),
  positionFrames: count.optional(),
  guestFrames: count.optional(),
  cardFrames: count.optional(),
  connections: count,
  movedFrames: count,
  transferredFrames: count,
  heardFrames: count,
  standInFrames: count,
  deniedFrames: count,
  silenceFrames: count,
  hostSilenceFrames: count,
  discardedFrames: count,
  requests: count,
  queries: count,
  events: count,
  periods: count,
  xruns: count,
  hostXruns: count,
  xrunSeconds: seconds,
  lateFrames: count,
  protocolErrors: count,
  starts: count,
  losses: count,
  stalls: count,
  eventDelayMicros: percentiles.optional(),
  requestMicros: percentiles.optional(),
} as const satisfies Fields<StreamReport>;

const streamReport = z.looseObject(STREAM_FIELDS);

const declared: z.ZodType<DeclaredReport> = z.looseObject({
  file: z.string(),
  guests: z.array(
    z.looseObject({ domain: z.string(), domid: count.optional(), problem: z.string().optional() }),
  ),
});

/** The fields of a {@link StatusReport}. */
export const STATUS_FIELDS = {
  version: z.literal(CONTROL_VERSION),
  pid: count,
  uptimeSeconds: seconds,
  cpuSeconds: seconds,
  sharedEngineCpuSeconds: seconds.optional(),
  residentBytes: count,
  streams: z.array(streamReport),
  declared: declared.optional(),
} as const satisfies Fields<StatusReport>;

const statusReport = z.looseObject(STATUS_FIELDS);
const traceChunk: z.ZodType<TraceChunk> = z.looseObject({ records: z.base64() });
const logLines: z.ZodType<LogLines> = z.looseObject({
  lines: z.array(
    z.looseObject({ time: z.string(), level: z.string(), subject: z.string(), message: z.string() }),
  ),
  more: z.boolean(),
  lost: count.optional(),
});
const traceHead = z.custom<TraceHead>(isTraceHead, "not the head of a trace");

/** The shape of a `result`, by the request's command. */
const RESULTS: { readonly [C in keyof ControlResults]: z.ZodType<ControlResults[C]> } = {
  status: statusReport,
  watch: statusReport,
  trigger: streamReport,
  volume: streamReport,
  wait: streamReport,
  trace: z.union([traceChunk, traceHead]),
  logs: logLines,
};

const response = z.discriminatedUnion("ok", [
  z.looseObject({ ok: z.literal(true), version: z.int().optional(), result: z.unknown() }),
  z.looseObject({ ok: z.literal(false), version: z.int().optional(), error: z.string(), exitCode: z.int() }),
]);

const MEND = "restart the daemon after an upgrade, or use the xsnd that it is of";

/**
 * The result in `line`, which answers `command`. Throws {@link XsndError}: what the daemon says, or that it speaks another
 * version of the protocol, or that the line is no response.
 */
export function parseResponse<C extends ControlRequest["command"]>(
  line: string,
  command: C,
): ControlResults[C] {
  const answer = response.safeParse(parseJson(line)).data;
  if (answer === undefined) {
    throw new XsndError(
      `what answers "${command}" is no xsnd daemon: its line is no response of the protocol`,
    );
  }
  const { version = 1 } = answer;
  const other = version === CONTROL_VERSION
    ? ""
    : `the daemon speaks version ${version} of the control protocol, and xsnd ${VERSION} speaks version ` +
      `${CONTROL_VERSION}; ${MEND}`;
  if (!answer.ok) {
    throw new XsndError([answer.error, other].filter((text) => text !== "").join("; "), exitCodeOf(answer));
  }
  if (other !== "") throw new XsndError(other);
  const { data, error } = RESULTS[command].safeParse(answer.result);
  if (error === undefined) return data;
  const [issue] = error.issues;
  const where = ["result", ...(issue?.path ?? [])].join(".");
  throw new XsndError(
    `the daemon's answer to "${command}" is not of version ${CONTROL_VERSION} of the control protocol: ` +
      `${where}: ${issue?.message}; the daemon may be of another version than xsnd ${VERSION}: ${MEND}`,
  );
}

const EXIT_CODES: ReadonlySet<number> = new Set(Object.values(Exit));

/** The daemon's exit code; 1 for a code that this xsnd does not know. */
function exitCodeOf({ exitCode }: { readonly exitCode: number }): ExitCode {
  return EXIT_CODES.has(exitCode) && exitCode !== Exit.done ? exitCode as ExitCode : Exit.failed;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
