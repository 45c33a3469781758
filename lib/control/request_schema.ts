// SPDX-License-Identifier: MIT
/**
 * Checks what a client sends: whoever may use the control socket may send anything. The daemon takes what this schema takes, and
 * refuses the rest. Clients need the types of `protocol.ts` alone, and do not load zod for them.
 */
import { z } from "zod";
import { OPERATOR_TRIGGERS } from "../stream/stream_state.ts";
import { LONGEST_MUTE_MS } from "../stream/operator_settings.ts";
import { MAX_VOLUME, MIN_VOLUME } from "../stream/volume_bounds.ts";
import { Exit, XsndError } from "../base/error.ts";
import { MAX_WAIT_MS } from "./max_wait.ts";
import { type ControlRequest, STREAM_GOALS } from "./protocol.ts";

/** Longer than any stream's name. The daemon compares unknown names with known ones letter by letter. */
const MAX_NAME = 1024;

const [least, most] = [MIN_VOLUME / 1000, MAX_VOLUME / 1000];

const stream = z.string("expected a stream: DOMAIN/CARD/PCM/STREAM").max(MAX_NAME);
const waitMs = z.number(`expected milliseconds, from 0 to ${MAX_WAIT_MS}`)
  .min(0, `expected milliseconds, from 0 to ${MAX_WAIT_MS}`)
  .max(MAX_WAIT_MS, `expected milliseconds, from 0 to ${MAX_WAIT_MS}: no request waits longer than a day`);
const MUTE = `expected milliseconds, from 1 to ${LONGEST_MUTE_MS}`;
const SECONDS = "expected a number of seconds, more than 0";
const volume = `expected dB, from ${least} to ${most}`;

/** The shape of each command's request. */
export const REQUEST_SHAPES = {
  status: z.strictObject({ command: z.literal("status") }),
  watch: z.strictObject({ command: z.literal("watch") }),
  trigger: z.strictObject({
    command: z.literal("trigger"),
    stream,
    trigger: z.enum(OPERATOR_TRIGGERS),
    waitMs,
  }),
  volume: z.strictObject({
    command: z.literal("volume"),
    stream,
    volume: z.number(volume).min(least, volume).max(most, volume).optional(),
    muted: z.boolean().optional(),
    muteMs: z.number(MUTE).min(1, MUTE).max(LONGEST_MUTE_MS, MUTE).optional(),
    waitMs,
  }).refine(({ muted, muteMs }) => muteMs === undefined || muted === true, {
    error: "only a mute has an end: expected muted to be true",
    path: ["muteMs"],
  }),
  wait: z.strictObject({ command: z.literal("wait"), stream, goal: z.enum(STREAM_GOALS), waitMs }),
  trace: z.strictObject({
    command: z.literal("trace"),
    stream,
    lastSeconds: z.number(SECONDS).positive(SECONDS).optional(),
    waitMs,
  }),
  logs: z.strictObject({ command: z.literal("logs"), follow: z.boolean() }),
} as const satisfies { [C in ControlRequest["command"]]: z.ZodType<ControlRequest & { command: C }> };

const COMMANDS = Object.keys(REQUEST_SHAPES).join(", ");

const { status, watch, trigger, volume: setVolume, wait, trace, logs } = REQUEST_SHAPES;
const request: z.ZodType<ControlRequest> = z.discriminatedUnion("command", [
  status,
  watch,
  trigger,
  setVolume,
  wait,
  trace,
  logs,
], {
  error: ({ code }) =>
    code === "invalid_union" ? `expected one of ${COMMANDS}` : "expected an object with a command",
});

/** The request in `line`. Throws {@link XsndError}, exit 2, for any other line. */
export function parseRequest(line: string): ControlRequest {
  const { data, error } = request.safeParse(parseJson(line));
  if (error === undefined) return data;
  const [issue] = error.issues;
  const where = issue === undefined || issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
  throw new XsndError(`the daemon cannot take the request: ${where}${issue?.message}`, Exit.usage);
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
