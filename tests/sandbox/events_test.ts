// SPDX-License-Identifier: MIT
/** `xsnd events`, beside a guest that plays and an operator. */
import assert from "node:assert/strict";
import { Exit } from "../../lib/base/error.ts";
import { inBox, makeWav, until } from "./harness.ts";

Deno.test("events tells what guest and operator do, in their order, and --json the same", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    await using daemon = await box.serve();
    await box.untilStream("domU/0/0/0", ({ state }) => state === "detached");
    const events = box.spawn("events", "dom*");
    const json = box.spawn("events", "--json");
    const texts = () => [...events.stdout.matchAll(/^\S+Z domU\/0\/0\/0: (.*)$/gm)].map(([, text]) => text!);
    const said = (pattern: RegExp) => until(`${pattern}`, () => texts().some((text) => pattern.test(text)));
    await said(/^is served, playback on dummy:: detached$/);
    const sound = makeWav(box.path("in.wav"), {
      format: "s16_le",
      channels: 2,
      rate: 48000,
      frames: 2_000_000,
    });
    const playing = box.spawn("play", sound, "domU");
    await said(/^runs$/);
    await box.ok("volume", "domU", "-6");
    await said(/^its volume is -6 dB$/);
    await box.ok("trigger", "pause", "domU");
    await said(/^is paused by an operator$/);
    await box.ok("trigger", "resume", "domU");
    await said(/^an operator lets it go on$/);
    await playing.end("SIGINT");
    await said(/^its guest has disconnected$/);
    const order = [
      "is served",
      "runs",
      "its volume",
      "is paused by an operator",
      "an operator lets",
      "its guest has disconnected",
    ];
    const places = order.map((start) => texts().findIndex((text) => text.startsWith(start)));
    assert.deepEqual(places.toSorted((a, b) => a - b), places, texts().join("\n"));
    const lines = () => json.stdout.trimEnd().split("\n").map((line) => JSON.parse(line).text);
    await until("the same in JSON", () => lines().includes("its guest has disconnected"));
    assert.equal((await events.end("SIGINT")).code, Exit.interrupted);
    await daemon.end("SIGTERM");
    assert.equal((await json.result).code, Exit.noDaemon);
  }));
