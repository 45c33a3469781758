// SPDX-License-Identifier: MIT
/** The kernel's figures on a daemon's process. */
import type { Process } from "../sandbox/harness.ts";

/** A daemon's engine thread. */
export class EngineThread {
  readonly #directory: string;

  constructor({ pid }: Process) {
    const threads = Array.from(
      Deno.readDirSync(`/proc/${pid}/task`),
      ({ name }) => `/proc/${pid}/task/${name}`,
    );
    this.#directory = threads.find((thread) => Deno.readTextFileSync(`${thread}/comm`).startsWith("worker"))!;
  }

  /** CPU time of the thread, in seconds. */
  get cpuSeconds(): number {
    return Number(Deno.readTextFileSync(`${this.#directory}/schedstat`).split(" ")[0]) / 1e9;
  }

  /** How often the thread has gone to sleep. */
  get sleeps(): number {
    const status = Deno.readTextFileSync(`${this.#directory}/status`);
    return Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)![1]);
  }
}

/** Resident memory of the whole process, in MiB. */
export function residentMegabytes({ pid }: Process): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) / 1024;
}
