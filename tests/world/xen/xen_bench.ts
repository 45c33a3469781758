// SPDX-License-Identifier: MIT
/** For tests of the world's Xen: the platform with Xen's libraries, a machine with one guest, and tests that run as code of a process. */
import assert from "node:assert/strict";
import { libcSymbols } from "../../../ffi/libc/libc.ts";
import { openNativeXen } from "../../../lib/xen/native/xen.ts";
import type { Xen } from "../../../lib/xen/ports.ts";
import { Clock } from "../machine/clock.ts";
import { virtualLibc } from "../machine/libc.ts";
import { installPlatform, real } from "../machine/platform.ts";
import { currentThread, Process } from "../machine/process.ts";
import { Random } from "../machine/random.ts";
import { addressSpace, installViewWatch } from "./address_space.ts";
import { domainCounters, processCounters } from "./counters.ts";
import type { Domain } from "./domain.ts";
import { makeDomain } from "./domain_nodes.ts";
import type { GuestKernel } from "./guest_kernel.ts";
import { virtualLibxengnttab } from "./libxengnttab.ts";
import { virtualLibxenevtchn } from "./libxenevtchn.ts";
import { virtualLibxenstore } from "./libxenstore.ts";
import { enterXen, XenMachine } from "./machine.ts";

const libc = virtualLibc(real.dlopen("libc.so.6", libcSymbols).symbols, addressSpace);
installPlatform({
  // The contract's cases block in poll(2): their thread stands still, and nothing happens meanwhile.
  "libc.so": () => ({
    ...libc,
    hot_poll: (fds: NonNullable<Deno.PointerValue>, count: number, timeout: number) => {
      const ready = libc.hot_poll(fds, count, timeout);
      if (ready !== -1 || timeout < 0) return ready;
      currentThread().spend(timeout * 1000);
      return libc.hot_poll(fds, count, 0);
    },
  }),
  libxenstore: virtualLibxenstore,
  libxengnttab: virtualLibxengnttab,
  libxenevtchn: virtualLibxenevtchn,
});
installViewWatch();

/** A machine with dom0 and a guest, and a process in dom0. */
export class Bench {
  readonly clock = new Clock();
  readonly reports: string[] = [];
  readonly xen: XenMachine;
  readonly process: Process;
  readonly guest: Domain;
  readonly kernel: GuestKernel;

  constructor(seed = 1) {
    this.xen = new XenMachine(this.clock, seed, (what) => this.reports.push(what));
    enterXen(this.xen);
    this.guest = makeDomain(this.xen, { domid: 1, name: "domU" });
    this.kernel = this.xen.kernel(this.guest);
    this.process = this.start("test", 0, seed);
  }

  start(name: string, domid: number, seed: number): Process {
    const random = new Random(seed);
    const failed = (error: unknown) => void this.reports.push(String((error as Error).stack));
    return new Process(this.clock, name, { domid, pid: 1, latency: () => random.between(1, 200), failed });
  }

  /** Lets `micros` µs go by. */
  async pass(micros: number): Promise<void> {
    await this.clock.runUntil(this.clock.now + micros);
  }

  /** Runs `body` as code of the process, and lets time go on until `body` is done. */
  async run(body: () => void | Promise<void>): Promise<void> {
    const end: { error?: unknown }[] = [];
    this.process.main.post(0, () => {
      Promise.resolve().then(body).then(() => end.push({}), (error) => end.push({ error }));
    }, 20);
    while (end.length === 0) {
      const next = this.clock.next;
      assert(next !== undefined, "nothing more happens, and the case waits");
      await this.clock.runUntil(next);
    }
    if ("error" in end[0]!) throw end[0].error;
  }

  /** Calls `body` as code of domain `domid`. */
  as<T>(domid: number, body: () => T): T {
    this.process.domid = domid;
    try {
      return body();
    } finally {
      this.process.domid = 0;
    }
  }

  /** Xen as domain `domid` sees it. */
  xenOf(domid: number): Xen {
    const xen = this.as(domid, () => openNativeXen());
    return {
      kind: xen.kind,
      domid: xen.domid,
      store: xen.store,
      openGrantTable: () => this.as(domid, () => xen.openGrantTable()),
      openGrantSharer: () => this.as(domid, () => xen.openGrantSharer()),
      openEventChannels: () => this.as(domid, () => xen.openEventChannels()),
      [Symbol.dispose]: () => xen[Symbol.dispose](),
    };
  }

  /** Ends the process, and checks that nothing is left, and what was reported. */
  end(reports: readonly string[] = []): void {
    this.process.kill();
    const none = { connections: 0, watches: 0, transactions: 0, ports: 0 };
    assert.deepEqual(processCounters(this.xen, this.process), { ...none, mappings: 0, pages: 0 });
    assert.equal(this.xen.hypervisor.mappedPages, 0);
    for (const domain of this.xen.hypervisor.domains) {
      const { grants, frames, ports } = domainCounters(this.xen, domain);
      assert.deepEqual([grants, frames, ports], [0, 0, 0]);
    }
    addressSpace.checkPoison();
    assert.deepEqual(this.reports, reports);
    this.xen.end();
  }
}

/** Declares a test that runs as code of a process of the world. */
export function test(name: string, body: (bench: Bench) => void | Promise<void>): void {
  Deno.test(name, async () => {
    const bench = new Bench();
    await bench.run(() => body(bench));
    bench.end();
  });
}
