// SPDX-License-Identifier: MIT
/**
 * What commands ask of the daemon, as it must look. Whoever may use the control socket may send anything: the daemon takes what
 * this schema takes, and answers the rest. For the daemon alone: commands need the type, and not zod.
 */
import { z } from "zod";
import { OPERATOR_TRIGGERS } from "../stream/stream_state.ts";
import { MAX_VOLUME, MIN_VOLUME } from "../stream/volume_bounds.ts";
import { Exit, XsndError } from "../base/error.ts";
import { MAX_WAIT_MS } from "./max_wait.ts";
import { STREAM_GOALS } from "./protocol.ts";

/** Longer than any stream's: what is not known is compared with what is, letter by letter. */
const MAX_NAME = 1024;

const [least, most] = [MIN_VOLUME / 1000, MAX_VOLUME / 1000];

/** As {@link resolveStream} takes it. */
const stream = z.string("expected a stream: DOMAIN/CARD/PCM/STREAM").max(MAX_NAME);
const waitMs = z.number(`expected milliseconds, from 0 to ${MAX_WAIT_MS}`)
  .min(0, `expected milliseconds, from 0 to ${MAX_WAIT_MS}`)
  .max(MAX_WAIT_MS, `expected milliseconds, from 0 to ${MAX_WAIT_MS}: no request waits longer than a day`);
const volume = `expected dB, from ${least} to ${most}`;

const REQUESTS = [
  z.strictObject({ command: z.literal("status") }),
  /** The status, at once and whenever a `steadyPart` of it has changed, until the client hangs up. */
  z.strictObject({ command: z.literal("watch") }),
  /** Waits until the guest has started the stream. */
  z.strictObject({ command: z.literal("trigger"), stream, trigger: z.enum(OPERATOR_TRIGGERS), waitMs }),
  /** Changes what is given, as soon as the daemon serves the stream, and tells what holds. */
  z.strictObject({
    command: z.literal("volume"),
    stream,
    /** dB. */
    volume: z.number(volume).min(least, volume).max(most, volume).optional(),
    muted: z.boolean().optional(),
    waitMs,
  }),
  /** Is answered when the stream is so, with its report. */
  z.strictObject({ command: z.literal("wait"), stream, goal: z.enum(STREAM_GOALS), waitMs }),
  /** Waits until the daemon serves the stream. Answered with a `TraceHead`; lines that follow it hold `TraceChunk`s. */
  z.strictObject({ command: z.literal("trace"), stream, waitMs }),
] as const;

const COMMANDS = REQUESTS.map(({ shape }) => shape.command.value).join(", ");

const request = z.discriminatedUnion("command", REQUESTS, {
  error: ({ code }) =>
    code === "invalid_union" ? `expected one of ${COMMANDS}` : "expected an object with a command",
});

export type ControlRequest = z.output<typeof request>;

/** The request that a line is. Throws {@link XsndError}, exit 2, if it is none. */
export function parseRequest(line: string): ControlRequest {
  const { data, error } = request.safeParse(parseJson(line));
  if (error === undefined) return data;
  const [{ path, message }] = error.issues;
  const where = path.length === 0 ? "" : `${path.join(".")}: `;
  throw new XsndError(`the daemon cannot take the request: ${where}${message}`, Exit.usage);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new XsndError(
      `the daemon cannot take the request: not JSON; write one JSON object a line`,
      Exit.usage,
    );
  }
}
