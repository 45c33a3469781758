// SPDX-License-Identifier: MIT
/** provision's device check: a device that supports nothing that the stream allows is refused; a missing device is a warning. */
import assert from "node:assert/strict";
import { ERRORS, EVER, FaultyCards } from "./faulty_cards.ts";
import { assertFails, type Box, inBox, makeWav } from "./harness.ts";

/** Provisions one stream, with an ALSA configuration of its own. */
function provisionStream(box: Box, stream: Record<string, unknown>, ...options: string[]) {
  return provisionStreams(box, [stream], ...options);
}

function provisionStreams(box: Box, streams: readonly Record<string, unknown>[], ...options: string[]) {
  const asound = box.path("asound.conf");
  Deno.writeTextFileSync(
    asound,
    "pcm.nowhere { type null }\npcm.linear { type linear slave { pcm nowhere format S16_LE } }\n" +
      "pcm.plug { @args [ SLAVE ] @args.SLAVE { type string } type plug slave.pcm $SLAVE }\n",
  );
  const file = box.path("domU.yaml");
  Deno.writeTextFileSync(
    file,
    JSON.stringify({ domains: { domU: { cards: [{ pcms: [{ streams }] }] } } }),
  );
  return box.spawnWith({ ALSA_CONFIG_PATH: asound }, "provision", "-f", file, ...options).result;
}

Deno.test("provision refuses an ALSA PCM that has no format of those allowed, and takes it with plug before it", () =>
  inBox(async (box) => {
    const stream = { type: "playback", "sample-formats": ["float_le"] };
    const refused = await provisionStream(box, { ...stream, device: "linear" });
    assertFails(refused, 6, /domU\/0\/0\/0: playback on "linear" is not possible: .*format.*plughw:/);
    assert.equal(await box.ok("list", "--json"), "[]\n");
    const { code, stderr } = await provisionStream(box, { ...stream, device: "plug:linear" });
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  }));

Deno.test("provision refuses a recording whose file has another rate, or more channels", () =>
  inBox(async (box) => {
    const wav = makeWav(box.path("in.wav"), { rate: 44100, channels: 2, format: "s16_le", frames: 10 });
    const stream = { type: "capture", device: `dummy:${wav}` };
    const rates = await provisionStream(box, { ...stream, "sample-rates": [8000, 48000] });
    assertFails(rates, 6, /the device has 44100 Hz, and not 8000, 48000/);
    const channels = await provisionStream(box, { ...stream, "channels-max": 1 });
    assertFails(channels, 6, /the device cannot have 1 channels/);
    const { code } = await provisionStream(box, { ...stream, "sample-rates": [44100, 48000] });
    assert.equal(code, 0, "what is left in common is enough");
  }));

Deno.test("provision takes a device that cannot be opened, and warns with ALSA's reason; --strict refuses, and writes nothing", () =>
  inBox(async (box) => {
    const cases: [device: string, warning: RegExp][] = [
      ["hw:31,0", /cannot open PCM "hw:31,0" for playback: .*ENOENT.*; ALSA says: .*hw:31,0.*; `xsnd probe`/],
      [
        "nosuch pcm",
        /cannot open PCM "nosuch pcm" for playback: .*; ALSA says: Unknown PCM nosuch pcm; `xsnd probe`/,
      ],
      [
        "dummy:/nonexistent/dir/f.wav",
        /cannot write \/nonexistent\/dir\/f.wav: there is no folder \/nonexistent\/dir\//,
      ],
      [`dummy:${box.directory}`, /cannot write .*: it is a folder; name a file/],
      ["dummy:/proc/self/comm/f.wav", /cannot write \/proc\/self\/comm\/f.wav: ENOTDIR/],
    ];
    for (const [device, warning] of cases) {
      const stream = { type: "playback", device };
      assertFails(await provisionStream(box, stream, "--strict"), 6, warning);
      assert.equal(await box.ok("list", "--json"), "[]\n", device);
      const { code, stderr } = await provisionStream(box, stream);
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^xsnd: domU\/0\/0\/0: the device cannot be used now: [^\n]+\n$/);
      assert.match(stderr, warning);
      await box.ok("deprovision", "domU");
    }
  }));

