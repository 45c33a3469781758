// SPDX-License-Identifier: MIT
/** Error messages for failed system calls on files, in plain words instead of Deno's. */
import { Exit, type ExitCode, XsndError } from "./error.ts";

/** The reason of a failed system call, as "no such file or directory". For any other error, its message. */
export function fileProblem(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file or directory";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  if (error instanceof Deno.errors.NotADirectory) return "a part of the path is no directory";
  if (error instanceof Deno.errors.NotCapable) {
    return "xsnd opens no files of /dev, /proc and /sys; name an ordinary file";
  }
  const message = error instanceof Error ? error.message : String(error);
  // "Too many levels of symbolic links (os error 40): stat 'x'"
  const system = /^(.*) \(os error \d+\)/.exec(message)?.[1];
  return system === undefined ? message : system.charAt(0).toLowerCase() + system.slice(1);
}

/** An XsndError for a failed system call on `path`. Exit code 4 for a missing permission if `exitCode` is the default, otherwise `exitCode`. */
export function fileError(
  attempt: string,
  path: string,
  cause: unknown,
  exitCode: ExitCode = Exit.failed,
): XsndError {
  const code = exitCode === Exit.failed && cause instanceof Deno.errors.PermissionDenied
    ? Exit.permission
    : exitCode;
  return new XsndError(`cannot ${attempt} ${path}: ${fileProblem(cause)}`, code, { cause });
}
