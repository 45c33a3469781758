// SPDX-License-Identifier: MIT
/** For tests of the guests: a machine with one guest, whose kernel has the stock driver, and a scripted backend for its card. */
import assert from "node:assert/strict";
import { type EventIdBehaviour, formatByName } from "../../../lib/sndif/mod.ts";
import { addressSpace } from "../xen/address_space.ts";
import type { GuestStore } from "../xen/guest_domain.ts";
import { Bench } from "../xen/xen_bench.ts";
import type { StreamAccount } from "./account.ts";
import type { PcmConfig } from "./hw_params.ts";
import { LinuxKernel } from "./linux_kernel.ts";
import type { StreamPlace } from "./program.ts";
import { ScriptedBackend } from "./scripted_backend.ts";

export const GENERATIONS: readonly EventIdBehaviour[] = ["linux-6.1", "linux-7.2"];

export const PLAYBACK: StreamPlace = { nodename: "device/vsnd/0", place: "0/0" };
export const CAPTURE: StreamPlace = { nodename: "device/vsnd/0", place: "0/1" };

/** 48 kHz, a period of 10 ms, a buffer of 40 ms. */
export const CONFIG: PcmConfig = {
  format: formatByName("s16_le")!.code,
  rate: 48_000,
  channels: 2,
  bufferFrames: 1920,
  periodFrames: 480,
};

export class GuestRig {
  readonly bench: Bench;
  backend: ScriptedBackend;
  readonly kernel: LinuxKernel;
  readonly log: string[] = [];
  readonly #store: GuestStore;

  constructor(generation: EventIdBehaviour, seed = 1) {
    this.bench = new Bench(seed);
    const { xen, clock } = this.bench;
    this.#store = xen.kernel(xen.hypervisor.domain(0)!).store;
    this.backend = this.provision();
    let tag = 0;
    this.kernel = new LinuxKernel(clock, this.bench.kernel, {
      generation,
      nextTag: () => ++tag,
      log: (text) => this.log.push(`${clock.now} ${text}`),
    });
    this.kernel.start();
  }

  /** Provisions the guest's card, and makes a backend for it. */
  provision(): ScriptedBackend {
    const { xen, guest } = this.bench;
    const places = { "0/0": "p", "0/1": "c" } as const;
    this.backend = new ScriptedBackend(xen, guest, this.#store, places, {
      "sample-formats": "s16_le,s32_le",
    });
    return this.backend;
  }

  pass(micros: number): Promise<void> {
    return this.bench.pass(micros);
  }

  /** Lets time go by until `isMet`, or fails. */
  async until(what: string, isMet: () => boolean, micros = 60_000_000): Promise<void> {
    const { clock } = this.bench;
    for (const end = clock.now + micros; !isMet();) {
      assert.ok(clock.now < end, `${what} does not come within ${micros / 1e6} s`);
      await this.pass(1000);
    }
  }

  /** The card comes up. */
  async connect(): Promise<void> {
    this.backend.setState(2);
    await this.until("a connected card", () => this.backend.frontendState === "4");
  }

  account(at: StreamPlace): StreamAccount {
    const found = [...this.kernel.accounts].find(({ name }) =>
      name.startsWith(`${at.nodename} ${at.place} `)
    );
    assert.ok(found !== undefined, `no account of ${at.place}`);
    return found;
  }

  /** Ends the world, and checks that nothing was misused. */
  async end(): Promise<void> {
    this.backend.end();
    await this.pass(100_000);
    addressSpace.checkPoison();
    assert.deepEqual(this.bench.reports, []);
    this.bench.process.kill();
    this.bench.xen.end();
  }
}
