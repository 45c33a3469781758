// SPDX-License-Identifier: MIT
/** For tests of the toolstack: a machine with Xen, xl, guests that obey, and a backend that follows XenBus. */
import { libcSymbols } from "../../../ffi/libc/libc.ts";
import { Clock } from "../machine/clock.ts";
import { virtualLibc } from "../machine/libc.ts";
import { installPlatform, real, reportUnhandled } from "../machine/platform.ts";
import { Process } from "../machine/process.ts";
import { mix, Random } from "../machine/random.ts";
import { addressSpace, installViewWatch } from "../xen/address_space.ts";
import type { Domain } from "../xen/domain.ts";
import type { GuestKernel } from "../xen/guest_kernel.ts";
import { virtualLibxengnttab } from "../xen/libxengnttab.ts";
import { virtualLibxenevtchn } from "../xen/libxenevtchn.ts";
import { virtualLibxenstore } from "../xen/libxenstore.ts";
import { enterXen, XenMachine } from "../xen/machine.ts";
import { Account } from "./account.ts";
import { type Nodes, snapshotOf } from "./nodes.ts";
import { domainProblems, staleCards } from "./oracle.ts";
import type { AnyProgram, Program } from "./steps.ts";
import { type XenControls, XenDom0Store, xenServices } from "./xen_services.ts";
import { Xl } from "./xl.ts";

const libc = virtualLibc(real.dlopen("libc.so.6", libcSymbols).symbols, addressSpace);
installPlatform({
  "libc.so": () => libc,
  libxenstore: virtualLibxenstore,
  libxengnttab: virtualLibxengnttab,
  libxenevtchn: virtualLibxenevtchn,
});
installViewWatch();

export const SECOND = 1_000_000;

const reports: unknown[] = [];
reportUnhandled((error) => reports.push(error));

/** How the backend treats its cards. */
export type BackendMood = "follows" | "hangs";

/** What a guest's kernel does with the toolstack's wishes. */
export type GuestMood = "obeys" | "hangs";

export class Bench {
  readonly clock = new Clock();
  readonly log: string[] = [];
  readonly xen: XenMachine;
  readonly account = new Account();
  readonly services;
  readonly xl: Xl;
  readonly controls: XenControls;
  backend: BackendMood = "follows";
  guests: GuestMood = "obeys";
  readonly #kernels = new Map<Domain, GuestKernel>();
  #processes = 0;

  constructor(readonly seed = 1) {
    this.xen = new XenMachine(this.clock, seed, (what) => reports.push(what));
    enterXen(this.xen);
    const builder = {
      build: (domain: Domain) => this.#boot(domain),
      loaded: () => {},
      resumed: () => {},
    };
    this.services = xenServices(this.xen, builder, (line) => this.log.push(`${this.clock.now} ${line}`));
    this.controls = this.services.controls;
    this.xl = new Xl(this.services, this.account);
    this.#serve();
  }

  /** Chance of a use of its own. */
  random(use = 0): Random {
    return new Random(mix(this.seed, 100 + use));
  }

  newProcess(name: string): Process {
    const random = this.random(1000 + ++this.#processes);
    return new Process(this.clock, name, {
      domid: 0,
      pid: 1000 + this.#processes,
      latency: () => random.between(1, 200),
      failed: (error) => reports.push(error),
    });
  }

  /** A kernel that obeys the wishes in control/shutdown. */
  #boot(domain: Domain): void {
    const kernel = this.xen.kernel(domain);
    this.#kernels.set(domain, kernel);
    domain.later(10_000, () => {
      kernel.store.watch("control/shutdown", () => this.#wish(kernel, domain));
    });
  }

  #wish(kernel: GuestKernel, domain: Domain): void {
    const wish = kernel.store.read("control/shutdown");
    if (this.guests === "hangs" || wish !== "poweroff" && wish !== "reboot" && wish !== "suspend") return;
    kernel.store.write("control/shutdown", "");
    domain.later(5_000, () => this.controls.shutsDown(domain, wish));
  }

  /** A backend that takes each card up and closes it when asked, as the daemon would with a driver that never comes. */
  #serve(): void {
    const store = new XenDom0Store(this.clock, this.xen.xenstored);
    const root = "/local/domain/0/backend/vsnd";
    const look = () => {
      if (this.backend === "hangs") return;
      for (const domid of store.list(root) ?? []) {
        for (const card of store.list(`${root}/${domid}`) ?? []) {
          const path = `${root}/${domid}/${card}`;
          const state = store.read(`${path}/state`);
          if (state === undefined) continue;
          const isOffline = store.read(`${path}/online`) === "0";
          const wanted = isOffline ? "6" : "2";
          if (state !== wanted) this.#answer(store, path, state, wanted);
        }
      }
    };
    store.watch(root, look);
  }

  #answer(store: XenDom0Store, path: string, state: string, wanted: string): void {
    this.clock.after(2_000, () => {
      if (store.read(`${path}/state`) === state) store.write(`${path}/state`, wanted);
    });
  }

  get nodes(): Nodes {
    return snapshotOf(this.services.store);
  }

  /** All that the toolstack's account finds wrong now. */
  problems(): string[] {
    const { nodes, account } = this;
    return [...account.settle(nodes), ...staleCards(nodes, account), ...domainProblems(nodes, account)];
  }

  async pass(micros: number): Promise<void> {
    await this.clock.runUntil(this.clock.now + micros);
  }

  /** Lets time go on until `isOver`, at most `seconds` s. */
  async until(isOver: () => boolean, seconds = 120): Promise<void> {
    const end = this.clock.now + seconds * SECOND;
    while (!isOver()) {
      const { next } = this.clock;
      if (next === undefined || next > end) {
        throw new Error(`not over after ${seconds} s:\n${this.log.join("\n")}`);
      }
      await this.clock.runUntil(next);
    }
  }

  /** Runs a program to its end, and returns what it returns. */
  async finish<T>(program: Program<T>): Promise<T> {
    await this.over(program);
    const { name, outcome } = program;
    if (outcome?.kind !== "done") throw new Error(`${name}: ${JSON.stringify(outcome)}`);
    return outcome.value;
  }

  /** Lets time go on until `programs` have ended. */
  over(...programs: readonly AnyProgram[]): Promise<void> {
    return this.until(() => programs.every(({ isRunning }) => !isRunning), 200);
  }

  /** The world's end: throws if anything was reported. */
  end(): void {
    this.xen.end();
    const [first] = reports.splice(0);
    if (first !== undefined) throw first;
  }
}

/** Declares a test on a bench of its own. */
export function test(name: string, body: (bench: Bench) => Promise<void>): void {
  Deno.test(name, async () => void await onBench(body));
}

export async function onBench(body: (bench: Bench) => Promise<void>, seed = 1): Promise<Bench> {
  const bench = new Bench(seed);
  await body(bench);
  bench.end();
  return bench;
}
