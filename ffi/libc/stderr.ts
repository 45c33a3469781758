// SPDX-License-Identifier: MIT
/** Standard error of the process, on which C libraries say why something failed. */
import { unwrap } from "./failed_call.ts";
import { F, libc, MFD, O, SEEK } from "./libc.ts";
import { cString } from "../base/c_string.ts";

const STDERR = 2;
/** No library has more to say about one call. What is beyond is dropped. */
const MOST_OCTETS = 1 << 16;

/** Another descriptor of standard error, which outlives a {@link StderrCapture}. */
export class KeptStderr implements Disposable {
  readonly #fd = unwrap(libc().fcntl(STDERR, F.DUPFD_CLOEXEC, 3n), "fcntl F_DUPFD_CLOEXEC");

  /** Makes standard error again what it was when this was made. */
  restore(): void {
    unwrap(libc().dup2(this.#fd, STDERR), "dup2");
  }

  [Symbol.dispose](): void {
    libc().close(this.#fd);
  }
}

/**
 * Until its disposal all that this process writes on standard error goes into memory. For commands that do one thing at a time:
 * whoever writes there meanwhile is captured, too.
 */
export class StderrCapture implements Disposable {
  readonly #kept: KeptStderr;
  readonly #memory: number;

  constructor() {
    using stack = new DisposableStack();
    this.#kept = stack.use(new KeptStderr());
    this.#memory = unwrap(libc().memfd_create(cString("xsnd-stderr"), MFD.CLOEXEC), "memfd_create");
    stack.defer(() => libc().close(this.#memory));
    // Both descriptors share one position: writers append, wherever a reader is.
    unwrap(libc().fcntl(this.#memory, F.SETFL, BigInt(O.APPEND)), "fcntl O_APPEND");
    unwrap(libc().dup2(this.#memory, STDERR), "dup2");
    stack.move();
  }

  /** What was written so far. */
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
