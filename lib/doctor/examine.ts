/**
 * All checks, none of which can keep the others from being done: they run in a thread of their own, and one that does not
 * answer in time is left there, while another thread goes on after it.
 */
import { fail, type Finding } from "./finding.ts";
import { CHECKS } from "./groups.ts";
import type { CheckDone } from "./worker.ts";

export interface GroupedFinding extends Finding {
  readonly group: string;
}

/**
 * Yields what each check found, in the table's order. A check may take `timeoutMs`. Threads that hang in a C library cannot be
 * ended: leave the process with Deno.exit().
 */
export async function* examine(timeoutMs: number): AsyncGenerator<readonly GroupedFinding[]> {
  let thread: CheckThread | undefined;
  for (const [index, { group, subject }] of CHECKS.entries()) {
    thread ??= new CheckThread(index);
    const findings = await thread.next(timeoutMs);
    if (findings === undefined) thread = undefined;
    const found = findings ?? [fail(subject, `no answer within ${timeoutMs / 1000} s`)];
    yield found.map((finding) => ({ group, ...finding }));
  }
}

class CheckThread {
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "doctor" });
  readonly #done: CheckDone[] = [];
  #arrived = Promise.withResolvers<void>();

  constructor(first: number) {
    this.#worker.onmessage = ({ data }: MessageEvent<CheckDone>) => {
      this.#done.push(data);
      this.#arrived.resolve();
    };
    this.#worker.postMessage(first);
  }

  /** What the next check has found; undefined if it takes too long. */
  async next(timeoutMs: number): Promise<CheckDone | undefined> {
    if (this.#done.length === 0) {
      this.#arrived = Promise.withResolvers<void>();
      const timer = setTimeout(this.#arrived.resolve, timeoutMs);
      await this.#arrived.promise;
      clearTimeout(timer);
    }
    const done = this.#done.shift();
    // What it would still say belongs to checks that are done anew.
    if (done === undefined) this.#worker.onmessage = null;
    return done;
  }
}
