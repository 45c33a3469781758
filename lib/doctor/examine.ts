// SPDX-License-Identifier: MIT
/**
 * Running all checks so that none can stop the others. The checks run in a worker. A worker that does not answer in time is
 * abandoned, and a new worker runs the next check.
 */
import { LibraryNotFoundError } from "../../ffi/base/library.ts";
import { KeptStderr } from "../../ffi/libc/stderr.ts";
import { fail, type Finding } from "./doctor_finding.ts";
import { CHECKS } from "./check_groups.ts";
import type { CheckDone } from "./doctor_worker.ts";

export interface GroupedFinding extends Finding {
  readonly group: string;
  /** Of a failure: the page of the docs that says more. */
  readonly page?: string;
}

/**
 * Yields the findings of each check, in the table's order. A check may take `timeoutMs`. A worker that hangs in a C library cannot
 * be terminated: leave the process with Deno.exit().
 */
export async function* examine(timeoutMs: number): AsyncGenerator<readonly GroupedFinding[]> {
  let thread: CheckThread | undefined;
  using stderr = keepStderr();
  for (const [index, { group, page, subject }] of CHECKS.entries()) {
    thread ??= new CheckThread();
    const findings = await thread.check(index, timeoutMs);
    // A worker that answers late gets no further check.
    if (findings === undefined) {
      thread = undefined;
      // The worker may hold stderr to read the messages of libasound.
      stderr?.restore();
    }
    const found = findings ?? [fail(subject, `no answer within ${timeoutMs / 1000} s`)];
    yield found.map((finding) => ({ group, ...finding, ...(finding.level === "fail" && { page }) }));
  }
}

/** The saved stderr; undefined without libc, which a check reports. */
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

  /** The findings of the check number `index`; undefined if it takes longer than `timeoutMs`. */
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
