// SPDX-License-Identifier: MIT
/** Options and arguments that several commands have. */
import { Argument, InvalidArgumentError, Option } from "commander";
import { MAX_WAIT_MS } from "../../lib/control/max_wait.ts";
import type { Manual } from "./manual.ts";

/** The stream that a command is about. */
export function streamArgument(): Argument {
  return new Argument(
    "<stream>",
    "DOMAIN/CARD/PCM/STREAM; trailing parts may be left out while the rest is unambiguous",
  );
}

/** How often to do something, in seconds: often enough to be seen, and seldom enough not to be felt. */
export function interval(text: string): number {
  const value = seconds(text);
  if (value >= 0.1 && value <= 86_400) return value;
  throw new InvalidArgumentError("it is a number of seconds, from 0.1 to 86400.");
}

/** A time-out, which means the same in every command: 0 looks once. */
export function timeoutOption(what: string, defaultSeconds: number): Option {
  return new Option("--timeout <seconds>", `${what}; 0: look once, and do not wait`).argParser(seconds)
    .default(defaultSeconds);
}

/** Seconds, up to a day: `10`, `2.5s` or `500ms`. */
export function seconds(text: string): number {
  const value = parseSeconds(text);
  if (value <= MAX_WAIT_MS / 1000) return value;
  throw new InvalidArgumentError("Write a number of seconds, such as 2.5, or 500ms; at most 86400, a day.");
}

/** How long something lasts, in seconds: not nothing, and as long as a timer can take. */
export function duration(text: string): number {
  const value = parseSeconds(text);
  if (value > 0 && value <= MAX_TIMER_SECONDS) return value;
  throw new InvalidArgumentError("it is a positive number of seconds.");
}

/** A timer's delay is a signed 32-bit number of milliseconds. */
const MAX_TIMER_SECONDS = 0x7fffffff / 1000;

function parseSeconds(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(s|ms|)$/.exec(text) ?? [];
  return Number(number) / (unit === "ms" ? 1000 : 1);
}

/** Exit codes of the commands that have the daemon do something to a stream. */
export const DAEMON_EXITS: Manual["exits"] = {
  failed: "the daemon serves no such stream, or has too many clients",
  noDaemon: "no daemon answers within the time-out",
  permission: "may not talk to the daemon",
  timedOut: "the stream was not ready within the time-out",
};
