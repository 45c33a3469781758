// SPDX-License-Identifier: MIT
/** For tests of the toolstack: a machine with Xen, xl, guests that obey, and a backend that follows XenBus. */
import "../machine/preload.ts";
import { announcementPath } from "../../../lib/daemon/announcement.ts";
import { Daemons } from "../daemon.ts";
import { Host, install, recordText } from "../host.ts";
import type { Clock } from "../machine/clock.ts";
import { mix, Random } from "../machine/random.ts";
import type { Domain } from "../xen/domain.ts";
import { makeDomain } from "../xen/domain_nodes.ts";
import type { GuestKernel } from "../xen/guest_kernel.ts";
import { Account } from "./account.ts";
import { Administrator } from "./administrator.ts";
import { Nodes } from "./nodes.ts";
import { PolicyHistory } from "./policy_history.ts";
import { announcementProblems, domainProblems, staleCards } from "./oracle.ts";
import { Provisioner, type RunningCommand } from "./provisioner.ts";
import type { ProcessExit } from "./run_process.ts";
import type { AnyProgram, Program } from "./steps.ts";
import { type XenControls, XenDom0Store, xenServices } from "./xen_services.ts";
import { Xl } from "./xl.ts";

await install();

export const SECOND = 1_000_000;

/** How the backend treats its cards. */
export type BackendMood = "follows" | "hangs";

/** What a guest's kernel does with the toolstack's wishes. */
export type GuestMood = "obeys" | "hangs";

export class Bench {
  readonly log: string[] = [];
  readonly defects: string[] = [];
  readonly host: Host;
  readonly account = new Account(() => this.history?.changed(), () => this.clock.now);
  readonly services;
  readonly xl: Xl;
  readonly provisioner: Provisioner;
  readonly daemons: Daemons;
  readonly administrator: Administrator;
  readonly history: PolicyHistory;
  readonly controls: XenControls;
  backend: BackendMood = "follows";
  guests: GuestMood = "obeys";

  /** @param hasBackend whether the bench's own backend serves, in place of a daemon */
  constructor(readonly seed: number, hasBackend: boolean) {
    this.host = new Host(seed, {
      log: (text) => this.#log(text),
      record: (process, record) => {
        this.#log(`${process.name}: ${recordText(record)}`);
        this.administrator.logged(process, record);
      },
      sound: {},
      defect: (what) => this.defects.push(what),
    });
    this.host.enter();
    const builder = {
      build: (domain: Domain) => this.#boot(domain),
      loaded: () => {},
      resumed: () => {},
    };
    this.services = xenServices(this.host.xen, builder, (line) => this.#log(line));
    this.controls = this.services.controls;
    this.xl = new Xl(this.services, this.account);
    const newProcess = (name: string) => this.host.process(name);
    this.provisioner = new Provisioner({ newProcess, log: (line) => this.#log(line) }, this.account);
    const log = (line: string) => this.#log(line);
    this.daemons = new Daemons(this.host, log, (run) => this.administrator.ended(run, this.random(3000)));
    this.administrator = new Administrator({
      clock: this.clock,
      files: this.host.files,
      daemons: this.daemons,
      log,
      changed: () => this.history.changed(),
    });
    this.history = new PolicyHistory({
      now: () => this.clock.now,
      account: this.account,
      policies: () => this.administrator.policies,
      nodes: () => this.nodes,
    });
    if (hasBackend) this.#serve();
    else this.#followDaemons();
  }

  get clock(): Clock {
    return this.host.clock;
  }

  #log(text: string): void {
    this.log.push(`${this.clock.now} ${text}`);
  }

  #followDaemons(): void {
    const path = `${announcementPath(0)}/status`;
    const { store } = this.services;
    store.watch(path, () => {
      this.daemons.announcementChanged(store.read(path));
      this.history.changed();
    });
  }

  /** Chance of a use of its own. */
  random(use = 0): Random {
    return new Random(mix(this.seed, 100 + use));
  }

  /** A kernel that obeys the wishes in control/shutdown. */
  #boot(domain: Domain): void {
    const kernel = this.host.xen.kernel(domain);
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
    const store = new XenDom0Store(this.clock, this.host.xen.xenstored);
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
    return new Nodes(this.host.xen.xenstored.xenstore.database.snapshot.root);
  }

  /** All that the toolstack's account finds wrong now. */
  problems(): string[] {
    const { nodes, account } = this;
    const { current, runs } = this.daemons;
    const announced = current?.servesSince !== undefined && !current.isStopping
      ? announcementProblems(nodes, "serving")
      : current === undefined && runs.at(-1)?.ending === "in order"
      ? announcementProblems(nodes, "ended")
      : [];
    return [
      ...account.settle(nodes),
      ...staleCards(nodes, account),
      ...domainProblems(nodes, account),
      ...announced,
    ];
  }

  async pass(micros: number): Promise<void> {
    await this.clock.runUntil(this.clock.now + micros);
  }

  /** A domain without cards that runs, as if xl had made it long ago. */
  domain(name: string): number {
    const { domid } = makeDomain(this.host.xen, { name });
    const uuid = this.nodes.value(`/local/domain/${domid}/vm`)!.slice("/vm/".length);
    this.account.domainMade(domid, name, uuid).phase = "whole";
    return domid;
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

  /** Runs a command to its end, and returns its exit. */
  async exitOf(command: RunningCommand): Promise<ProcessExit> {
    await this.until(() => command.exit !== undefined);
    return command.exit!;
  }

  /** Lets time go on until `programs` have ended. */
  over(...programs: readonly AnyProgram[]): Promise<void> {
    return this.until(() => programs.every(({ isRunning }) => !isRunning), 200);
  }

  /** The world's end: throws if there was a defect. */
  end(): void {
    for (const process of this.host.processes) process.kill();
    this.host.xen.end();
    if (this.defects.length > 0) throw new Error(`${this.defects.join("\n")}\n${this.log.join("\n")}`);
  }
}

export interface BenchOptions {
  readonly seed?: number;
  readonly hasBackend?: boolean;
}

/** Declares a test on a bench of its own. */
export function test(name: string, body: (bench: Bench) => Promise<void>, options: BenchOptions = {}): void {
  Deno.test(name, async () => void await onBench(body, options));
}

export async function onBench(
  body: (bench: Bench) => Promise<void>,
  { seed = 1, hasBackend = true }: BenchOptions = {},
): Promise<Bench> {
  const bench = new Bench(seed, hasBackend);
  await body(bench);
  bench.end();
  return bench;
}
