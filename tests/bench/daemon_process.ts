// SPDX-License-Identifier: MIT
/** What the kernel tells of a daemon's process. */
import type { Process } from "../sandbox/harness.ts";

/** The engine's thread of a daemon. */
export class EngineThread {
  readonly #directory: string;

  constructor({ pid }: Process) {
    const threads = Array.from(
      Deno.readDirSync(`/proc/${pid}/task`),
      ({ name }) => `/proc/${pid}/task/${name}`,
    );
    this.#directory = threads.find((thread) => Deno.readTextFileSync(`${thread}/comm`).startsWith("worker"))!;
  }

  /** Seconds that it has spent on a processor. */
  get cpuSeconds(): number {
    return Number(Deno.readTextFileSync(`${this.#directory}/schedstat`).split(" ")[0]) / 1e9;
  }

  /** How often it has gone to sleep. */
  get sleeps(): number {
    const status = Deno.readTextFileSync(`${this.#directory}/status`);
    return Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)![1]);
  }
}

/** Memory of the whole process that is in RAM, in MB of 2^20. */
export function residentMegabytes({ pid }: Process): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) / 1024;
}
