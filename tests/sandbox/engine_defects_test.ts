// SPDX-License-Identifier: MIT
/** A defect ends only the stream or the engine that has the defect. `faulty_daemon.ts` makes the defects. */
import assert from "node:assert/strict";
import { encodeTriggerRequest, XENSND_OP_TRIGGER_START, XENSND_OP_WRITE } from "../../lib/sndif/mod.ts";
import { FAULTY_RATE, serveFaulty } from "./faulty_daemon.ts";
import { assertSameSamples, type Box, inBox, makeWav, samplesOf, until } from "./harness.ts";
import { assertWorks, open, RawCard, type RawStream } from "./raw_frontend.ts";

const playback = (device: string) => ({ type: "playback", device } as const);

/** Plays while `body` provokes the defect; no sample may be lost. */
async function withWitness(box: Box, body: () => Promise<void>): Promise<void> {
  const wav = makeWav(box.path("in.wav"), { format: "s16_le", channels: 2, rate: 48000, frames: 4 * 48000 });
  const playing = box.spawn("play", wav, "witness", "--json");
  await box.untilStream("witness/0/0/0", ({ state }) => state === "running");
  await body();
  const { code, stdout, stderr } = await playing.result;
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).xruns, 0);
  assertSameSamples(samplesOf(box.path("witness.wav")), samplesOf(wav));
}

/** Opens the stream, and provokes the defect with a START that nobody answers. */
function provoke(stream: RawStream): void {
  const { directory } = stream.share(open.bufferSz);
  assert.equal(stream.open({ ...open, grefDirectory: directory.grefs[0]!, pcmRate: FAULTY_RATE }), 0);
  stream.post((view, at, id) => encodeTriggerRequest(view, at, id, XENSND_OP_TRIGGER_START));
}

Deno.test("an exception in a stream ends that stream: it is logged, served again when its guest connects, and all others play on", () =>
  inBox(
    async (box) => {
      await box.provision("domU", [playback("dummy:")], [playback("dummy:")]);
      await box.provision("witness", [playback(`dummy:${box.path("witness.wav")}`)]);
      await using daemon = await serveFaulty(box);
      await withWitness(box, async () => {
        {
          await using card = await RawCard.connect(box.xen, 1, ["0/0", "1/0"]);
          provoke(card.streams[0]!);
          const said =
            /error: domU\/0\/0\/0: a defect of the engine's; the stream is disconnected, others are not: Error/;
          await until("it is said", () => said.test(daemon.stderr));
          assert.match(daemon.stderr, /a defect of the stream's/);
          assertWorks(card.streams[1]!);
          assert.equal((await box.stream("domU/0/0/0")).state, "detached");
        }
        await using card = await RawCard.connect(box.xen, 1, ["0/0", "1/0"]);
        for (const stream of card.streams) assertWorks(stream);
      });
      const { code } = await daemon.end("SIGTERM");
      assert.equal(code, 0, daemon.stderr);
    },
    "domU",
    "witness",
  ));

Deno.test("a stream's own engine that fails is that stream's failure: it is logged, another is started when its guest connects, all others play on", () =>
  inBox(
    async (box) => {
      await box.provision("domU", [playback("plug:null")], [playback("dummy:")]);
      await box.provision("witness", [playback(`dummy:${box.path("witness.wav")}`)]);
      await using daemon = await serveFaulty(box);
      await withWitness(box, async () => {
        {
          await using card = await RawCard.connect(box.xen, 1, ["0/0", "1/0"]);
          provoke(card.streams[0]!);
          const said = /error: domU\/0\/0\/0: the engine has failed: Error: a defect of the engine's/;
          await until("it is said", () => said.test(daemon.stderr));
          assertWorks(card.streams[1]!);
        }
        await using card = await RawCard.connect(box.xen, 1, ["0/0", "1/0"]);
        for (const stream of card.streams) {
          const { directory } = stream.share(open.bufferSz);
          assert.equal(stream.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
          assert.equal(stream.request(XENSND_OP_WRITE, 0, 4096), 0);
          assert.equal(stream.close(), 0);
        }
      });
      const { code } = await daemon.end("SIGTERM");
      assert.equal(code, 0, daemon.stderr);
    },
    "domU",
    "witness",
  ));
