// SPDX-License-Identifier: MIT
/** Samples of each format pass through ALSA unchanged. */
import assert from "node:assert/strict";
import { FORMATS, type SampleFormat, XENSND_OP_TRIGGER_START, XENSND_OP_WRITE } from "../../lib/sndif/mod.ts";
import { inBox } from "./harness.ts";
import { RawCard, type RawStream } from "./raw_frontend.ts";

const CHANNELS = 2;
const FRAMES = 1024;
/** All formats but compressed ones and IEC 958 subframes, of which alsa-lib's file plugin has one kind: those are no samples. */
const SAMPLES = FORMATS.filter(({ kind }) => kind === "linear" || kind === "float" || kind === "law");

/** Plays a buffer of random octets, and returns them. */
function play(stream: RawStream, { code, octets }: SampleFormat): Uint8Array {
  const bytes = FRAMES * CHANNELS * octets!;
  const { buffer, directory } = stream.share(bytes);
  const samples = crypto.getRandomValues(new Uint8Array(buffer.buffer, 0, bytes)).slice();
  const open = { pcmRate: 48000, pcmFormat: code, pcmChannels: CHANNELS, grefDirectory: directory.grefs[0]! };
  assert.equal(stream.open({ ...open, bufferSz: bytes, periodSz: bytes / 4 }), 0);
  assert.equal(stream.request(XENSND_OP_WRITE, 0, bytes), 0);
  assert.equal(stream.trigger(XENSND_OP_TRIGGER_START), 0);
  let position = 0;
  stream.waitFor("all to be played", () => {
    position = stream.takePositions().at(-1) ?? position;
    return position >= bytes;
  });
  assert.equal(stream.close(), 0);
  for (const pages of [buffer, directory]) pages[Symbol.dispose]();
  return samples;
}

Deno.test("every linear, float and law format goes through ALSA octet by octet", () =>
  inBox(async (box) => {
    const config = box.path("asound.conf");
    const tape = box.path("tape.raw");
    Deno.writeTextFileSync(
      config,
      `pcm.nowhere { type null }\npcm.tape { type file slave.pcm nowhere file "${tape}" format raw }\n`,
    );
    const streams = [{ type: "playback", device: "tape" }];
    const card = {
      "buffer-size": 65536,
      "sample-rates": [48000],
      "sample-formats": SAMPLES.map(({ name }) => name),
    };
    const file = box.path("domU.yaml");
    const domains = { domU: { cards: [{ ...card, "channels-max": 2, pcms: [{ streams }] }] } };
    Deno.writeTextFileSync(file, JSON.stringify({ domains }));
    const { code, stderr } = await box.run("provision", "-f", file);
    assert.equal(code, 0, stderr);
    await box.serveWith({ ALSA_CONFIG_PATH: config });
    await using connected = await RawCard.connect(box.xen, 1, ["0/0"]);
    for (const format of SAMPLES) {
      const played = play(connected.streams[0]!, format);
      // The PCM is closed, which completes the file, after CLOSE is answered.
      const deadline = performance.now() + 5000;
      while (!holds(Deno.readFileSync(tape), played)) {
        assert(
          performance.now() < deadline,
          `${format.name}: what was played is not what the card was given`,
        );
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  }));

function holds(whole: Uint8Array, part: Uint8Array): boolean {
  for (let at = whole.indexOf(part[0]!); at >= 0; at = whole.indexOf(part[0]!, at + 1)) {
    if (part.every((octet, i) => octet === whole[at + i])) return true;
  }
  return false;
}
