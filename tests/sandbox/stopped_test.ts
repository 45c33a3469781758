// SPDX-License-Identifier: MIT
/** A stopped daemon, as a suspended host or a debugger causes. */
import assert from "node:assert/strict";
import { assertSameSamples, inBox, makeWav, samplesOf, sleep } from "./harness.ts";

Deno.test("a daemon that stands still for 2 s goes on by itself: its guests play to the end, and then as before", () =>
  inBox(
    async (box) => {
      const played = box.path("played.wav");
      await box.provision("domU", [{ type: "playback", device: `dummy:${played}` }]);
      await box.provision("other", [{ type: "playback", device: "dummy:" }]);
      const daemon = await box.serve();
      const wav = makeWav(box.path("long.wav"), {
        format: "s16_le",
        channels: 2,
        rate: 48000,
        frames: 7 * 24000,
      });
      const guests = ["domU", "other"].map((guest) => box.spawn("play", wav, guest, "--json"));
      for (const guest of ["domU", "other"]) {
        await box.untilStream(`${guest}/0/0/0`, ({ state }) => state === "running");
      }
      daemon.kill("SIGSTOP");
      await sleep(2000);
      daemon.kill("SIGCONT");
      for (const guest of guests) {
        const { code, stderr } = await guest.result;
        assert.equal(code, 0, stderr);
      }
      assert(!daemon.ended && !/^\s+at /m.test(daemon.stderr), daemon.stderr);
      await box.ok("play", wav, "domU", "--json");
      assertSameSamples(samplesOf(played), samplesOf(wav));
    },
    "domU",
    "other",
  ));
