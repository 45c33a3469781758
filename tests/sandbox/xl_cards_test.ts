// SPDX-License-Identifier: MIT
/** From a published xl.cfg to sound: its streams share one unique-id, and the daemon serves each stream on its own device. */
import assert from "node:assert/strict";
import { parse, stringify } from "yaml";
import { readXl } from "../../lib/vsnd/config/config_file.ts";
import type { RawConfig, RawStream } from "../../lib/vsnd/config/schema.ts";
import { assertSameSamples, type Box, inBox, makeWav, root, samplesOf, until } from "./harness.ts";

/** A published layout; dom0 replaces its driver domain. */
function layout(box: Box, name: string): string {
  const text = Deno.readTextFileSync(`${root}fixtures/xl/${name}.cfg`).replaceAll(
    "backend=DomD",
    "backend=Domain-0",
  );
  Deno.writeTextFileSync(box.path(`${name}.cfg`), text);
  return box.path(`${name}.cfg`);
}

/** Makes domU's cards from `cfg` as xl does: with the file's own unique-ids, and without a policy. */
async function makeByXl(box: Box, cfg: string): Promise<void> {
  const { value } = readXl(Deno.readTextFileSync(cfg), cfg, { domain: "domU", device: "dummy:" });
  const { cards } = Object.values(value.domains)[0]!;
  const file = box.path("as-xl.json");
  Deno.writeTextFileSync(file, JSON.stringify({ domains: { domU: { cards } } }));
  await box.ok("provision", "-f", file);
  for (const card of cards.keys()) await box.xenstore("rm", `/local/domain/0/backend/vsnd/1/${card}/xsnd`);
}

/** Runs `xsnd import`; returns its stderr, and the value of its YAML. */
async function imported(box: Box, ...args: string[]): Promise<{ stderr: string; value: RawConfig }> {
  const { code, stdout, stderr } = await box.run("import", ...args);
  assert.equal(code, 0, stderr);
  return { stderr, value: parse(stdout) };
}

const streamsOf = ({ domains }: RawConfig): RawStream[] =>
  Object.values(domains).flatMap(({ cards }) => cards)
    .flatMap(({ pcms }) => pcms).flatMap(({ streams }) => streams);

Deno.test("a published xl.cfg is imported, and serve --config gives each stream of xl's card its own device", () =>
  inBox(async (box) => {
    const cfg = layout(box, "android");
    await makeByXl(box, cfg);
    for (const stream of ["0/0", "0/1", "4/0"]) {
      const path = `/local/domain/1/device/vsnd/0/${stream}/unique-id`;
      assert.equal(await box.xenstore("read", path), "pulse\n");
    }
    const { stderr, value } = await imported(box, "--domain", "domU", "--device", "dummy:", cfg);
    assert.equal(
      stderr,
      "xsnd: xl has no word for devices: 6 streams got dummy:; see --device\n" +
        'xsnd: 6 streams share the unique-id "pulse"; here each is named by its place: ' +
        "0/0/0, 0/0/1, 0/1/0, 0/2/0, 0/3/0, 0/4/0\n",
    );
    const streams = streamsOf(value);
    assert.deepEqual(streams.map((stream) => stream["unique-id"]), [
      "0/0/0",
      "0/0/1",
      "0/1/0",
      "0/2/0",
      "0/3/0",
      "0/4/0",
    ]);
    for (const stream of streams) {
      stream.device = `dummy:${box.path(`${stream["unique-id"]?.replaceAll("/", "-")}.wav`)}`;
    }
    const config = box.path("devices.yaml");
    Deno.writeTextFileSync(config, stringify(value));
    await box.ok("check", config);

    const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 12_000 };
    makeWav(box.path("0-0-1.wav"), sound); // the captured sound
    await using _daemon = await box.serve("--config", config);
    const served = (await box.status()).streams.map(({ stream, type, device }) => [stream, type, device]);
    assert.deepEqual(
      served,
      streams.map(({ type, device, "unique-id": place }) => [`domU/${place}`, type, device]),
    );
    const input = makeWav(box.path("input.wav"), sound);
    for (const place of ["0-0-0", "0-4-0"]) {
      assert.match(await box.ok("play", input, `domU/${place.replaceAll("-", "/")}`), /^played /);
      assertSameSamples(samplesOf(box.path(`${place}.wav`)), samplesOf(input), place);
    }
    await box.ok("record", box.path("recorded.wav"), "domU/0/0/1", "--seconds", "0.1");
    const recorded = samplesOf(box.path("recorded.wav"));
    assertSameSamples(recorded, samplesOf(box.path("0-0-1.wav")).subarray(0, recorded.length));
  }));

Deno.test("a configuration that keeps the shared unique-id serves xl's card by direction and place, too", () =>
  inBox(async (box) => {
    const cfg = layout(box, "linux");
    await makeByXl(box, cfg);
    const stream = (type: string, device: string) => ({ type, "unique-id": "pulse", device });
    const streams = [stream("playback", "dummy:"), stream("capture", "dummy:/nowhere/heard.wav")];
    const config = box.path("devices.yaml");
    Deno.writeTextFileSync(config, stringify({ domains: { domU: { cards: [{ pcms: [{ streams }] }] } } }));
    const { code, stdout, stderr } = await box.run("check", "--json", config);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^xsnd: .*"pulse" is also the unique-id of domains\.domU\..*\n$/);
    const { valid, findings, notes } = JSON.parse(stdout);
    assert.deepEqual([valid, findings, notes.length], [true, [], 1]);
    await using _daemon = await box.serve("--config", config);
    assert.deepEqual((await box.status()).streams.map(({ type, device }) => [type, device]), [
      ["playback", "dummy:"],
      ["capture", "dummy:/nowhere/heard.wav"],
    ]);
  }));

Deno.test("serve names each stream of xl's card that has no device", () =>
  inBox(async (box) => {
    await makeByXl(box, layout(box, "linux"));
    const config = box.path("half.yaml");
    const streams = [{ type: "playback", "unique-id": "pulse", device: "dummy:" }];
    Deno.writeTextFileSync(config, stringify({ domains: { domU: { cards: [{ pcms: [{ streams }] }] } } }));
    const daemon = await box.serve("--config", config);
    await until("it says which", () =>
      /card domU\/0 was made by xl and is not served: no device is named for domU\/0\/0\/1 \(capture, unique-id "pulse"\); name a device/
        .test(daemon.stderr));
    assert(!daemon.stderr.includes("domU/0/0/0"), daemon.stderr);
  }));

Deno.test("import and export take a running domain whose streams share a unique-id", () =>
  inBox(async (box) => {
    await makeByXl(box, layout(box, "linux"));
    const { stderr, value } = await imported(box, "domU");
    assert.match(
      stderr,
      /2 streams share the unique-id "pulse"; here each is named by its place: 0\/0\/0, 0\/0\/1\n/,
    );
    assert.deepEqual(streamsOf(value).map((stream) => stream["unique-id"]), ["0/0/0", "0/0/1"]);
    const { code, stdout } = await box.run("export", "domU");
    assert.equal(code, 0);
    assert.equal(stdout.match(/unique-id=pulse/g)?.length, 2);
  }));
