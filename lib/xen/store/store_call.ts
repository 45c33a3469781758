// SPDX-License-Identifier: MIT
/** Calls on libxenstore, with their errors. */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { Errno } from "../../../ffi/libc/failed_call.ts";
import type { XsHandle } from "../../../ffi/xen/libxenstore.ts";
import { StoreError } from "../ports.ts";

/** Runs a call of `handle`'s that is to `verb` `path`. Turns an Errno into a {@link StoreError}. */
export function storeCall<T>(handle: XsHandle, verb: string, path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw error instanceof Errno ? new StoreError(verb, path, codeOf(handle, error)) : error;
  }
}

/**
 * The code of a failed call. libxenstore says EINVAL of a path that is not valid, and of a call under which the connection breaks.
 * The next call fails if the connection is broken.
 */
function codeOf(handle: XsHandle, error: Errno): string {
  if (error.errno !== ERRNO.EINVAL) return error.code;
  try {
    handle.domainPath(0);
  } catch (next) {
    if (next instanceof Errno) return next.code;
    throw next;
  }
  return error.code;
}
