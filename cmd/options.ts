/** Option types that several commands have. */
import { InvalidArgumentError } from "commander";

/** A time-out: seconds, 0 for none. */
export function seconds(text: string): number {
  const value = Number(text.replace(/s$/, ""));
  if (text !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError("it is a number of seconds.");
}
