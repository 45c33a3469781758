// SPDX-License-Identifier: MIT
/** A guest that is saved while its programs play or record, and restored: its kernel does not crash. */
import assert from "node:assert/strict";
import type { WorldEvent } from "./script.ts";
import { playScript } from "./play.ts";

const SECOND = 1_000_000;
const WORLDS = 40;

Deno.test("a guest that is restored with its PCM open fails its programs, and its kernel goes on", async () => {
  let open = 0;
  for (let seed = 1; seed <= WORLDS; seed++) {
    const event = (wait: number, kind: string): WorldEvent => ({ wait, kind, seed });
    const { log, violation } = await playScript({
      seed,
      events: [
        event(0, "xl.create"),
        event(5 * SECOND, "guest.program"),
        event(SECOND / 2, "xl.save"),
        event(5 * SECOND, "xl.restore"),
        event(60 * SECOND, "sound.drift"),
      ],
    });
    const text = log.join("\n");
    assert.equal(violation, undefined, text);
    assert.doesNotMatch(text, /oops/, `seed ${seed}\n${text}`);
    const [, after = ""] = text.split(/ xl restore \S+: done/);
    if (/: (write|read|drain): (ETIMEDOUT|EIO)/.test(after)) open++;
  }
  assert(open > 0, "no PCM was open");
});
