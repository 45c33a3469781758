// SPDX-License-Identifier: MIT
/** Tests how much of the engine's time a guest may use. */
import assert from "node:assert/strict";
import { GuestBudget, IDLE_SIGNAL_COST, INTERRUPT_COST } from "../../lib/engine/guest_budget.ts";
import { DEFAULT_LIMITS } from "../../lib/daemon/policy/guest_limits.ts";

/** The cost of a request at a limit of 10 000 requests a second. */
const REQUEST_COST = 100;

/** How often a guest that charges `cost` whenever the budget allows does so in `seconds`, from `start` on. */
function charges(cost: number, seconds: number, start = 0): number {
  const budget = new GuestBudget(10_000, 128);
  let count = 0;
  for (let now = 0; now < seconds * 1e6; now += 50) {
    if (budget.isUsedUp(start + now | 0)) continue;
    budget.charge(start + now | 0, cost);
    count++;
  }
  return count;
}

Deno.test("GuestBudget lets 10 000 requests a second pass, and 500 idle signals, once what is to hand is used up", () => {
  assert.equal(Math.round(charges(REQUEST_COST, 10) / 1000), 110);
  assert.equal(Math.round(charges(IDLE_SIGNAL_COST, 10) / 100), 55);
});

Deno.test("GuestBudget knows no difference when its clock wraps, and is whole again after any while", () => {
  assert.equal(charges(IDLE_SIGNAL_COST, 10, 2 ** 31 - 3e6), charges(IDLE_SIGNAL_COST, 10));
  const budget = new GuestBudget(10_000, 128);
  while (!budget.isUsedUp(0)) budget.charge(0, REQUEST_COST);
  for (const later of [2e6, 2 ** 31 - 1, -(2 ** 31), -2e6]) {
    assert(!budget.isUsedUp(later), String(later));
  }
});

Deno.test("GuestBudget forgives no debt for its size: who pays the most for a request is held to that, however many a turn has", () => {
  for (const requests of [100, 10_000, 1_000_000]) {
    for (const turn of [1, 7, 32]) {
      const budget = new GuestBudget(requests, 128);
      const cost = 1e6 / requests;
      let served = 0;
      // For 20 s the guest always has requests, and the engine serves them whenever the budget allows.
      for (let now = 0; now < 20e6; now += 2000) {
        if (budget.isUsedUp(now)) continue;
        budget.charge(now, turn * budget.requestCost);
        // Each of the guest's channels signals as well.
        for (let i = 0; i < 8; i++) budget.charge(now, IDLE_SIGNAL_COST);
        served += turn;
      }
      // The capacity (1 s), the refill (20 s), and one turn.
      const most = 21e6 / cost + turn;
      assert(served <= most, `${served} requests in turns of ${turn}, at ${requests} a second`);
    }
  }
});

Deno.test("GuestBudget lets a stream of 32 channels at 192 kHz play for ever, and 64 of two channels", () => {
  for (const [streams, octetsASecond, requests] of [[1, 192_000 * 32 * 4, 1000], [64, 48_000 * 2 * 2, 50]]) {
    const budget = new GuestBudget(DEFAULT_LIMITS.requests, DEFAULT_LIMITS.moved);
    for (let now = 0; now < 30e6; now += 1e6 / requests!) {
      for (let i = 0; i < streams!; i++) {
        budget.charge(now, budget.requestCost + 4 * INTERRUPT_COST);
        budget.charge(now, budget.costOf(octetsASecond! / requests!));
      }
      assert(!budget.isUsedUp(now), `${streams} streams rest after ${now / 1e6} s`);
    }
  }
});

Deno.test("GuestBudget lets 128 MB a second be moved, once what is to hand is used up", () => {
  const budget = new GuestBudget(10_000, 128);
  let moved = 0;
  for (let now = 0; now < 10e6; now += 50) {
    if (budget.isUsedUp(now)) continue;
    budget.charge(now, budget.costOf(1 << 18));
    moved += 1 << 18;
  }
  assert.equal(Math.round(moved / 11e6), 128);
});

Deno.test("GuestBudget ends a guest's turn when it has claimed its part of it, and begins another with the next", () => {
  const budget = new GuestBudget(10_000, 128);
  let served = 0;
  for (; budget.hasTurn(7); served++) budget.charge(0, budget.requestCost);
  assert.equal(served, 40);
  assert(!budget.hasTurn(7));
  assert(budget.hasTurn(8));
});
