// SPDX-License-Identifier: MIT
/** Captures the process's standard error, where C libraries print the reason of a failure. */
import { unwrap } from "./failed_call.ts";
import { F, libc, MFD, O, SEEK } from "./libc.ts";
import { cString } from "../base/c_string.ts";

const STDERR = 2;
/** No library prints more about one call. Further octets are dropped. */
const MOST_OCTETS = 1 << 16;

/** Another descriptor of standard error, which outlives a {@link StderrCapture}. */
export class KeptStderr implements Disposable {
  readonly #fd = unwrap(libc().fcntl(STDERR, F.DUPFD_CLOEXEC, 3n), "fcntl F_DUPFD_CLOEXEC");

  /** Redirects standard error to where it went when this object was made. */
  restore(): void {
    unwrap(libc().dup2(this.#fd, STDERR), "dup2");
  }

  [Symbol.dispose](): void {
    libc().close(this.#fd);
  }
}

/**
 * Redirects standard error into memory until the disposal. For commands that do one thing at a time: the capture has the output
 * of all threads.
 */
export class StderrCapture implements Disposable {
  readonly #kept: KeptStderr;
  readonly #memory: number;

  constructor() {
    using stack = new DisposableStack();
    this.#kept = stack.use(new KeptStderr());
    this.#memory = unwrap(libc().memfd_create(cString("xsnd-stderr"), MFD.CLOEXEC), "memfd_create");
    stack.defer(() => libc().close(this.#memory));
    // Both descriptors share one position: with O_APPEND writers append wherever text() has read.
    unwrap(libc().fcntl(this.#memory, F.SETFL, BigInt(O.APPEND)), "fcntl O_APPEND");
    unwrap(libc().dup2(this.#memory, STDERR), "dup2");
    stack.move();
  }

  /** The output so far. */
  text(): string {
    const octets = new Uint8Array(MOST_OCTETS);
    unwrap(libc().lseek(this.#memory, 0n, SEEK.SET), "lseek");
    const count = unwrap(libc().read(this.#memory, octets, BigInt(octets.length)), "read");
    return new TextDecoder().decode(octets.subarray(0, Number(count)));
  }

  [Symbol.dispose](): void {
    this.#kept.restore();
    this.#kept[Symbol.dispose]();
    libc().close(this.#memory);
  }
}
