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

export type ExitCode = typeof Exit[keyof typeof Exit];

/** A failure that a user can act on. The constructor escapes characters of the message that could drive a terminal. */
export class XsndError extends Error {
  override name = "XsndError";
  constructor(message: string, readonly exitCode: ExitCode = Exit.failed, options?: ErrorOptions) {
    super(message.split("\n").map(printable).join("\n"), options);
  }
}
