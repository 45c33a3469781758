// SPDX-License-Identifier: MIT
/** Tests the pause before a card is offered to a frontend that leaves again and again. */
import assert from "node:assert/strict";
import { OfferPause } from "../../lib/daemon/offer_pause.ts";

Deno.test("three short connections in a row make a pause, which doubles up to half a minute; a long or used one ends that", () => {
  const pause = new OfferPause();
  let now = 10_000;
  const connection = (ms: number, wasUsed = false) => {
    pause.connected(now);
    now += ms;
    return pause.left(now, wasUsed);
  };
  assert.deepEqual([connection(10), connection(10)], [0, 0]);
  assert.equal(pause.remaining(now), -now);
  assert.deepEqual([connection(10), connection(10), connection(1999)], [1000, 2000, 4000]);
  assert.equal(pause.remaining(now + 1000), 3000);
  assert.deepEqual(Array.from({ length: 6 }, () => connection(0)), [
    8000,
    16_000,
    30_000,
    30_000,
    30_000,
    30_000,
  ]);
  assert.equal(pause.shortConnections, 11);
  assert.deepEqual([connection(2000), connection(0), connection(0), connection(0)], [0, 0, 0, 1000]);
  assert.deepEqual([connection(0, true), connection(0), connection(0, true)], [0, 0, 0], "used connections");
  assert.equal(pause.shortConnections, 0);
});
