// SPDX-License-Identifier: MIT
/** The logger that xsnd gives to Xen's libraries. */
import { functionWithoutEffect } from "../libc/pointers.ts";

let logger: BigUint64Array<ArrayBuffer> | undefined;

/**
 * A `struct xentoollog_logger` { vmessage, progress, destroy } that logs nothing. A library's own logger writes to stderr whenever a
 * call fails. A guest can make mappings fail as often as it likes, and errno tells the reason anyway. The logger lives for as long as
 * this module, since handles point to it.
 */
export function silentLogger(): BigUint64Array<ArrayBuffer> {
  if (logger === undefined) {
    logger = new BigUint64Array(new ArrayBuffer(3 * 8)); // V8 moves a small array unless it has an explicit buffer
    logger.fill(Deno.UnsafePointer.value(functionWithoutEffect()));
  }
  return logger;
}
