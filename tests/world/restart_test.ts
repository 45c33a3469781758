// SPDX-License-Identifier: MIT
/** A daemon that starts while another one ends: at many moments of the other one's end. */
import assert from "node:assert/strict";
import type { WorldEvent } from "./script.ts";
import { playScript } from "./world.ts";

/** A world that begins with a guest, and with a default device for its card. */
const SEED = 3;
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
