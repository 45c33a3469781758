// SPDX-License-Identifier: MIT
/** `xsnd volume`, `mute` and `unmute`: an operator sets how loud a guest is. */
import assert from "node:assert/strict";
import { Exit } from "../../lib/base/error.ts";
import { openXen } from "../../lib/xen/mod.ts";
import {
  askAndHangUp,
  assertFails,
  assertSameSamples,
  type Box,
  controlClients,
  inBox,
  makeWav,
  type Result,
  samplesOf,
  sleep,
  until,
} from "./harness.ts";

const STREAM = "domU/0/0/0";
/** The gain nearest to half the amplitude, in steps of 0.001 dB. */
const HALF = "-6.021";

/** A box whose guest has a card; its device writes a file. No daemon runs yet. */
function withCard(body: (box: Box, input: string, heard: () => Uint8Array) => Promise<void>): Promise<void> {
  return inBox(async (box) => {
    const output = box.path("played.wav");
    await box.provision("domU", [{ type: "playback", device: `dummy:${output}` }]);
    const input = makeWav(box.path("in.wav"), { format: "s16_le", channels: 2, rate: 48000, frames: 12_000 });
    await body(box, input, () => samplesOf(output));
  });
}

const numbers = (octets: Uint8Array) => new Int16Array(octets.slice().buffer);

Deno.test("an operator's volume is heard, outlives guest and daemon, and 0 dB is bit-exact again", () =>
  withCard(async (box, input, heard) => {
    const first = await box.serve();
    assert.equal(await box.ok("volume", STREAM), `${STREAM}: 0 dB\n`);
    assert.equal(await box.ok("volume", "domU", HALF), `${STREAM}: ${HALF} dB\n`);
    const isHalf = () => {
      const played = numbers(samplesOf(input));
      numbers(heard()).forEach((sample, i) =>
        assert(Math.abs(sample - played[i]! / 2) < 3, `${sample} for ${played[i]}, at ${i}`)
      );
    };
    for (let guest = 0; guest < 2; guest++) {
      await box.ok("play", input, STREAM);
      isHalf();
    }
    await first.end("SIGKILL");
    await box.serve();
    assert.equal(await box.ok("volume", STREAM), `${STREAM}: ${HALF} dB\n`);
    assert.match(await box.ok("status"), / -6\.021 dB$/m);
    await box.ok("play", input, STREAM);
    isHalf();
    const report = JSON.parse(await box.ok("volume", STREAM, "0", "--json"));
    assert.deepEqual([report.volume, report.muted], [0, false]);
    await box.ok("play", input, STREAM);
    assertSameSamples(heard(), samplesOf(input));
  }));

Deno.test("a muted stream goes on in silence, and comes back at the volume that it had", () =>
  withCard(async (box, input, heard) => {
    await box.serve();
    await box.ok("volume", STREAM, HALF);
    assert.equal(await box.ok("mute", STREAM), `${STREAM}: ${HALF} dB, muted\n`);
    await box.ok("play", input, STREAM);
    const silence = heard();
    assert.equal(silence.length, samplesOf(input).length);
    assert(silence.every((octet) => octet === 0));
    assert.match(await box.ok("status"), / muted$/m);
    assert.equal(await box.ok("unmute", STREAM), `${STREAM}: ${HALF} dB\n`);
    await box.ok("play", input, STREAM);
    assert(heard().some((octet) => octet !== 0));
  }));

