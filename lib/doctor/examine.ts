// SPDX-License-Identifier: MIT
/**
 * All checks, none of which can keep the others from being done: they run in a thread of their own, and one that does not
 * answer in time is left there, while another thread goes on after it.
 */
import { LibraryNotFoundError } from "../../ffi/base/library.ts";
import { KeptStderr } from "../../ffi/libc/stderr.ts";
import { fail, type Finding } from "./doctor_finding.ts";
import { CHECKS } from "./check_groups.ts";
import type { CheckDone } from "./doctor_worker.ts";

export interface GroupedFinding extends Finding {
  readonly group: string;
}

/**
 * Yields what each check found, in the table's order. A check may take `timeoutMs`. Threads that hang in a C library cannot be
 * ended: leave the process with Deno.exit().
 */
export async function* examine(timeoutMs: number): AsyncGenerator<readonly GroupedFinding[]> {
  let thread: CheckThread | undefined;
  using stderr = keepStderr();
  for (const [index, { group, subject }] of CHECKS.entries()) {
    thread ??= new CheckThread();
    const findings = await thread.check(index, timeoutMs);
    // One that comes back late is asked for nothing more.
    if (findings === undefined) {
      thread = undefined;
      // It may be listening to libasound.
      stderr?.restore();
    }
    const found = findings ?? [fail(subject, `no answer within ${timeoutMs / 1000} s`)];
    yield found.map((finding) => ({ group, ...finding }));
  }
}

/** Undefined without libc, which is a finding. */
function keepStderr(): KeptStderr | undefined {
  try {
    return new KeptStderr();
  } catch (error) {
    if (error instanceof LibraryNotFoundError) return undefined;
    throw error;
  }
}

class CheckThread {
  readonly #worker = new Worker(new URL("./doctor_worker.ts", import.meta.url), {
    type: "module",
    name: "doctor",
  });

  /** What the check of that index has found; undefined if it takes too long. */
  async check(index: number, timeoutMs: number): Promise<CheckDone | undefined> {
    const { promise, resolve } = Promise.withResolvers<CheckDone | undefined>();
    const timer = setTimeout(() => resolve(undefined), timeoutMs);
    this.#worker.onmessage = ({ data }: MessageEvent<CheckDone>) => resolve(data);
    this.#worker.postMessage(index);
    const done = await promise;
    clearTimeout(timer);
    return done;
  }
}