Deno.test("provision warns of a recording that is not there, or is none; of a file that playback is to make it says nothing", () =>
  inBox(async (box) => {
    const text = box.path("text.wav");
    Deno.writeTextFileSync(text, "no sound");
    for (const file of [box.path("missing.wav"), text, box.directory]) {
      const { code, stderr } = await provisionStream(box, { type: "capture", device: `dummy:${file}` });
      assert.equal(code, 0, stderr);
      assert.match(stderr, new RegExp(`^xsnd: domU/0/0/0: the device cannot be used now: .*${file}.*\n$`));
    }
    const [made, old] = [box.path("made.wav"), box.path("old.wav")];
    Deno.writeTextFileSync(old, "the last recording");
    for (const device of [`dummy:${made}`, `dummy:${old}`, "dummy:"]) {
      const { code, stderr } = await provisionStream(box, { type: "playback", device }, "--strict");
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, device);
    }
    assert.throws(() => Deno.statSync(made), Deno.errors.NotFound);
    assert.equal(Deno.readTextFileSync(old), "the last recording");
  }));

Deno.test("provision says nothing of a busy device, also with --strict; one that this user may not open is a warning", () =>
  inBox(async (box) => {
    const cards = new FaultyCards(box, ["card"]);
    const provision = (...options: string[]) =>
      box.spawnWith(cards.environment, "provision", "domU", "--device", "card", ...options).result;
    cards.fail("card", ["open", ERRORS.EACCES, 0, EVER]);
    const denied = await provision();
    assert.equal(denied.code, 0, denied.stderr);
    // One line for each stream, and no line by the plugin itself.
    assert.match(
      denied.stderr,
      /^(xsnd: domU\/0\/0\/[01]: .*EACCES\); run as root, or in the group audio\n){2}$/,
    );
    await box.ok("deprovision", "domU");
    cards.fail("card", ["open", ERRORS.EBUSY, 0, EVER]);
    const { code, stderr } = await provision("--strict");
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  }));

Deno.test("provision opens the devices of new and changed streams, and of no others", () =>
  inBox(async (box) => {
    const missing = (index: number) => ({
      type: "playback",
      device: `missing-${index}`,
      "sample-rates": [48000, 8000],
    });
    const warned = async (streams: Record<string, unknown>[], ...options: string[]) => {
      const { code, stderr } = await provisionStreams(box, streams, ...options);
      assert.equal(code, 0, stderr);
      return [...stderr.matchAll(/^xsnd: (\S+): the device/gm)].map(([, name]) => name);
    };
    assert.deepEqual(await warned([missing(0), missing(1)]), ["domU/0/0/0", "domU/0/0/1"]);
    assert.deepEqual(await warned([missing(0), missing(1)]), [], "nothing changes");
    assert.deepEqual(await warned([missing(0), missing(1)], "--strict"), [], "nothing changes");
    assert.deepEqual(await warned([missing(0), missing(2)]), ["domU/0/0/1"], "another device");
    assert.deepEqual(await warned([{ ...missing(0), "unique-id": "x" }, missing(2)]), [], "another name");
    const others = { ...missing(0), "sample-rates": [8000] };
    assert.deepEqual(await warned([others, missing(2)]), ["domU/0/0/0"], "other parameters");
    const denied = { ...missing(2), denied: true };
    assert.deepEqual(await warned([others, denied]), [], "denied");
    assert.deepEqual(
      await warned([others, missing(2), missing(3)]),
      ["domU/0/0/1", "domU/0/0/2"],
      "allowed, new",
    );
  }));

Deno.test("provision names all streams of a device that cannot be asked in one line", () =>
  inBox(async (box) => {
    const { code, stderr } = await box.spawnWith(
      { XSND_LIBASOUND: "/nonexistent" },
      ...["provision", "domU", "--device", "hw:0,0"],
    ).result;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^xsnd: domU\/0\/0\/0, domU\/0\/0\/1: .*cannot load libasound[^\n]*\n$/);
  }));

Deno.test("provision does not ask the device of a denied stream", () =>
  inBox(async (box) => {
    const wav = makeWav(box.path("in.wav"), { rate: 44100, channels: 2, format: "s16_le", frames: 10 });
    const stream = { type: "capture", device: `dummy:${wav}`, "sample-rates": [48000] };
    assertFails(await provisionStream(box, stream), 6, /the device has 44100 Hz/);
    const { code, stderr } = await provisionStream(box, { ...stream, denied: true });
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  }));
