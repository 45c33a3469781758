// SPDX-License-Identifier: MIT
/** Commands that act on all streams of a guest, on several streams, and on those that match a pattern. */
import assert from "node:assert/strict";
import { assertFails, inBox } from "./harness.ts";

const DUMMY = { type: "playback", device: "dummy:" } as const;

Deno.test("mute, volume, trigger and status act on many streams at once", () =>
  inBox(
    async (box) => {
      await box.provision("domU", [DUMMY, DUMMY]);
      await box.provision("domV", [DUMMY]);
      await box.serve();
      await box.untilStream("domV/0/0/0", ({ state }) => state === "detached");
      await box.untilStream("domU/0/0/1", ({ state }) => state === "detached");

      assert.equal(
        await box.ok("mute", "domU", "domV/0/0/0"),
        "domU/0/0/0: 0 dB, muted\ndomU/0/0/1: 0 dB, muted\ndomV/0/0/0: 0 dB, muted\n",
      );
      assert.equal((await box.ok("unmute", "dom*")).split("\n").length, 4);
      assert.equal(
        await box.ok("volume", "domU", "-10"),
        "domU/0/0/0: -10 dB\ndomU/0/0/1: -10 dB\n",
      );
      assert.equal(await box.ok("volume", "domU/0/0/1", "+3dB"), "domU/0/0/1: -7 dB\n");
      assert.equal(
        await box.ok("volume", "*", "-3dB"),
        "domU/0/0/0: -13 dB\ndomU/0/0/1: -10 dB\ndomV/0/0/0: -3 dB\n",
      );
      assert.equal(await box.ok("volume", "domV", "50%"), "domV/0/0/0: -18.06 dB\n");
      assert.equal(
        await box.ok("volume", "domV", "domU/0/0/0"),
        "domV/0/0/0: -18.06 dB\ndomU/0/0/0: -13 dB\n",
      );
      const lines = (await box.ok("volume", "dom?", "0dB", "--json")).trimEnd().split("\n");
      assert.deepEqual(lines.map((line) => JSON.parse(line).volume), [0, 0, 0]);

      const status = await box.ok("status", "domV", "domU/0/0/1");
      assert.deepEqual(status.trimEnd().split("\n").map((line) => line.split(" ")[0]), [
        "STREAM",
        "domU/0/0/1",
        "domV/0/0/0",
      ]);
      const { streams } = JSON.parse(await box.ok("status", "domV", "--json"));
      assert.deepEqual(streams.map(({ stream }: { stream: string }) => stream), ["domV/0/0/0"]);
      assertFails(await box.run("status", "domW"), 1, /no stream "domW" \(did you mean domU\?\)/);
    },
    "domU",
    "domV",
  ));

Deno.test("what cannot be done is listed, and the rest is done", () =>
  inBox(async (box) => {
    await box.provision("domU", [DUMMY]);
    await box.serve();
    await box.untilStream("domU/0/0/0", ({ state }) => state === "detached");
    const { code, stdout, stderr } = await box.run("mute", "nobody*", "domU", "domU/7", "--timeout", "0.2");
    assert.deepEqual([code, stdout], [1, "domU/0/0/0: 0 dB, muted\n"]);
    assert.match(stderr, /^xsnd: the daemon serves no stream "nobody\*".*\n.*no stream "domU\/7"/);
    for (const volume of ["loud", "13", "-121", "200%", "--3dB", ""]) {
      const refused = await box.run("volume", "domU", volume);
      assert.equal(refused.code, 2, volume);
      assert.match(refused.stderr, /^xsnd: (".*" is no volume: write a number of dB|unknown option)/, volume);
    }
  }));

Deno.test("a time may have units", () =>
  inBox(async (box) => {
    await box.serve();
    assertFails(await box.run("mute", "later", "--timeout", "0m0.1s"), 1, /serves none/);
    for (const time of ["1m30", "s", "1s1m", "-1s", "25h"]) {
      assertFails(await box.run("mute", "later", "--timeout", time), 2, /a time such as 500ms or 1m30s/);
    }
  }));
