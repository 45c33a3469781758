// SPDX-License-Identifier: MIT
/** glibc's words for the errors that a device can have, the same on every machine. */
import { ERRNO } from "../../../ffi/libc/errno.ts";

const WORDS: Readonly<Record<number, string>> = {
  [ERRNO.EPERM]: "Operation not permitted",
  [ERRNO.ENOENT]: "No such file or directory",
  [ERRNO.EINTR]: "Interrupted system call",
  [ERRNO.EIO]: "Input/output error",
  [ERRNO.ENXIO]: "No such device or address",
  [ERRNO.EAGAIN]: "Resource temporarily unavailable",
  [ERRNO.ENOMEM]: "Cannot allocate memory",
  [ERRNO.EACCES]: "Permission denied",
  [ERRNO.EBUSY]: "Device or resource busy",
  [ERRNO.ENODEV]: "No such device",
  [ERRNO.EINVAL]: "Invalid argument",
  [ERRNO.ENFILE]: "Too many open files in system",
  [ERRNO.EMFILE]: "Too many open files",
  [ERRNO.EPIPE]: "Broken pipe",
  [ERRNO.ENOSYS]: "Function not implemented",
  [ERRNO.EBADFD]: "File descriptor in bad state",
  [ERRNO.ESTRPIPE]: "Streams pipe error",
  [ERRNO.ETIMEDOUT]: "Connection timed out",
  [ERRNO.ECONNREFUSED]: "Connection refused",
};

/** The text of an error number of either sign. */
export function errorText(errno: number): string {
  return WORDS[Math.abs(errno)] ?? `Unknown error ${Math.abs(errno)}`;
}
