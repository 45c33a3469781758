// SPDX-License-Identifier: MIT
/** A daemon that starts while another one ends: at many moments of the other one's end. */
import assert from "node:assert/strict";
import type { WorldEvent } from "./script.ts";
import { playScript } from "./play.ts";

/** A world that begins with a guest, and with a default device for its card. */
const SEED = 4;
/** µs in which a daemon that serves some cards lets go of them. */
const END_MICROS = 10_000;
const STEP_MICROS = 200;
const SECOND = 1_000_000;

const event = (wait: number, kind: string): WorldEvent => ({ wait, kind, seed: 1 });

Deno.test("a daemon that starts while another one ends has no frontend start over", async () => {
  const seen = { refused: 0, takenOver: 0 };
  for (let micros = 0; micros <= END_MICROS; micros += STEP_MICROS) {
    const { log, violation } = await playScript({
      seed: SEED,
      events: [
        event(0, "xl.create"),
        event(5 * SECOND, "daemon.stop"),
        event(micros, "daemon.start"),
        event(SECOND, "daemon.start"),
        event(SECOND, "sound.drift"),
      ],
    });
    const text = log.join("\n");
    assert.equal(violation, undefined, text);
    assert.doesNotMatch(
      text,
      /is to start over/,
      `the second daemon starts ${micros} µs after the first one's SIGTERM\n${text}`,
    );
    if (/ a daemon is already running/.test(text)) seen.refused++;
    if (/ taken over, /.test(text)) seen.takenOver++;
  }
  // Those that were refused have started again a second later.
  assert(seen.refused > 0 && seen.takenOver > seen.refused, JSON.stringify(seen));
});

Deno.test("a daemon that ends before it had memory to take a card over leaves the card to the next one as it is", async () => {
  const { log, violation } = await playScript({
    seed: SEED,
    events: [
      event(0, "xl.create"),
      event(5 * SECOND, "daemon.stop"),
      event(END_MICROS, "host.noMemory"),
      ...Array.from({ length: 20 }, () => event(0, "host.noMemory")),
      event(0, "daemon.start"),
      event(SECOND / 2, "daemon.stop"),
      event(SECOND, "daemon.start"),
      event(30 * SECOND, "sound.drift"),
    ],
  });
  const text = log.join("\n");
  assert.equal(violation, undefined, text);
  // The world ends the third daemon, too.
  const [, before, after] = text.split("SIGTERM: ending") as [string, string, string];
  const waiting = new Set(
    [...before.matchAll(/ (\S+): not connected yet, .* cannot map /g)].map(([, card]) => card!),
  );
  assert(waiting.size > 0, text);
  for (const card of waiting) {
    assert(after.includes(` ${card}: taken over, `), `${card} is not taken over\n${text}`);
    assert(!after.includes(` ${card}: connected, `), `${card} starts over\n${text}`);
  }
});
