// SPDX-License-Identifier: MIT
/** Helpers for errors. A command turns an {@link XsndError} into a message and an exit code; every other error is a defect. */

import { XsndError } from "../../ffi/base/xsnd_error.ts";

export { Exit, type ExitCode, XsndError } from "../../ffi/base/xsnd_error.ts";

/** The original error, if disposing of resources after it threw further errors. */
export function firstError(error: unknown): unknown {
  return error instanceof SuppressedError ? firstError(error.suppressed) : error;
}

/** The stack of a defect, for the log. */
export function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

/** Throws nothing if `errors` is empty, the first defect if there is a defect, and otherwise one error with all messages. */
export function throwAll(errors: readonly unknown[]): void {
  const defect = errors.find((error) => !(error instanceof XsndError));
  if (defect !== undefined) throw defect;
  const [first, ...rest] = errors as readonly XsndError[];
  if (first === undefined) return;
  if (rest.length === 0) throw first;
  throw new XsndError([first, ...rest].map(({ message }) => message).join("\n"), first.exitCode);
}
