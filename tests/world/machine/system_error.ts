// SPDX-License-Identifier: MIT
/** Errors of system calls, as Deno throws them: the class, the code and the text of Linux. */
import { ERRNO, errnoName } from "../../../ffi/libc/errno.ts";

const { errors } = Deno;

/** By code: strerror(3)'s text, and Deno's class. */
const ERRORS = {
  ENOENT: ["No such file or directory", errors.NotFound],
  EIO: ["Input/output error", Error],
  ENXIO: ["No such device or address", Error],
  EBADF: ["Bad file descriptor", Error],
  EAGAIN: ["Resource temporarily unavailable", errors.WouldBlock],
  ENOMEM: ["Cannot allocate memory", Error],
  EACCES: ["Permission denied", errors.PermissionDenied],
  EEXIST: ["File exists", errors.AlreadyExists],
  ENOTDIR: ["Not a directory", errors.NotADirectory],
  EISDIR: ["Is a directory", errors.IsADirectory],
  ENFILE: ["Too many open files in system", Error],
  EMFILE: ["Too many open files", Error],
  ENOSPC: ["No space left on device", Error],
  EPIPE: ["Broken pipe", errors.BrokenPipe],
  ENOTEMPTY: ["Directory not empty", Error],
  EADDRINUSE: ["Address already in use", errors.AddrInUse],
  ECONNRESET: ["Connection reset by peer", errors.ConnectionReset],
  ENOBUFS: ["No buffer space available", Error],
  ECONNREFUSED: ["Connection refused", errors.ConnectionRefused],
} as const;

export type ErrorCode = keyof typeof ERRORS;

/** The error of a failed call. `attempt`: the call and its path, as "stat '/x'", where Deno names them. */
export function systemError(code: ErrorCode, attempt?: string): Error {
  const [text, Class] = ERRORS[code];
  const message = `${text} (os error ${ERRNO[code]})${attempt === undefined ? "" : `: ${attempt}`}`;
  return Object.assign(new Class(message), { code });
}

/** The negative errno that an `OpenFile` returns for `code`. */
export function negative(code: ErrorCode): number {
  return -ERRNO[code];
}

/** The code of a negative errno. Throws TypeError for an errno that no virtual file returns. */
export function codeOf(result: number): ErrorCode {
  const code = errnoName(result);
  if (!(code in ERRORS)) throw new TypeError(`no virtual file fails with ${code}`);
  return code as ErrorCode;
}
