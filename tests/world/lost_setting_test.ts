// SPDX-License-Identifier: MIT
/** Settings that were refused because XenStore died, of cards that the daemon serves, and of cards whose guest has all that it may have. */
import assert from "node:assert/strict";
import { parseGuestLimits } from "../../lib/daemon/policy/guest_limits.ts";
import { Random } from "./machine/random.ts";
import { patientPlan } from "./operator/plan.ts";
import { playScript } from "./play.ts";
import { anyXlCard } from "./toolstack/xl_card.ts";
import { World } from "./world.ts";

/** A world that begins with a guest, whose card has one stream, and with a default device. */
const SEED = 4;
const MILLI = 1000;
const SECOND = 1_000_000;

for (const limits of ["streams=64", "streams=1"]) {
  Deno.test(`a setting that was refused as XenStore died is not kept, with --guest-limits ${limits}`, async () => {
    // Installs the machine.
    await playScript({ seed: SEED, events: [] });
    const world = new World(SEED);
    world.begin();
    const { administrator, daemons, host: { xen: { xenstored } } } = world;
    const random = new Random(SEED);
    const start = (limits: string) => {
      daemons.current?.process.kill();
      daemons.start({ ...administrator.options, guestLimits: parseGuestLimits(limits) });
    };
    administrator.isSupervised = false;
    start("streams=64");
    world.later(3 * SECOND, () => world.xl.attach(1, anyXlCard(random), random));
    world.later(5 * SECOND, () => start(limits));
    world.later(7 * SECOND, () => {
      xenstored.restartMicros = 100 * MILLI;
      xenstored.dieAtCommitOf(daemons.current!.process);
      const target = { name: "domU/1/0/0", domid: 1 };
      world.operators.start({ ...patientPlan("volume", target, random), volume: -6 });
    });
    const volume = () => xenstored.peek("/local/domain/0/backend/vsnd/1/1/operator/0/0/volume");
    await world.host.clock.runUntil(7.05 * SECOND);
    assert.equal(volume(), "-6000", "XenStore has died before the commit");
    await world.host.clock.runUntil(10 * SECOND);
    const text = world.log.lines.join("\n");
    world.close();
    assert.match(text, /nothing of domU\/1\/0\/0 is changed: XenStore, which is to keep it, is away/);
    assert.equal(text.includes("domU/1: it is not served"), limits === "streams=1", text);
    assert.equal(volume(), "0");
  });
}
