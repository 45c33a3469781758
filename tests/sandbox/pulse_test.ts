// SPDX-License-Identifier: MIT
/** Playback into a real sound server through ALSA's plugin: in real time, without an xrun, every sample in its place. */
import assert from "node:assert/strict";
import { assertFails, type Box, inBox, makeWav, samplesOf, sleep, until } from "./harness.ts";
import { testPcmContract } from "../unit/pcm_contract.ts";
import { grantsPath } from "../../lib/xen/embedded/layout.ts";
import { PulseServer } from "./pulse_server.ts";

const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 72_000 };
const FRAME_BYTES = 4;
/** Frames that a recording lacks: a stream begins by overwriting samples that the sink's monitor has already passed on. */
const UNHEARD_FRAMES = 4800;
const STREAM = "domU/0/0/0";

let server: PulseServer;
const inherited = new Map<string, string | undefined>();

Deno.test.beforeAll(async () => {
  server = await PulseServer.start({ rate: sound.rate, channels: sound.channels, format: "s16le" });
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
    await box.provision("domU", [{ type: "playback", device: "pulse" }]);
    const daemon = await box.serveWith(server.environment);
    await body(box);
    // A busy machine may cause an underrun. Tests that forbid underruns compare the samples.
    const said = daemon.stderr.replace(/^.*: underrun of .*\n/gm, "");
    assert(!daemon.ended && !/warning|error/.test(said), daemon.stderr);
  });
}

/** The frame of `played` at which the whole of `expected` begins, without a gap; -1 if there is none. */
function find(played: Uint8Array, expected: Uint8Array): number {
  const words = (octets: Uint8Array) => new Uint32Array(octets.slice().buffer, 0, octets.length >> 2);
  const [haystack, needle] = [words(played), words(expected)];
  for (let at = haystack.indexOf(needle[0]!); at >= 0; at = haystack.indexOf(needle[0]!, at + 1)) {
    if (needle.every((word, i) => haystack[at + i] === word)) return at;
  }
  return -1;
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
      const expected = samplesOf(input).subarray(UNHEARD_FRAMES * FRAME_BYTES);
      assert(find(played, expected) >= 0, `no such stretch in ${played.length / FRAME_BYTES} frames`);
    }));
}

