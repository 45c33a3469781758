/** Options and arguments that several commands have. */
import { Argument, InvalidArgumentError } from "commander";
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

/** A timer's delay is a signed 32-bit number of milliseconds. */
const MOST_SECONDS = 0x7fffffff / 1000;

/** A time-out, in seconds: `10`, `2.5s` or `500ms`; 0 for none. */
export function seconds(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(s|ms|)$/.exec(text) ?? [];
  const value = Number(number) / (unit === "ms" ? 1000 : 1);
  if (value <= MOST_SECONDS) return value;
  throw new InvalidArgumentError("Write a number of seconds, such as 2.5, or 500ms.");
}

/** Exit codes of the commands that have the daemon do something to a stream. */
export const DAEMON_EXITS: Manual["exits"] = {
  failed: "the daemon serves no such stream",
  noDaemon: "no daemon answers within the time-out",
  permission: "may not talk to the daemon",
  timedOut: "the stream was not ready within the time-out",
};
