// SPDX-License-Identifier: MIT
/** C calls that fail: this thread's errno, and the error that it becomes here. */
import { textAt } from "../base/c_string.ts";
import { errnoName } from "./errno.ts";
import { libc } from "./libc.ts";

let errnoCell: Int32Array | undefined;

/** This thread's errno as an array of one. A worker is a thread and a module instance of its own. */
function errnoLocation(): Int32Array {
  return errnoCell ??= new Int32Array(
    Deno.UnsafePointerView.getArrayBuffer(libc().__errno_location()!, Int32Array.BYTES_PER_ELEMENT),
  );
}

/**
 * This thread's errno: right straight after a *synchronous* FFI call that failed, meaningless after a `nonblocking` call. The
 * first look-up calls into libc, so a handle class that needs errno calls {@link clearErrno} before its first call.
 */
export function errno(): number {
  return errnoLocation()[0]!;
}

/** Sets errno to 0, for calls that report failure through errno alone. */
export function clearErrno(): void {
  errnoLocation()[0] = 0;
}

/** A C call that failed, with its errno. */
export class Errno extends Error {
  override name = "Errno";
  /** errno's name, e.g. `"ENOENT"`. */
  readonly code: string;
  /** @param call the call and its object, e.g. `open /dev/xen/evtchn` */
  constructor(readonly call: string, readonly errno: number, options?: ErrorOptions) {
    const code = errnoName(errno);
    super(`${call}: ${textAt(libc().strerror(errno))} (${code})`, options);
    this.code = code;
  }
}

/** Returns the result of a call whose failure is -1; throws a failure as {@link Errno}. */
export function unwrap<T extends number | bigint>(result: T, call: string): T {
  if (result < 0) throw new Errno(call, errno());
  return result;
}
