// SPDX-License-Identifier: MIT
/** Frontends that publish their rings in another way than once, in one transaction: node by node, or twice. */
import assert from "node:assert/strict";
import { stallPool } from "./events/host_events.ts";
import { PROMPT } from "./guest/blocking_store.ts";
import { Random } from "./machine/random.ts";
import { playScript } from "./play.ts";
import { anyXlCard } from "./toolstack/xl_card.ts";
import { World } from "./world.ts";

/** A world that begins with a guest, and with a default device for its card. */
const SEED = 4;
const MILLI = 1000;
const SECOND = 1_000_000;

Deno.test("half of what a frontend publishes is not refused, as long as the daemon has yet to hear of a change", async () => {
  // Installs the machine.
  await playScript({ seed: SEED, events: [] });
  const world = new World(SEED);
  world.begin();
  const { store } = world.services;
  const frontend = "/local/domain/1/device/vsnd/0";
  const node = `${frontend}/0/0/ring-ref`;
  let published: string | undefined;
  world.moments.aim("published", () => {
    // The daemon has heard of the first nodes, and is about to take the rings 200 ms later.
    world.later(5 * MILLI, () => stallPool(world, 400 * MILLI));
    world.later(100 * MILLI, () => {
      published = store.read(node);
      store.remove(node);
    });
    world.later(300 * MILLI, () => store.write(node, published!));
  });
  await world.host.clock.runUntil(10 * SECOND);
  const text = world.log.lines.join("\n");
  world.close();
  assert.match(published!, /^\d+$/, text);
  assert.match(text, /pool has no processor/);
  assert.match(text, /domU\/0: connected, /, text);
  assert.doesNotMatch(text, /not served until its frontend starts over/, text);
});

Deno.test("a kernel that finds InitWait twice publishes twice, and is connected once", async () => {
  await playScript({ seed: SEED, events: [] });
  const world = new World(SEED);
  world.begin();
  const random = new Random(SEED);
  let events = 0;
  const former = new Map<string, number>();
  world.later(4 * SECOND, () => world.xl.detach(1, 0, random));
  world.later(6 * SECOND, () => {
    world.log.write("the guest is slow");
    const { store, accounts } = world.population.present[0]!.kernel;
    for (const { name, rings } of accounts) former.set(name, rings);
    // The guest looks at its new card for the first time when the daemon would connect at once: 300 ms after InitWait.
    const lateness = () => ++events === 1 ? 400 * MILLI : 0;
    store.pace = { ...PROMPT, lateness };
    world.moments.aim("published", () => {
      // The guest writes Initialised, and finds InitWait once more. The rest takes a while.
      let calls = 0;
      store.pace = { lateness, duration: () => ++calls <= 2 ? 40 : 5 * MILLI };
    });
    world.xl.attach(1, anyXlCard(random), random);
  });
  await world.host.clock.runUntil(10 * SECOND);
  const text = world.log.lines.join("\n");
  const made = world.population.present[0]!.kernel.streams
    .map(({ account: { name, rings } }) => rings - (former.get(name) ?? 0));
  world.close();
  const [, second] = text.split("the guest is slow");
  assert(made.length > 0 && made.every((rings) => rings === 2), `rings made: ${made}\n${text}`);
  assert.equal(second!.match(/domU\/0: connected, /g)?.length, 1, text);
  assert.doesNotMatch(second!, /disconnected|not served/, text);
});
