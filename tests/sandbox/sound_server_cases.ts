// SPDX-License-Identifier: MIT
/** Playback into a real sound server through ALSA's plugin: in real time, without an xrun, every sample in its place. */
import assert from "node:assert/strict";
import { testPcmContract } from "../unit/pcm_contract.ts";
import { assertFails, type Box, inBox, makeWav, samplesOf, sleep, until } from "./harness.ts";
import type { ServerKind, Sink, SoundServer } from "./sound_server.ts";

export const SINK: Sink = { rate: 48_000, channels: 2 };
export const STREAM = "domU/0/0/0";
const sound = { format: "s16_le", ...SINK, frames: 72_000 };
const FRAME_BYTES = 4;
/**
 * Frames that a recording lacks. PulseAudio's stream begins by overwriting samples that the sink's monitor has already passed on.
 * PipeWire's plugin counts a cycle of its server as played as soon as the server has it, and CLOSE may come before the server plays it.
 */
const [UNHEARD_FRAMES, UNHEARD_AT_END] = [4800, 2048];

/** The frame of `played` at which the whole of `expected` begins, without a gap; -1 if there is none. */
function find(played: Uint8Array, expected: Uint8Array): number {
  const words = (octets: Uint8Array) => new Uint32Array(octets.slice().buffer, 0, octets.length >> 2);
  const [haystack, needle] = [words(played), words(expected)];
  for (let at = haystack.indexOf(needle[0]!); at >= 0; at = haystack.indexOf(needle[0]!, at + 1)) {
    if (needle.every((word, i) => haystack[at + i] === word)) return at;
  }
  return -1;
}

/** Asserts that the middle tenth of a second of `heard` is part of `samples`. */
function assertHeardPart(heard: Uint8Array, samples: Uint8Array): void {
  const part = 4800 * FRAME_BYTES;
  const middle = heard.subarray(Math.floor(heard.length / 2 / FRAME_BYTES) * FRAME_BYTES).subarray(0, part);
  assert(find(samples, middle) >= 0, "what is heard is not what is played");
}

/** Tests that every sound server has to pass. */
export function testSoundServer(kind: ServerKind): void {
  const { device } = kind;
  let server: SoundServer;
  const inherited = new Map<string, string | undefined>();

  Deno.test.beforeAll(async () => {
    server = await kind.start(SINK);
    // The contract runs in this process, and alsa-lib reads the variables by getenv(3).
    for (const [name, value] of Object.entries(server.environment)) {
      inherited.set(name, Deno.env.get(name));
      Deno.env.set(name, value);
    }
  });
  Deno.test.afterAll(async () => {
    for (const [name, value] of inherited) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
    await server[Symbol.asyncDispose]();
  });

  /** A box whose device is the server's null sink. */
  function inServedBox(body: (box: Box) => Promise<void>): Promise<void> {
    return inBox(async (box) => {
      await box.provision("domU", [{ type: "playback", device }]);
      const daemon = await box.serveWith(server.environment);
      await body(box);
      // A busy machine may cause an underrun. Tests that forbid underruns compare the samples.
      const said = daemon.stderr.replace(/^.*: underrun of .*\n/gm, "");
      assert(!daemon.ended && !/warning|error/.test(said), daemon.stderr);
    });
  }

  for (
    const [what, sizes] of Object.entries({
      "the buffer that play asks for by itself": [],
      "a buffer of 8192 frames": ["--buffer-frames", "8192", "--period-frames", "2048"],
    })
  ) {
    Deno.test(`play into a sound server is in real time, without an xrun, without a gap, with ${what}`, () =>
      inServedBox(async (box) => {
        const input = makeWav(box.path("in.wav"), sound);
        const heard = box.path("heard.raw");
        await using recorder = await server.record(heard);
        const report = JSON.parse(await box.ok("play", input, STREAM, "--json", ...sizes));
        await sleep(300); // until the server's own buffers are empty
        await recorder.end("SIGTERM");
        assert.equal(report.xruns, 0);
        const seconds = sound.frames / sound.rate;
        assert(report.seconds > seconds - 0.1 && report.seconds < seconds + 1, `${report.seconds} s`);
        const played = Deno.readFileSync(heard);
        const expected = samplesOf(input).subarray(
          UNHEARD_FRAMES * FRAME_BYTES,
          -UNHEARD_AT_END * FRAME_BYTES,
        );
        assert(find(played, expected) >= 0, `no such stretch in ${played.length / FRAME_BYTES} frames`);
      }));
  }

  Deno.test("a sound server that goes in mid-play is lost: silence in real time, and sound again when it is back; other guests are none the worse", async () => {
    await using other = await kind.start(SINK);
    await inBox(
      async (box) => {
        await box.provision("domU", [{ type: "playback", device }]);
        await box.provision("domV", [{ type: "playback", device: `dummy:${box.path("played.wav")}` }]);
        const daemon = await box.serveWith(other.environment);
        const long = makeWav(box.path("long.wav"), { ...sound, frames: 30 * sound.rate });
        const input = makeWav(box.path("in.wav"), sound);
        const playing = box.spawn("play", long, "domU");
        const safe = box.spawn("play", input, "domV");
        await box.untilStream(
          STREAM,
          ({ state, positionFrames }) => state === "running" && positionFrames > 4800,
        );
        await other.stop();
        await until("it is said", () => daemon.stderr.includes(`error: ${STREAM}: ${device} is lost (E`));
        const lost = await box.untilStream(STREAM, ({ cardLost }) => cardLost === true);
        // Two seconds of silence pass in real time.
        const start = performance.now();
        const later = await box.untilStream(
          STREAM,
          ({ positionFrames }) => positionFrames >= lost.positionFrames + 2 * sound.rate,
        );
        const expected = (performance.now() - start) / 1000 * sound.rate;
        const passed = later.positionFrames - lost.positionFrames;
        assert(Math.abs(passed - expected) < sound.rate, `${passed} frames for ${expected}`);
        assert(!playing.ended, playing.stderr);
        assert.match(await box.ok("status"), / card lost$/m);

        await other.restart();
        await until("it is said", () => daemon.stderr.includes(`${STREAM}: ${device} is there again`));
        const heard = box.path("heard.raw");
        await using recorder = await other.record(heard);
        await sleep(1000);
        await recorder.end("SIGTERM");
        assertHeardPart(Deno.readFileSync(heard), samplesOf(long));
        const back = await box.untilStream(STREAM, ({ cardLost }) => cardLost === false);
        assert.equal(back.state, "running");
        await playing.end("SIGINT");

        const { code, stderr } = await safe.result;
        assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
        assert(!daemon.ended && !/^\s+at /m.test(daemon.stderr), daemon.stderr);
      },
      "domU",
      "domV",
    );
  });

  Deno.test("a sound server that is not there is an error for the guest that opens it", async () => {
    await using other = await kind.start(SINK);
    await inBox(async (box) => {
      await box.provision("domU", [{ type: "playback", device }]);
      const daemon = await box.serveWith(other.environment);
      await other.stop();
      const input = makeWav(box.path("in.wav"), sound);
      assertFails(await box.run("play", input, "domU"), 1, /the backend refuses .*: E/);
      assert(
        daemon.stderr.includes(`warning: ${STREAM}: cannot open PCM "${device}" for playback: `),
        daemon.stderr,
      );
    });
  });

  testPcmContract(device, { attempts: 3 });
}
