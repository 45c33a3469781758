// SPDX-License-Identifier: MIT
/** XenStore is lost or answers slowly: streams play on, and the daemon does pending work when XenStore returns. */
import assert from "node:assert/strict";
import { assertFails, assertSameSamples, inBox, makeWav, samplesOf, until } from "./harness.ts";
import { StoreProxy } from "./store_proxy.ts";

const SOUND = { format: "s16_le", channels: 2, rate: 48000, frames: 4 * 48000 };

Deno.test("XenStore is lost and comes back: what plays loses no sample, and what came meanwhile is served", async () => {
  await inBox(
    async (box) => {
      const [one, two] = [1, 2].map((n) => box.path(`played${n}.wav`));
      await box.provision("domU", [{ type: "playback", device: `dummy:${one}` }]);
      using store = new StoreProxy(box.xen);
      const daemon = await box.serve();
      const wav = makeWav(box.path("sound.wav"), SOUND);

      const playing = box.spawn("play", wav, "domU");
      await box.untilStream("domU/0/0/0", ({ state }) => state === "running");
      store.close();
      await until("the daemon notices", () => /XenStore is lost/.test(daemon.stderr));
      const refused = await box.run("volume", "domU", "-6", "--timeout", "1");
      assertFails(refused, 1, /XenStore, which is to keep it, is away/);
      // The player ends and its guest closes the card; the daemon can see the new state only later.
      assert.equal((await playing.result).code, 0, playing.stderr);
      store.open();
      await until(
        "the daemon says that it has it again",
        () => /XenStore is there again/.test(daemon.stderr),
      );
      assertSameSamples(samplesOf(one!), samplesOf(wav));

      await box.provision("other", [{ type: "playback", device: `dummy:${two}` }]);
      await Deno.remove(one!);
      await Promise.all([box.ok("play", wav, "other", "--json"), box.ok("play", wav, "domU", "--json")]);
      for (const played of [one, two]) assertSameSamples(samplesOf(played!), samplesOf(wav), played);
      assert.equal((await box.run("volume", "domU", "-6")).code, 0);
      assert(!daemon.ended && !/^\s+at /m.test(daemon.stderr), daemon.stderr);
      assert.equal((await daemon.end("SIGTERM")).code, 0);
    },
    "domU",
    "other",
  );
});

Deno.test("a XenStore whose answers take their time stops no sound", async () => {
  await inBox(
    async (box) => {
      const [one, two] = [1, 2].map((n) => box.path(`played${n}.wav`));
      await box.provision("domU", [{ type: "playback", device: `dummy:${one}` }]);
      await box.provision("other", [{ type: "playback", device: `dummy:${two}` }]);
      using store = new StoreProxy(box.xen);
      const daemon = await box.serve();
      const wav = makeWav(box.path("sound.wav"), SOUND);
      const playing = box.spawn("play", wav, "domU");
      await box.untilStream("domU/0/0/0", ({ state }) => state === "running");
      store.delayMs = 300;
      // For this guest the daemon needs about a dozen requests to XenStore.
      const another = box.spawn("play", wav, "other");
      assert.equal((await playing.result).code, 0, playing.stderr);
      store.delayMs = 0;
      assert.equal((await another.result).code, 0, another.stderr);
      for (const played of [one, two]) assertSameSamples(samplesOf(played!), samplesOf(wav), played);
      assert(!daemon.ended && !/^\s+at /m.test(daemon.stderr), daemon.stderr);
    },
    "domU",
    "other",
  );
});
