/** Streams on PCMs whose code may wait have an engine of their own, which a host may be too short of descriptors for. */
import assert from "node:assert/strict";
import {
  descriptorLimit,
  descriptors,
  inBox,
  limitThatLeaves,
  makeWav,
  settledDescriptors,
  until,
} from "./harness.ts";

const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 12_000 };

Deno.test("a card for which no engine can be started is not served, and says so; others are", () =>
  inBox(
    async (box) => {
      await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
      const daemon = await box.serve();
      const before = await settledDescriptors(daemon.pid);
      // Deno itself ends the process if it has some, and too few for a thread.
      for (const [domain, left] of [["domV", 0], ["domW", 7], ["domX", 20]] as const) {
        const limit = await descriptorLimit(daemon.pid, String(limitThatLeaves(left, before)));
        await box.provision(domain, [{ type: "playback", device: "no-card-of-the-kernel" }]);
        const said = new RegExp(`error: ${domain}/0: it is not served: .*EMFILE`);
        await until("it is said", () => said.test(daemon.stderr));
        await descriptorLimit(daemon.pid, limit);
        await until("nothing is left behind", () => descriptors(daemon.pid).size === before.size);
      }
      await box.ok("play", makeWav(box.path("in.wav"), sound), "domU");
      assert(!daemon.ended, daemon.stderr);
      const { code } = await daemon.end("SIGTERM");
      assert.equal(code, 0, daemon.stderr);
    },
    "domU",
    "domV",
    "domW",
    "domX",
  ));
