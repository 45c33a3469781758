// SPDX-License-Identifier: MIT
/** Arguments and options that several commands have, and the parsers of their values. */
import { Argument, InvalidArgumentError, Option } from "commander";
import { MAX_WAIT_MS } from "../../lib/control/max_wait.ts";
import { LONGEST_MUTE_MS } from "../../lib/stream/operator_settings.ts";
import type { Manual } from "./manual.ts";

/** `<stream>`: the stream to act on. */
export function streamArgument(): Argument {
  return new Argument(
    "<stream>",
    "DOMAIN/CARD/PCM/STREAM; DOMAIN is a name or number; trailing parts can be omitted if the rest names one stream",
  );
}

/** The help of an argument that names several streams. */
export const STREAMS_HELP =
  "DOMAIN/CARD/PCM/STREAM; DOMAIN is a name or number; without trailing parts all streams below; * and ? match as in a shell";

/** `<stream...>`: the streams to act on. */
export function streamsArgument(): Argument {
  return new Argument("<stream...>", STREAMS_HELP);
}

/** `--timeout`: the longest time that `what` takes. The value 0 has the same meaning in every command. */
export function timeoutOption(what: string, defaultSeconds: number): Option {
  return new Option("--timeout <seconds>", `${what}; 0: check once, do not wait`).argParser(seconds)
    .default(defaultSeconds);
}

/** Parses the time between two views, in seconds: 0.1 s to a day. */
export function interval(text: string): number {
  const value = seconds(text);
  if (value >= 0.1 && value <= 86_400) return value;
  throw new InvalidArgumentError("it is a number of seconds, from 0.1 to 86400.");
}

/** Parses a number of seconds from 0 to a day: `10`, `2.5s`, `500ms` or `1m30s`. */
export function seconds(text: string): number {
  const value = parseSeconds(text);
  if (value <= MAX_WAIT_MS / 1000) return value;
  throw new InvalidArgumentError(
    "Write a number of seconds, such as 2.5, or a time such as 500ms or 1m30s; at most 86400, a day.",
  );
}

/** Parses the time after which a mute ends, in ms. */
export function muteTime(text: string): number {
  const ms = parseSeconds(text) * 1000;
  if (ms >= 1 && ms <= LONGEST_MUTE_MS) return ms;
  throw new InvalidArgumentError(
    "Write a time such as 10m or 1h30m, or a number of seconds; from 1ms to 24000h.",
  );
}

/** Parses a number of seconds above 0 and up to the longest delay of a timer. */
export function duration(text: string): number {
  const value = parseSeconds(text);
  if (value > 0 && value <= MAX_TIMER_SECONDS) return value;
  throw new InvalidArgumentError("it is a positive number of seconds.");
}

/** A timer's delay is a signed 32-bit number of milliseconds. */
const MAX_TIMER_SECONDS = 0x7fffffff / 1000;

/** Seconds of each unit, in the order in which a time has them. */
const UNITS = { h: 3600, m: 60, s: 1, ms: 0.001 };
const TIME = new RegExp(`^${Object.keys(UNITS).map((unit) => `(?:(\\d+(?:\\.\\d+)?)${unit})?`).join("")}$`);

/** NaN if `text` is no time. */
function parseSeconds(text: string): number {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text);
  const [, ...numbers] = text === "" ? [] : TIME.exec(text) ?? [];
  if (numbers.length === 0) return NaN;
  const units = Object.values(UNITS);
  return numbers.reduce((sum, number, index) => sum + Number(number ?? 0) * units[index]!, 0);
}

/** Parses a number above 0. */
export function positive(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("it is a positive number.");
}

/** Parses a whole number above 0. */
export function positiveCount(text: string): number {
  const value = positive(text);
  if (Number.isInteger(value)) return value;
  throw new InvalidArgumentError("it is a whole number.");
}

/** Exit codes of the commands that tell the daemon to act on a stream. */
export const DAEMON_EXITS: Manual["exits"] = {
  failed: "the daemon serves no such stream, or has too many clients",
  noDaemon: "no daemon answers before the time-out",
  permission: "this user may not use the control socket",
  timedOut: "the stream was not ready before the time-out",
};
