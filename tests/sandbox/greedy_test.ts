// SPDX-License-Identifier: MIT
/** Guests that claim all of the engine's time with costly, but permitted requests: other guests do not suffer. */
import assert from "node:assert/strict";
import {
  encodeCloseRequest,
  encodeTriggerRequest,
  formatByName,
  XENSND_OP_TRIGGER_START,
  XENSND_OP_WRITE,
} from "../../lib/sndif/mod.ts";
import { assertSameSamples, type Box, inBox, makeWav, samplesOf, until } from "./harness.ts";
import { assertWorks, open, RawCard, type RawStream } from "./raw_frontend.ts";

/** The widest possible streams: 391 MB/s each, with buffers of 2.7 ms. */
const WIDE = { pcmRate: 192_000, pcmChannels: 255, pcmFormat: formatByName("float64_le")!.code };
const FRAME_BYTES = 8 * 255;
const STREAMS = 24;

async function provisionWide(box: Box, domain: string): Promise<void> {
  const card = {
    "buffer-size": 1 << 21,
    "sample-rates": [WIDE.pcmRate],
    "sample-formats": ["float64_le"],
    "channels-max": WIDE.pcmChannels,
    pcms: Array.from({ length: STREAMS / 8 }, () => ({
      streams: Array.from({ length: 8 }, () => ({ type: "capture", device: "dummy:" })),
    })),
  };
  const file = box.path("wide.yaml");
  Deno.writeTextFileSync(file, JSON.stringify({ domains: { [domain]: { cards: [card] } } }));
  await box.ok("provision", domain, "-f", file);
}

/** The sorted durations of `count` WRITEs, 5 ms apart, in ms. */
async function writes(stream: RawStream, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    assert.equal(stream.request(XENSND_OP_WRITE, i % 8 * 960, 960), 0);
    times.push(performance.now() - start);
    stream.takePositions();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return times.sort((a, b) => a - b);
}

const part = (sorted: readonly number[], of: number) => sorted[Math.floor((sorted.length - 1) * of)];

Deno.test("24 streams of 255 channels that are only started: another guest has no xrun, loses no sample, and waits no longer", () =>
  inBox(
    async (box) => {
      await provisionWide(box, "domU");
      await box.provision("witness", [{ type: "playback", device: `dummy:${box.path("witness.wav")}` }]);
      await box.provision("watcher", [{ type: "playback", device: "dummy:" }]);
      await box.serve("--guest-limits", "mapped=1024,total-mapped=1024");
      await using watcher = await RawCard.connect(box.xen, 3, ["0/0"]);
      const [clock] = watcher.streams;
      const shared = clock!.share(open.bufferSz);
      const grefDirectory = shared.directory.grefs[0]!;
      assert.equal(clock!.open({ ...open, bufferSz: 7680, periodSz: 1920, grefDirectory }), 0);
      assert.equal(clock!.trigger(XENSND_OP_TRIGGER_START), 0);
      const calm = await writes(clock!, 200);

      const names = Array.from({ length: STREAMS }, (_, i) => `${i >> 3}/${i % 8}`);
      await using greedy = await RawCard.connect(box.xen, 1, names);
      for (const stream of greedy.streams) {
        const bufferSz = 512 * FRAME_BYTES;
        const { directory } = stream.share(bufferSz);
        const request = { ...WIDE, bufferSz, periodSz: bufferSz / 4, grefDirectory: directory.grefs[0]! };
        assert.equal(stream.open(request), 0);
        stream.post((view, at, id) => encodeTriggerRequest(view, at, id, XENSND_OP_TRIGGER_START));
      }
      await until("all of them run", async () => {
        const { streams } = await box.status();
        const running = streams.filter(({ stream, state }) =>
          stream.startsWith("domU/") && state === "running"
        );
        return running.length === STREAMS;
      });
      const cpu = async () => (await box.status()).sharedEngineCpuSeconds!;
      const wav = makeWav(box.path("in.wav"), {
        format: "s16_le",
        channels: 2,
        rate: 48000,
        frames: 3 * 48000,
      });
      const playing = box.spawn("play", wav, "witness", "--json");
      await box.untilStream("witness/0/0/0", ({ state }) => state === "running");
      const [began, before] = [performance.now(), await cpu()];
      const stormy = await writes(clock!, 200);
      const share = (await cpu() - before) / ((performance.now() - began) / 1000);
      assert(share < 0.4, `the engine takes ${share} of a processor`);
      const [was, is] = [part(calm, 0.5), part(stormy, 0.5)];
      assert(is! < 4 * was!, `half of the WRITEs take more than ${is} ms, and took ${was} ms before`);
      const { code, stdout, stderr } = await playing.result;
      assert.equal(code, 0, stderr);
      assert.equal(JSON.parse(stdout).xruns, 0);
      assertSameSamples(samplesOf(box.path("witness.wav")), samplesOf(wav));
    },
    "domU",
    "witness",
    "watcher",
  ));

Deno.test("CLOSE without an end is served at what it costs, of all streams of a guest together; another guest's stream works meanwhile", () =>
  inBox(
    async (box) => {
      const playback = { type: "playback", device: "dummy:" } as const;
      await box.provision("domU", [playback, playback]);
      await box.provision("witness", [playback]);
      await box.serve();
      await using card = await RawCard.connect(box.xen, 1, ["0/0", "0/1"]);
      await using witness = await RawCard.connect(box.xen, 2, ["0/0"]);
      // 400 CLOSEs at a price of 5 ms: the token bucket holds 1 s, and refills the other second in 1 s.
      const rounds = 200;
      const start = performance.now();
      for (let round = 0; round < rounds; round++) {
        const ids = card.streams.map((stream) => stream.post(encodeCloseRequest));
        card.streams.forEach((stream, i) => assert.equal(stream.answerOf(ids[i]!), 0));
        if (round % 100 === 99) assertWorks(witness.streams[0]!);
      }
      const ms = performance.now() - start;
      assert(ms > 900, `${2 * rounds} CLOSEs were served within ${ms} ms`);
    },
    "domU",
    "witness",
  ));
