/** Options and arguments that several commands have. */
import { Argument, InvalidArgumentError } from "commander";

/** The stream that a command is about. */
export function streamArgument(): Argument {
  return new Argument(
    "<stream>",
    "DOMAIN/CARD/PCM/STREAM; trailing parts may be left out while the rest is unambiguous",
  );
}

/** A time-out: seconds, 0 for none. */
export function seconds(text: string): number {
  const value = Number(text.replace(/s$/, ""));
  if (text !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError("it is a number of seconds.");
}