Deno.test("muting in mid-play fades out without a click", () =>
  inBox(async (box) => {
    const output = box.path("played.wav");
    await box.provision("domU", [{ type: "playback", device: `dummy:${output}` }]);
    await box.serve();
    const input = makeWav(box.path("in.wav"), { format: "s16_le", channels: 1, rate: 48000, frames: 96_000 });
    // The sound is constant, so every step shows.
    const octets = Deno.readFileSync(input);
    new Int16Array(octets.buffer, octets.length - 192_000, 96_000).fill(10_000);
    Deno.writeFileSync(input, octets);
    await using playing = box.spawn("play", input, STREAM);
    await box.untilStream(STREAM, ({ positionFrames }) => positionFrames > 9_600);
    await box.ok("mute", STREAM);
    await playing.result;
    const heard = numbers(samplesOf(output));
    assert.equal(heard[9_600], 10_000);
    assert.equal(heard.at(-1), 0, "muted before the end");
    const steps = heard.subarray(1).map((sample, i) => heard[i]! - sample);
    // The ramp takes 10 ms, which is 480 frames at 48 kHz.
    assert(steps.every((step) => step >= 0 && step <= Math.ceil(10_000 / 480)), `${Math.max(...steps)}`);
  }));

Deno.test("the guest sees nothing of it", () =>
  withCard(async (box) => {
    await box.serve();
    await box.ok("volume", STREAM, "-20");
    await box.ok("mute", STREAM);
    const path = "/local/domain/0/backend/vsnd/1/0/operator";
    const tree = await box.xenstore("ls", "-p", path);
    assert.match(tree, /volume = "-20000"[ .]+\(n0\)/);
    assert.match(tree, /muted = "1"[ .]+\(n0\)/);
    using guest = await openXen({ sandbox: box.xen, domid: 1 });
    for (const node of ["", "/0", "/0/0", "/0/0/volume", "/0/0/muted"]) {
      assert.throws(() => guest.store.read(path + node), /EACCES/, node);
      assert.throws(() => guest.store.write(path + node, "0"), /EACCES/, node);
    }
    // The settings are no difference to the configuration, and they go with the card.
    assert.match(await box.ok("provision", "domU", "-f", box.path("domU.yaml")), /unchanged/);
    await box.ok("deprovision", "domU");
    assert.doesNotMatch(await box.xenstore("ls", "-f", "/"), /operator/);
  }));

Deno.test("a mute with an end ends by itself, and the next daemon keeps the end", () =>
  withCard(async (box) => {
    const daemon = await box.serve();
    const until = Date.now() + 3_000;
    const said = await box.ok("mute", STREAM, "--for", "3s");
    assert.match(said, /^domU\/0\/0\/0: 0 dB, muted until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n$/);
    const { muted, mutedUntil } = await box.stream(STREAM);
    assert(muted && Date.parse(mutedUntil!) >= until, mutedUntil);
    await daemon.end("SIGKILL");
    await box.serve();
    const ended = await box.untilStream(STREAM, ({ muted }) => !muted);
    assert(Date.now() >= Date.parse(mutedUntil!));
    assert.equal(ended.mutedUntil, undefined);
    assert.doesNotMatch(await box.xenstore("ls", "-f", "/"), /muted-until/);
    for (const time of ["0", "-5", "soon", "30d", "24001h"]) {
      assertFails(
        await box.run("mute", STREAM, "--for", time),
        Exit.usage,
        /Write a time such as 10m or 1h30m/,
      );
    }
  }));

