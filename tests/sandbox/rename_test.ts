// SPDX-License-Identifier: MIT
/** A domain that gets another name under a running daemon, as `xl rename` and the end of `xl migrate` give it. */
import assert from "node:assert/strict";
import { assertFails, type Box, inBox, makeWav, until } from "./harness.ts";

/** `xl rename`. */
const rename = (box: Box, name: string) => box.xenstore("write", "/local/domain/1/name", name);

const play = (box: Box) =>
  box.spawn(
    "play",
    makeWav(box.path("in.wav"), { format: "s16_le", channels: 2, rate: 48000, frames: 2_000_000 }),
    "1",
  );

Deno.test("each command finds a playing guest by its new name and by its number, and no longer by its former name", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    const daemon = await box.serve();
    await using playing = play(box);
    await box.untilStream("domU/0/0/0", ({ state }) => state === "running");
    const waiting = box.spawn("wait", "web", "--for=running", "--timeout=30");
    await rename(box, "web");
    assert.equal((await waiting.result).stdout, "web/0/0/0: running\n");
    for (const name of ["web/0/0/0", "web", "1/0/0/0", "1"]) {
      assert.equal(await box.ok("volume", name, "-6"), "web/0/0/0: -6 dB\n", name);
      assert.equal(await box.ok("mute", name), "web/0/0/0: -6 dB, muted\n", name);
      assert.equal(await box.ok("unmute", name), "web/0/0/0: -6 dB\n", name);
      assert.match(await box.ok("trigger", "pause", name), /^web\/0\/0\/0: /, name);
      assert.match(await box.ok("trigger", "resume", name), /^web\/0\/0\/0: /, name);
      assert.match(await box.ok("wait", name, "--for=running"), /^web\/0\/0\/0: running/, name);
      assert.match(await box.ok("status", name, "-o", "name"), /^web\/0\/0\/0$/m, name);
      await box.ok("trace", "record", name, "-o", box.path("a.trace"), "--seconds", "0.1");
    }
    const former = await box.run("volume", "domU", "-3", "--timeout=0.1");
    assertFails(former, 1, /no stream "domU"; it serves web\/0\/0\/0/);
    assert.match(daemon.stderr, /domU\/0 is called web\/0 now\n/);
    await playing.end("SIGINT");
    await until("the log has the new name", () => /web\/0: disconnected/.test(daemon.stderr) || undefined);
  }));

Deno.test("a card that xl made gets what the configuration says of its domain's new name", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    await box.xenstore("rm", "/local/domain/0/backend/vsnd/1/0/xsnd");
    const config = box.path("config.yaml");
    const stream = (name: string) =>
      `{ cards: [{ pcms: [{ streams: [{ type: playback, device: "dummy:${
        box.path(`${name}.wav`)
      }" }] }] }] }`;
    Deno.writeTextFileSync(config, `domains:\n  domU: ${stream("domU")}\n  web: ${stream("web")}\n`);
    await box.serve("--config", config);
    await box.untilStream("domU/0/0/0", ({ device }) => device.endsWith("/domU.wav"));
    await rename(box, "web");
    await box.untilStream("web/0/0/0", ({ device }) => device.endsWith("/web.wav"));
  }));
