/** A device that can do nothing of what a stream allows is refused at provisioning, with the reason. */
import assert from "node:assert/strict";
import { assertFails, type Box, inBox, makeWav } from "./harness.ts";

/** Provisions one stream on `device`, in an ALSA of its own. */
function provisionStream(box: Box, stream: Record<string, unknown>) {
  const asound = box.path("asound.conf");
  Deno.writeTextFileSync(
    asound,
    "pcm.nowhere { type null }\npcm.linear { type linear slave { pcm nowhere format S16_LE } }\n" +
      "pcm.plug { @args [ SLAVE ] @args.SLAVE { type string } type plug slave.pcm $SLAVE }\n",
  );
  const file = box.path("domU.yaml");
  Deno.writeTextFileSync(
    file,
    JSON.stringify({ domains: { domU: { cards: [{ pcms: [{ streams: [stream] }] }] } } }),
  );
  return box.spawnWith({ ALSA_CONFIG_PATH: asound }, "provision", "-f", file).result;
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
    assertFails(rates, 6, /it has 44100 Hz, and not 8000, 48000/);
    const channels = await provisionStream(box, { ...stream, "channels-max": 1 });
    assertFails(channels, 6, /it cannot have 1 channels/);
    const { code } = await provisionStream(box, { ...stream, "sample-rates": [44100, 48000] });
    assert.equal(code, 0, "what is left in common is enough");
  }));

Deno.test("provision takes a device that cannot be asked: it may be plugged in later, or be another domain's", () =>
  inBox(async (box) => {
    for (const device of ["hw:31,0", "nonsense"]) {
      const { code, stderr } = await provisionStream(box, {
        type: "playback",
        device,
        "sample-rates": [5512],
      });
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, device);
      await box.ok("deprovision", "domU");
    }
  }));

Deno.test("provision does not ask the device of a denied stream", () =>
  inBox(async (box) => {
    const wav = makeWav(box.path("in.wav"), { rate: 44100, channels: 2, format: "s16_le", frames: 10 });
    const stream = { type: "capture", device: `dummy:${wav}`, "sample-rates": [48000] };
    assertFails(await provisionStream(box, stream), 6, /it has 44100 Hz/);
    const { code, stderr } = await provisionStream(box, { ...stream, denied: true });
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  }));
