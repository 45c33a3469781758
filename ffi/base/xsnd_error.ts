// SPDX-License-Identifier: MIT
/**
 * The one error class that commands turn into an exit code. Its message names the action, the object and the remedy. Any other
 * error that reaches the top is a defect, and is shown with its stack.
 */

import { printable } from "./printable.ts";

/** Exit codes of every subcommand. */
export const Exit = {
  done: 0,
  failed: 1,
  usage: 2,
  noDaemon: 3,
  permission: 4,
  xenOrLibraryMissing: 5,
  badConfiguration: 6,
  timedOut: 124,
  interrupted: 130,
} as const;

/** One of the codes of {@link Exit}. */
export type ExitCode = typeof Exit[keyof typeof Exit];

/**
 * A failure that a user can act on. The constructor escapes characters of the message that could drive a terminal.
 *
 * @example
 * ```ts
 * import { Exit, XsndError } from "@xsnd/xsnd";
 * import assert from "node:assert/strict";
 *
 * const error = new XsndError("there is no such card", Exit.failed);
 * assert.equal(error.exitCode, 1);
 * ```
 */
export class XsndError extends Error {
  /** `XsndError`. */
  override name = "XsndError";
  /** Makes an error; control characters in `message` are escaped. */
  constructor(
    message: string,
    /** The exit code of a command that fails so. */ readonly exitCode: ExitCode = Exit.failed,
    options?: ErrorOptions,
  ) {
    super(message.split("\n").map(printable).join("\n"), options);
  }
}