Deno.test("a sound server that goes in mid-play is lost: silence in real time, and sound again when it is back; other guests are none the worse", async () => {
  await using other = await PulseServer.start({ rate: 48000, channels: 2, format: "s16le" });
  await inBox(
    async (box) => {
      await box.provision("domU", [{ type: "playback", device: "pulse" }]);
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
      await until("it is said", () => /error: domU\/0\/0\/0: pulse is lost \(E/.test(daemon.stderr));
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
      await until("it is said", () => /domU\/0\/0\/0: pulse is there again/.test(daemon.stderr));
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

Deno.test("a sound server that hangs keeps no other stream waiting, nor the daemon's end", async () => {
  await using other = await PulseServer.start({ rate: 48000, channels: 2, format: "s16le" });
  await inBox(
    async (box) => {
      const output = box.path("played.wav");
      await box.provision("domU", [{ type: "playback", device: "pulse" }]);
      await box.provision("domV", [{ type: "playback", device: `dummy:${output}` }]);
      const daemon = await box.serveWith(other.environment);
      const long = makeWav(box.path("long.wav"), { ...sound, frames: 60 * sound.rate });
      const input = makeWav(box.path("in.wav"), sound);
      box.spawn("play", long, "domU");
      await box.untilStream(
        STREAM,
        ({ state, positionFrames }) => state === "running" && positionFrames > 4800,
      );
      other.signal("SIGSTOP");
      // The stop asks the server to drop its buffer, and waits for the server's answer.
      const stopping = box.spawn("trigger", "stop", "domU");
      await sleep(300);
      assert(!stopping.ended, "nothing hangs");
      assert.equal(JSON.parse(await box.ok("play", input, "domV", "--json")).xruns, 0);
      assert.deepEqual(samplesOf(output), samplesOf(input));
      // The client does not wait for the server. The hold stays, and the device obeys when the server answers again.
      assertFails(
        await stopping.result,
        124,
        /stop holds for domU\/0\/0\/0, but its device pulse has not obeyed yet/,
      );
      assert.equal((await box.stream(STREAM)).hold, "stopped");
      other.signal("SIGCONT");

      await box.ok("trigger", "start", "domU");
      other.signal("SIGSTOP");
      box.spawn("trigger", "stop", "domU");
      await sleep(300);
      const { code, stderr } = await daemon.end("SIGTERM");
      assert.equal(code, 0, stderr);
      assert.match(stderr, /error: domU\/0\/0\/0: pulse does not come back/);
      other.signal("SIGCONT");
    },
    "domU",
    "domV",
  );
});

Deno.test("an engine that hangs in a sound server's plugin gives back what it has when it comes back", async () => {
  await using other = await PulseServer.start({ rate: 48000, channels: 2, format: "s16le" });
  await inBox(async (box) => {
    const daemon = await box.serveWith(other.environment);
    const engines = () =>
      Array.from(Deno.readDirSync(`/proc/${daemon.pid}/task`), ({ name }) => threadName(daemon.pid, name))
        .filter((name) => name.startsWith("worker")).length;
    /** Whether the daemon has any of the guest's pages mapped. */
    const isMapped = () => Deno.readTextFileSync(`/proc/${daemon.pid}/maps`).includes(grantsPath(box.xen, 1));
    assert.equal(engines(), 1);
    await box.provision("domU", [{ type: "playback", device: "pulse" }]);
    const long = makeWav(box.path("long.wav"), { ...sound, frames: 60 * sound.rate });
    const playing = box.spawn("play", long, "domU");
    await box.untilStream(
      STREAM,
      ({ state, positionFrames }) => state === "running" && positionFrames > 4800,
    );
    assert.equal(engines(), 2);
    assert(isMapped());
    other.signal("SIGSTOP");
    box.spawn("trigger", "stop", "domU");
    await sleep(300);
    await playing.end("SIGKILL");
    await box.ok("deprovision", "domU", "--force");
    await until("it is said", () => /error: domU\/0\/0\/0: pulse does not come back/.test(daemon.stderr));
    assert(engines() === 2 && isMapped(), "it hangs");
    other.signal("SIGCONT");
    await until("the engine is gone", () => {
      assert(!daemon.ended, daemon.stderr);
      return engines() === 1;
    });
    await until("nothing of the guest's is mapped", () => !isMapped());
    assert(!daemon.ended, daemon.stderr);
  });
});

Deno.test("a sound server that is not there is an error for the guest that opens it", async () => {
  await using other = await PulseServer.start({ rate: 48000, channels: 2, format: "s16le" });
  await inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "pulse" }]);
    const daemon = await box.serveWith(other.environment);
    await other.stop();
    const input = makeWav(box.path("in.wav"), sound);
    assertFails(await box.run("play", input, "domU"), 1, /the backend refuses .*: E/);
    assert.match(daemon.stderr, /warning: domU\/0\/0\/0: cannot open PCM "pulse" for playback: /);
  });
});

/** A thread's name; empty if the thread has just ended. */
function threadName(pid: number, thread: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/task/${thread}/comm`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || /ESRCH|os error 3\b/.test(String(error))) return "";
    throw error;
  }
}

/** Asserts that the middle tenth of a second of `heard` is part of `samples`. */
function assertHeardPart(heard: Uint8Array, samples: Uint8Array): void {
  const part = 4800 * FRAME_BYTES;
  const middle = heard.subarray(Math.floor(heard.length / 2 / FRAME_BYTES) * FRAME_BYTES).subarray(0, part);
  assert(find(samples, middle) >= 0, "what is heard is not what is played");
}

testPcmContract("pulse", { attempts: 3 });
