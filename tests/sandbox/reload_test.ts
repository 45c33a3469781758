// SPDX-License-Identifier: MIT
/** SIGHUP makes `xsnd serve --config FILE` read its configuration again. */
import assert from "node:assert/strict";
import {
  assertSameSamples,
  type Box,
  inBox,
  makeWav,
  type Process,
  root,
  samplesOf,
  until,
} from "./harness.ts";
import { ServiceManagerSocket } from "./service_manager.ts";

const STREAM = "domU/0/0/0";
const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 12_000 };

/** A box with a card as xl makes it, and a path for the daemon's configuration. */
async function inXlBox(body: (box: Box, config: string) => Promise<void>): Promise<void> {
  await inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:", "unique-id": "speakers" }]);
    // xl writes no policy into XenStore.
    await box.xenstore("rm", "/local/domain/0/backend/vsnd/1/0/xsnd");
    await body(box, box.path("devices.yaml"));
  });
}

/** Writes a configuration in which the stream has `device`, if any. */
function configure(file: string, device: string | undefined): void {
  const streams = [{
    type: "playback",
    "unique-id": device ? "speakers" : "others",
    device: device ?? "dummy:",
  }];
  const card = { "sample-rates": [48000], pcms: [{ streams }] };
  Deno.writeTextFileSync(file, JSON.stringify({ domains: { domU: { cards: [card] } } }));
}

/** A fuzzer's file, deeply nested YAML, that once ended the daemon. */
function fuzzed(): string {
  const text = Deno.readTextFileSync(`${root}fixtures/two-guests.yaml`);
  return text.slice(0, 600) + "? ".repeat(2000) + text.slice(600);
}

/** Sends SIGHUP, waits until the daemon logs `said`, and returns the log from SIGHUP on. */
async function reload(daemon: Process, said: RegExp): Promise<string> {
  const from = daemon.stderr.length;
  daemon.kill("SIGHUP");
  await until(`it says ${said}`, () => said.test(daemon.stderr.slice(from)));
  return daemon.stderr.slice(from);
}

async function assertPlays(box: Box, output: string): Promise<void> {
  const input = makeWav(box.path("short.wav"), sound);
  assert.match(await box.ok("play", input, STREAM), /^played /);
  assertSameSamples(samplesOf(output), samplesOf(input));
}

Deno.test("serve reads its configuration again at SIGHUP: what changes for a card holds from its next OPEN", () =>
  inXlBox(async (box, config) => {
    await using manager = await ServiceManagerSocket.listen(box.path("notify"));
    const [first, second] = [box.path("first.wav"), box.path("second.wav")];
    configure(config, undefined);
    const daemon = await box.serveWith({ NOTIFY_SOCKET: manager.address }, "--config", config);
    assert.deepEqual((await box.status()).streams, []);

    configure(config, `dummy:${first}`);
    await reload(daemon, /info: serve: .*devices\.yaml is reloaded: domU\/0 is served\n/);
    await until(
      "the manager is told",
      () => manager.messages.at(-1) === "READY=1 STATUS=1 stream, 0 running",
    );
    assert.match(manager.messages.at(-2)!, /^RELOADING=1 MONOTONIC_USEC=\d+$/);

    await assertPlays(box, first);
    await reload(daemon, /is reloaded: no card changes\n/);

    await using playing = box.spawn(
      "play",
      makeWav(box.path("long.wav"), { ...sound, frames: 960_000 }),
      STREAM,
    );
    await box.untilStream(STREAM, ({ state }) => state === "running");
    await box.ok("trigger", "pause", STREAM);
    configure(config, `dummy:${second}`);
    await reload(
      daemon,
      /domU\/0, once its guest opens it again \(limits: connects\): 0\/0: dummy:.*first\.wav -> dummy:.*second\.wav\n/,
    );
    assert.equal((await box.stream(STREAM)).device, `dummy:${first}`, "what plays goes on");
    await playing.end("SIGINT");
    // The operator's hold stays.
    await box.untilStream(STREAM, ({ device, hold }) => device === `dummy:${second}` && hold === "paused");
    const input = makeWav(box.path("short.wav"), sound);
    const again = box.spawn("play", input, STREAM);
    await box.untilStream(STREAM, ({ state, hold }) => state === "running" && hold === "paused");
    await box.ok("trigger", "resume", STREAM);
    assert.equal((await again.result).code, 0);
    assertSameSamples(samplesOf(second), samplesOf(input));

    configure(config, undefined);
    await reload(daemon, /domU\/0, from now on: it is not served\n/);
    await until("it is not served", async () => (await box.status()).streams.length === 0);
    assert.equal((await daemon.end("SIGTERM")).code, 0);
  }));

Deno.test("serve does not take a file that is not right, or gone, and goes on with what it had", () =>
  inXlBox(async (box, config) => {
    const output = box.path("played.wav");
    configure(config, `dummy:${output}`);
    const daemon = await box.serve("--config", config);
    Deno.writeTextFileSync(config, "domains: { domU: { cards: [{ pcms: [{ streams: [{ typ: x }] }] }] } }\n");
    const said = await reload(daemon, /devices\.yaml is refused; the former configuration stays in force: /);
    assert.match(
      said,
      /devices\.yaml:1:\d+: domains\.domU\.cards\[0\]\.pcms\[0\]\.streams\[0\]\.typ: unknown key/,
    );
    const nested = `domains:\n${
      Array.from({ length: 800 }, (_, i) => `${" ".repeat(i + 1)}? k: [a, {b: c}]\n`).join("")
    }`;
    const texts: [string | Uint8Array<ArrayBuffer>, RegExp][] = [
      [nested, /not YAML that can be read: it is nested deeper than 64 levels/],
      [fuzzed(), /not YAML/],
      ["]".repeat(1_000_000), /not YAML that can be read: it has more than 32768 words and signs/],
      [
        new TextEncoder().encode("domains:\n  d\u00f6m: x\n").fill(0xe9, 12, 13),
        /yaml:2:4: octet 0xe9 is not UTF-8/,
      ],
    ];
    for (const [text, said] of texts) {
      Deno.writeFileSync(config, typeof text === "string" ? new TextEncoder().encode(text) : text);
      await reload(
        daemon,
        new RegExp(`is refused; the former configuration stays in force: .*${said.source}`),
      );
    }
    Deno.removeSync(config);
    await new Deno.Command("mkfifo", { args: [config] }).output();
    await reload(daemon, /is refused.*: it is not a regular file, and could block the daemon/);
    Deno.removeSync(config);
    await reload(daemon, /is refused.*: cannot read the configuration .*: no such file/);
    await assertPlays(box, output);
  }));

Deno.test("serve without a configuration says at SIGHUP that there is nothing to read, and goes on", () =>
  inBox(async (box) => {
    const daemon = await box.serve();
    await reload(daemon, /info: serve: nothing to reload: xsnd serve was started without --config\n/);
    assert.equal((await daemon.end("SIGTERM")).code, 0);
  }));
