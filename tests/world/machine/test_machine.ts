// SPDX-License-Identifier: MIT
/** A machine with files and sockets and nothing else, for the tests of these. */
import assert from "node:assert/strict";
import { Clock } from "./clock.ts";
import { isOfDeath, Process, type ProcessOptions } from "./process.ts";
import { Random } from "./random.ts";
import { installSockets, UnixSockets } from "./unix_sockets.ts";
import { installFiles, VirtualFiles } from "./virtual_files.ts";

/** The longest time that a process of a test takes to wake up. */
const LATENCY_MICROS = 200;

export class TestMachine {
  readonly clock = new Clock();
  readonly random: Random;
  readonly files = new VirtualFiles();
  readonly sockets = new UnixSockets(this.files);
  /** Defects: what threads have thrown, and what the machine does not have. */
  readonly defects: unknown[] = [];
  #lastPid = 100;

  constructor(seed = 1) {
    this.random = new Random(seed);
    installFiles(this.files);
    installSockets(this.sockets);
  }

  process(name: string, options: Partial<ProcessOptions> = {}): Process {
    return new Process(this.clock, name, {
      domid: 0,
      pid: ++this.#lastPid,
      latency: () => this.random.between(1, LATENCY_MICROS),
      failed: (error) => this.defects.push(error),
      ...options,
    });
  }

  /** Runs `body` as code of `process`, and all else that happens until `body` is done. Throws what `body` throws. */
  async run<T>(process: Process, body: () => Promise<T>, mostMicros = 60e6): Promise<T> {
    const outcome = this.start(process, body);
    const deadline = this.clock.now + mostMicros;
    while (outcome.settled === undefined && (this.clock.next ?? Infinity) <= deadline) {
      await this.clock.runUntil(this.clock.next!);
    }
    const { settled } = outcome;
    assert(settled !== undefined, `${process.name} is not done after ${mostMicros} µs`);
    if ("error" in settled) throw settled.error;
    return settled.value;
  }

  /** Starts `body` as code of `process`. */
  start<T>(process: Process, body: () => Promise<T>): Outcome<T> {
    const outcome: Outcome<T> = { settled: undefined };
    process.main.post(0, () => {
      body().then((value) => outcome.settled = { value }, (error) => {
        if (!isOfDeath(error)) outcome.settled = { error };
      });
    });
    return outcome;
  }

  /** Lets `micros` pass. */
  async pass(micros: number): Promise<void> {
    await this.clock.runUntil(this.clock.now + micros);
  }
}

/** What has become of code that was started; undefined: nothing yet. */
export interface Outcome<T> {
  settled: { readonly value: T } | { readonly error: unknown } | undefined;
}
