// SPDX-License-Identifier: MIT
/** A card that xl made: the guest's later writes to its own directory grant the card no more rights. */
import assert from "node:assert/strict";
import { type Box, inBox, makeWav, type Process, until } from "./harness.ts";

const STREAM = "domU/0/0/0";
const FRONTEND = "/local/domain/1/device/vsnd/0";
const BACKEND = "/local/domain/0/backend/vsnd/1/0";
const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 48_000 };

/** The guest's writes: its playback stream becomes a capture stream with the highest limits, and there are 24 capture streams. */
const WIDENED: readonly string[] = [
  ...[
    `${FRONTEND}/0/0/type`,
    "c",
    `${FRONTEND}/0/0/buffer-size`,
    "16777216",
    `${FRONTEND}/0/0/channels-max`,
    "255",
  ],
  ...Array.from({ length: 24 }, (_, i) => [`${FRONTEND}/${i >> 3}/${i % 8}/type`, "c"]).flat(),
];

/** A guest with a card of one playback stream, without a policy, as xl makes cards. */
async function inXlBox(body: (box: Box, device: string) => Promise<void>): Promise<void> {
  await inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:", "unique-id": "speakers" }]);
    await box.xenstore("rm", `${BACKEND}/xsnd`);
    await body(box, `dummy:${makeWav(box.path("microphone.wav"), sound)}`);
  });
}

/** All streams of the daemon, as [name, type, device, denied]. */
const served = async (box: Box) =>
  (await box.status()).streams.map(({ stream, type, device, denied }) => [stream, type, device, denied]);

async function reload(daemon: Process): Promise<void> {
  const from = daemon.stderr.length;
  daemon.kill("SIGHUP");
  await until("it has read its file again", () => /is reloaded/.test(daemon.stderr.slice(from)));
}

Deno.test("what a guest writes after its card was first seen is never believed: not by the next daemon, nor at SIGHUP", () =>
  inXlBox(async (box, device) => {
    const config = box.path("others.yaml");
    const streams = [{ type: "capture", "unique-id": "other", device }];
    Deno.writeTextFileSync(
      config,
      JSON.stringify({ domains: { domU: { cards: [{ pcms: [{ streams }] }] } } }),
    );
    const options = ["--default-device", device, "--default-capture-device", device, "--config", config];
    const expected = [[STREAM, "playback", device, false]];
    let pinned: string;
    {
      await using _daemon = await box.serve(...options);
      await until("it is served", async () => (await served(box)).length > 0);
      assert.deepEqual(await served(box), expected);
      pinned = await box.xenstore("ls", "-p", `${BACKEND}/pinned`);
      assert.match(pinned, /^0 = ""/m);
      for (const line of pinned.trim().split("\n")) {
        assert.match(line, /\(n0\)$/, "the guest can read none of it");
      }
    }
    await box.xenstore("write", ...WIDENED);
    await using daemon = await box.serve(...options);
    await until("it is served", async () => (await served(box)).length > 0);
    assert.deepEqual(await served(box), expected);
    await reload(daemon);
    assert.deepEqual(await served(box), expected);
    assert.equal(await box.xenstore("ls", "-p", `${BACKEND}/pinned`), pinned);
  }));

Deno.test("a guest that ran before its card was first seen gets playback within the defaults, and silence to record", () =>
  inXlBox(async (box, device) => {
    await box.xenstore("write", `${BACKEND}/state`, "2");
    await box.xenstore("write", ...WIDENED, `${FRONTEND}/0/1/type`, "p");
    const options = ["--default-device", device, "--default-capture-device", device];
    for (let daemons = 0; daemons < 2; daemons++) {
      await using daemon = await box.serve(...options);
      await until("it is served", async () => (await served(box)).length > 0);
      const streams = await served(box);
      assert.deepEqual(streams.filter(([, type]) => type === "playback"), [[
        "domU/0/0/1",
        "playback",
        device,
        false,
      ]]);
      assert(
        streams.filter(([, type]) => type === "capture").every(([, , , denied]) => denied),
        String(streams),
      );
      assert.match(daemon.stderr, /domU\/0\/0\/0 \(capture, .*\).* records silence: the guest ran before/);
      // The guest changes another stream's type; the next daemon ignores the change.
      await box.xenstore("write", `${FRONTEND}/0/1/type`, "c");
    }
  }));

Deno.test("a card that was refused at first is late when its directory is right: its guest may have run by then", () =>
  inXlBox(async (box, device) => {
    await box.xenstore("rm", `${FRONTEND}/0/0/type`);
    const options = ["--default-device", device, "--default-capture-device", device];
    {
      await using daemon = await box.serve(...options);
      await until("it is refused", () => /cannot be served/.test(daemon.stderr));
    }
    await box.xenstore("write", ...WIDENED);
    await using _daemon = await box.serve(...options);
    await until("it is served", async () => (await served(box)).length > 0);
    const streams = await served(box);
    assert(streams.every(([, type, , denied]) => type === "capture" && denied), String(streams));
  }));