Deno.test("a stream begins with the volume and the mute of its file, and keeps an operator's: provisioned, declared, and xl's", () =>
  inBox(
    async (box) => {
      const file = box.path("guests.yaml");
      const write = (first: object) => {
        const stream = (type: string) => ({ type, "unique-id": type, device: "dummy:", ...first });
        const cards = [{ pcms: [{ streams: [stream("playback"), stream("capture")] }] }];
        const domains = Object.fromEntries(["domU", "domV", "domW"].map((name) => [name, { cards }]));
        Deno.writeTextFileSync(file, JSON.stringify({ domains }));
      };
      const shown = async (domain: string) =>
        (await box.ok("volume", `${domain}/0/0/*`)).replaceAll(`${domain}/0/0/`, "").trim().split("\n");
      write({ volume: -6, muted: true });
      await box.ok("provision", "domU", "-f", file);
      {
        // Another domain's card is as xl makes it.
        await box.ok("provision", "domW", "-f", file);
        const backend = "/local/domain/0/backend/vsnd/3/0";
        await box.xenstore("rm", `${backend}/xsnd`);
        await box.xenstore("rm", `${backend}/operator`);
      }
      const daemon = await box.serve("--config", file);
      await until("all are served", async () => (await box.status()).streams.length === 6);
      const first = ["0: -6 dB, muted", "1: -6 dB, muted"];
      for (const domain of ["domU", "domV", "domW"]) assert.deepEqual(await shown(domain), first, domain);
      await box.ok("unmute", "dom*/0/0/0");
      await box.ok("volume", "domW/0/0/1", "-20");
      write({ volume: -1 });
      await daemon.end("SIGKILL");
      await box.serve("--config", file);
      await until("all are served", async () => (await box.status()).streams.length === 6);
      const [playback, capture] = first;
      for (const domain of ["domU", "domV"]) {
        assert.deepEqual(await shown(domain), ["0: -6 dB", capture], domain);
      }
      assert.deepEqual(await shown("domW"), ["0: -6 dB", "1: -20 dB, muted"], playback);
    },
    "domU",
    "domV",
    "domW",
  ));

Deno.test("settings that somebody spoilt by hand are as if nobody had set them", () =>
  withCard(async (box) => {
    for (const volume of ["loud", "99999", "-1e9", ""]) {
      await box.xenstore("write", "--", "/local/domain/0/backend/vsnd/1/0/operator/0/0/volume", volume);
      const daemon = await box.serve();
      assert.equal(await box.ok("volume", STREAM), `${STREAM}: 0 dB\n`, volume);
      await daemon.end("SIGTERM");
    }
  }));

Deno.test("what was interrupted while it waited for a stream is not done when the stream comes", () =>
  inBox(async (box) => {
    await box.serve();
    const asked = { command: "volume", stream: STREAM, waitMs: 60_000 } as const;
    await askAndHangUp(box, { ...asked, muted: true });
    await askAndHangUp(box, { ...asked, volume: -20 });
    for (const args of [["mute", STREAM], ["volume", STREAM, "-20"], ["unmute", STREAM]]) {
      const { code } = await interrupted(box, ...args, "--timeout", "60");
      assert.equal(code, 130, args[0]);
      await until("the daemon lets go of it", () => controlClients(box) === 0);
    }
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    assert.equal(await box.ok("volume", STREAM), `${STREAM}: 0 dB\n`);
    assert.doesNotMatch(await box.xenstore("ls", "-f", "/"), /operator/);
  }));

/** The result of a command that Ctrl-C interrupts while the daemon makes the command wait. */
async function interrupted(box: Box, ...args: string[]): Promise<Result> {
  const command = box.spawn(...args);
  await until("it asks", () => {
    assert(!command.ended, command.stderr);
    return controlClients(box) > 0;
  });
  // The command writes its request right after it connects. A slower command would pass without being tested.
  await sleep(200);
  return await command.end("SIGINT");
}

Deno.test("volumes that cannot be are refused", () =>
  withCard(async (box) => {
    assertFails(await box.run("volume", STREAM, "--timeout", "0"), 3, /no daemon answers .*`xsnd serve`/);
    await box.serve();
    for (const volume of ["13", "-121", "loud", "NaN", "", "-1e9"]) {
      const { code, stderr } = await box.run("volume", STREAM, volume);
      assert.equal(code, 2, volume);
      assert.match(stderr, /dB|number|option/, volume);
    }
    assertFails(
      await box.run("mute", "domU/0/0/7", "--timeout", "0"),
      1,
      /no stream "domU\/0\/0\/7" \(did you mean domU\/0\/0\/0\?\); it serves/,
    );
    assert.equal(await box.ok("volume", STREAM), `${STREAM}: 0 dB\n`);
  }));
