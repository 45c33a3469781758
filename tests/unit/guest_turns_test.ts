// SPDX-License-Identifier: MIT
/** Tests which guests the engine may serve. */
import assert from "node:assert/strict";
import { GuestTurns, REST_MS } from "../../lib/engine/guest_turns.ts";

const guest = (domid: number) => ({ domid, requests: 10_000, moved: 128 });
/** A cost greater than a whole budget. */
const DEBT = 1_500_000;

Deno.test("GuestTurns knows a guest by its domid, over all its streams and connections", () => {
  const turns = new GuestTurns();
  assert.equal(turns.budgetOf(guest(1)), turns.budgetOf(guest(1)));
  assert.notEqual(turns.budgetOf(guest(1)), turns.budgetOf(guest(2)));
});

Deno.test("GuestTurns ends a guest's turn at its share, and begins it again with the engine's next", () => {
  const turns = new GuestTurns();
  const [one, two] = [turns.budgetOf(guest(1)), turns.budgetOf(guest(2))];
  turns.begin();
  assert(turns.mayServe(one));
  one.charge(0, 10_000);
  assert(!turns.mayServe(one));
  assert(turns.mayServe(two), "another guest is not concerned");
  turns.begin();
  assert(turns.mayServe(one));
});

Deno.test("GuestTurns serves no guest that rests, and ends the rest when the budget has come in again", () => {
  const turns = new GuestTurns();
  const [one, two] = [turns.budgetOf(guest(1)), turns.budgetOf(guest(2))];
  turns.begin();
  one.charge(0, DEBT);
  turns.rest(one, 0);
  assert(turns.anyRests && turns.rests(one) && !turns.rests(two));
  let now = 0;
  for (; now < DEBT - 1_000_000; now += REST_MS * 1000) {
    assert.equal(turns.endRests(now), false, `at ${now} µs`);
    turns.begin();
    assert(!turns.mayServe(one));
    assert(turns.mayServe(two));
  }
  assert.equal(turns.endRests(now), true);
  assert(!turns.anyRests);
  turns.begin();
  assert(turns.mayServe(one));
});

Deno.test("GuestTurns looks at resting guests every 5 ms, and no more often", () => {
  const turns = new GuestTurns();
  const budget = turns.budgetOf(guest(1));
  turns.rest(budget, 1000);
  assert.equal(turns.endRests(1000 + REST_MS * 1000 - 1), false, "though the budget is whole");
  assert.equal(turns.endRests(1000 + REST_MS * 1000), true);
});

Deno.test("a guest's devices and requests take turns at being first, whatever turns other guests have", () => {
  const turns = new GuestTurns();
  const [one, two] = [turns.budgetOf(guest(1)), turns.budgetOf(guest(2))];
  const orders: boolean[] = [];
  for (let others = 0; others < 8; others++) {
    for (let i = 0; i < others; i++) {
      turns.begin();
      assert(turns.mayServe(two));
    }
    turns.begin();
    assert(turns.mayServe(one) && turns.mayServe(two) && turns.mayServe(one));
    orders.push(one.areDevicesFirst);
  }
  assert.deepEqual(orders, [true, false, true, false, true, false, true, false]);
});
