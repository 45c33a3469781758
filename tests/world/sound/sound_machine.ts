// SPDX-License-Identifier: MIT
/** A machine with sound cards and one process, for tests of the virtual cards. Importing this file installs the virtual platform. */
import { libcSymbols } from "../../../ffi/libc/libc.ts";
import { Clock } from "../machine/clock.ts";
import { virtualLibc } from "../machine/libc.ts";
import { installPlatform, real } from "../machine/platform.ts";
import { Process } from "../machine/process.ts";
import { HostCards } from "./host_cards.ts";
import { virtualLibasound } from "./libasound.ts";
import type { SoundReports } from "./reports.ts";

let current: SoundMachine | undefined;

installPlatform({
  "libc.so": () => virtualLibc(real.dlopen("libc.so.6", libcSymbols).symbols, { copied: () => {} }),
  "libasound": (symbols) => virtualLibasound(symbols, () => current!.host),
});

export class SoundMachine {
  readonly clock = new Clock();
  readonly host: HostCards;
  readonly process: Process;
  readonly violations: string[] = [];
  readonly failures: unknown[] = [];

  constructor(reports: Partial<SoundReports> = {}) {
    this.host = new HostCards(this.clock, {
      ...reports,
      violated: (what) => void this.violations.push(what),
    });
    this.host.addNull();
    this.process = this.start("daemon");
    current = this;
  }

  start(name: string): Process {
    return new Process(this.clock, name, {
      domid: 0,
      pid: 1,
      latency: () => 20,
      failed: (error) => void this.failures.push(error),
    });
  }

  /** Runs `body` as the code of the process, and time until `body` has ended. */
  async run<T>(body: () => T | Promise<T>, process = this.process): Promise<T> {
    current = this;
    let outcome: { value: T } | { error: unknown } | undefined;
    const whole = async () => {
      try {
        outcome = { value: await body() };
      } catch (error) {
        outcome = { error };
      }
    };
    process.main.post(0, () => void whole());
    while (outcome === undefined) {
      const { next } = this.clock;
      if (next === undefined) throw new Error("the process waits for what never comes");
      await this.clock.runUntil(next);
      if (this.failures.length > 0) throw this.failures[0];
    }
    if ("error" in outcome) throw outcome.error;
    return outcome.value;
  }

  /** Lets `micros` µs pass. */
  pass(micros: number): Promise<void> {
    return this.clock.runUntil(this.clock.now + micros);
  }
}
