// SPDX-License-Identifier: MIT
/** Guests that do not behave: each attack is made, a world of one seed is the same twice, and their right OPEN is right. */
import assert from "node:assert/strict";
import { Random } from "../machine/random.ts";
import { addressSpace } from "../xen/address_space.ts";
import { Bench } from "../xen/xen_bench.ts";
import { ATTACKS } from "./attacks.ts";
import { HostileGuest } from "./hostile.ts";
import { LONG_ATTACKS } from "./long_attacks.ts";
import { ScriptedBackend } from "./scripted_backend.ts";

function setting(seed: number) {
  const bench = new Bench(seed);
  const dom0 = bench.xen.kernel(bench.xen.hypervisor.domain(0)!);
  const backend = new ScriptedBackend(bench.xen, bench.guest, dom0.store, { "0/0": "p", "0/1": "c" });
  const guest = new HostileGuest(bench.kernel, "device/vsnd/0", {
    log: (text) => log.push(`${bench.clock.now} ${text}`),
  });
  const log: string[] = [];
  guest.start();
  return { bench, backend, guest, log };
}

function end({ bench }: ReturnType<typeof setting>): void {
  addressSpace.checkPoison();
  assert.deepEqual(bench.reports, []);
  bench.process.kill();
  bench.xen.end();
}

/** Attacks, some of them long, with nobody at the other end who could fall. */
async function attacks(seed: number): Promise<[string[], ReadonlyMap<string, number>]> {
  const world = setting(seed);
  const { bench, backend, guest, log } = world;
  backend.isStalled = true;
  backend.setState(2);
  await bench.pass(10_000);
  const random = new Random(seed);
  for (let i = 0; i < 2000; i++) {
    guest.step(random);
    await bench.pass(guest.isBusy ? 100_000 : random.below(5000));
    if (random.oneIn(20)) backend.setState(random.between(2, 4));
  }
  log.push(`${bench.guest.ram.used} pages, ${bench.guest.ports.count} ports, ${guest.refused} refused`);
  backend.end();
  end(world);
  return [log, guest.made];
}

Deno.test("each attack is made, and the same seed makes the same ones", async () => {
  const [log, made] = await attacks(3);
  assert.deepEqual(
    [...made.keys()].sort(),
    [...new Set([...ATTACKS, ...LONG_ATTACKS].map(([name]) => name))].sort(),
  );
  assert.deepEqual((await attacks(3))[0], log);
  assert.notDeepEqual((await attacks(4))[0], log);
});

Deno.test("a hostile guest connects, and its right OPEN plays", async () => {
  const world = setting(1);
  const { bench, backend, guest } = world;
  backend.setState(2);
  await bench.pass(100_000);
  assert.equal(backend.frontendState, "4");
  for (let i = 0; i < 8; i++) {
    guest.make("play", new Random(i));
    await bench.pass(100_000);
  }
  assert.ok(backend.stream("0/0").played.length > 0);
  guest.end();
  backend.end();
  end(world);
});
