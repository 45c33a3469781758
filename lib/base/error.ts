// SPDX-License-Identifier: MIT
/** What is done with errors, whoever threw them. The one class that commands turn into an exit code is {@link XsndError}. */

import { XsndError } from "../../ffi/base/xsnd_error.ts";

export { Exit, type ExitCode, XsndError } from "../../ffi/base/xsnd_error.ts";

/** What went wrong first, where something else went wrong as `using` tidied up after it. */
export function firstError(error: unknown): unknown {
  return error instanceof SuppressedError ? firstError(error.suppressed) : error;
}

/** What is known of an exception that is a defect, for the log. */
export function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

/** Throws all of `errors` as one, if there are any; a defect as it is. */
export function throwAll(errors: readonly unknown[]): void {
  if (errors.length === 0) return;
  const defect = errors.find((error) => !(error instanceof XsndError));
  if (errors.length === 1 || defect !== undefined) throw defect ?? errors[0];
  const known = errors as XsndError[];
  throw new XsndError(known.map(({ message }) => message).join("\n"), known[0].exitCode);
}
