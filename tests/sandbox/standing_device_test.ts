// SPDX-License-Identifier: MIT
/** A device that stands still, and reports no error: silence in real time until it moves, and sound from then on. */
import assert from "node:assert/strict";
import { type Box, inBox, makeWav, type Process, sleep, until } from "./harness.ts";
import { PipeWireServer } from "./pipewire_server.ts";
import { PulseServer } from "./pulse_server.ts";
import type { ServerKind, SoundServer } from "./sound_server.ts";

const RATE = 48_000;
const SOUND = { format: "s16_le", channels: 2, rate: RATE, frames: 60 * RATE };
const STREAM = "domU/0/0/0";

const stand = (server: SoundServer, stands: boolean) => server.stand(stands);
const hang = (server: SoundServer, hangs: boolean) => server.signal(hangs ? "SIGSTOP" : "SIGCONT");

/** What makes a sound server stand still, and go on. */
const STANDS: Record<string, [ServerKind, (server: SoundServer, stands: boolean) => Promise<void> | void]> = {
  "PulseAudio whose sink is suspended": [PulseServer, stand],
  "PulseAudio that hangs": [PulseServer, hang],
  "PipeWire whose sink is destroyed": [PipeWireServer, stand],
  "PipeWire that hangs": [PipeWireServer, hang],
};

/** A box whose guest plays or records through a sound server of its own. */
function inServedBox(
  type: "playback" | "capture",
  body: (box: Box, server: SoundServer, daemon: Process) => Promise<void>,
  kind: ServerKind = PulseServer,
): Promise<void> {
  return inBox(async (box) => {
    await using server = await kind.start({ rate: RATE, channels: 2 });
    await box.provision("domU", [{ type, device: kind.device }]);
    const daemon = await box.serveWith(server.environment);
    await body(box, server, daemon);
    assert(!daemon.ended && !/^\s+at /m.test(daemon.stderr), daemon.stderr);
  });
}

/** Waits for two seconds of sound, and asserts that they have taken two seconds. */
async function assertRealTime(box: Box): Promise<void> {
  const start = performance.now();
  const { positionFrames: from } = await box.stream(STREAM);
  const { positionFrames: to } = await box.untilStream(
    STREAM,
    ({ positionFrames }) => positionFrames >= from + 2 * RATE,
  );
  const expected = (performance.now() - start) / 1000 * RATE;
  assert(Math.abs(to - from - expected) < RATE / 2, `${to - from} frames for ${expected}`);
}

for (const [what, [kind, stand]] of Object.entries(STANDS)) {
  Deno.test(`${what} is silence in real time until it moves again, and its player sees nothing`, () =>
    inServedBox("playback", async (box, server, daemon) => {
      const playing = box.spawn("play", makeWav(box.path("long.wav"), SOUND), "domU");
      await box.untilStream(STREAM, ({ state, heardFrames }) => state === "running" && heardFrames! > 4800);
      await stand(server, true);
      const silent = await box.untilStream(STREAM, ({ cardStalled }) => cardStalled === true);
      assert.equal(silent.cardLost, true);
      await assertRealTime(box);
      assert.match(await box.ok("status"), / card stands still$/m);
      const said = `${kind.device} does not move: the stream goes on in silence until it does`;
      assert.equal(daemon.stderr.split(said).length, 2, daemon.stderr);

      await stand(server, false);
      const back = await box.untilStream(STREAM, ({ cardLost }) => cardLost === false);
      assert.deepEqual([back.state, back.cardStalled, back.stalls], ["running", false, 1]);
      await until("it is said", () => daemon.stderr.includes(`${kind.device} moves again`));
      await box.untilStream(STREAM, ({ heardFrames }) => heardFrames! > back.heardFrames! + RATE);
      assert(!playing.ended, playing.stderr);
      assert.equal((await box.stream(STREAM)).losses, 0);
      await playing.end("SIGINT");
    }, kind));
}

Deno.test("a source that stands still is recorded as silence in real time", () =>
  inServedBox("capture", async (box, server) => {
    await server.stand(true);
    const recording = box.spawn("record", box.path("out.wav"), STREAM);
    await box.untilStream(STREAM, ({ cardStalled }) => cardStalled === true);
    await assertRealTime(box);
    await server.stand(false);
    const back = await box.untilStream(STREAM, ({ cardLost }) => cardLost === false);
    await box.untilStream(STREAM, ({ heardFrames }) => heardFrames! > back.heardFrames! + RATE);
    assert(!recording.ended, recording.stderr);
    await recording.end("SIGINT");
  }));

Deno.test("a pause and a stop hold a stream whose device stands still, and it is heard again after them", () =>
  inServedBox("playback", async (box, server) => {
    const playing = box.spawn("play", makeWav(box.path("long.wav"), SOUND), "domU");
    for (const hold of ["pause", "stop"]) {
      await box.untilStream(STREAM, ({ cardLost, state }) => state === "running" && cardLost === false);
      await server.stand(true);
      await box.untilStream(STREAM, ({ cardStalled }) => cardStalled === true);
      await box.ok("trigger", hold, "domU");
      const held = await box.stream(STREAM);
      await sleep(500);
      const later = await box.stream(STREAM);
      assert.equal(later.positionFrames, held.positionFrames, "a position moves that is held");
      await server.stand(false);
      await box.ok("trigger", "start", "domU");
      await box.untilStream(STREAM, ({ heardFrames }) => heardFrames! > later.heardFrames! + RATE / 2);
    }
    await playing.end("SIGINT");
  }));

Deno.test("a mute holds for a device that stands still when it is set, and ends when the operator ends it", () =>
  inServedBox("playback", async (box, server) => {
    const playing = box.spawn("play", makeWav(box.path("long.wav"), SOUND), "domU");
    await box.untilStream(STREAM, ({ heardFrames }) => heardFrames! > 4800);
    /** Whether a second of what the sink plays from now on is all silence. */
    const isSilent = async () => {
      const heard = box.path("heard.raw");
      await using recorder = await server.record(heard);
      await sleep(1000);
      await recorder.end("SIGTERM");
      const octets = Deno.readFileSync(heard);
      Deno.removeSync(heard);
      assert(octets.length > RATE, `${octets.length} octets in a second`);
      return octets.every((octet) => octet === 0);
    };
    assert(!await isSilent());
    await server.stand(true);
    await box.untilStream(STREAM, ({ cardStalled }) => cardStalled === true);
    await box.ok("mute", "domU");
    await server.stand(false);
    const back = await box.untilStream(STREAM, ({ cardLost }) => cardLost === false);
    await box.untilStream(STREAM, ({ heardFrames }) => heardFrames! > back.heardFrames! + RATE);
    assert(await isSilent(), "a muted stream is heard");
    await box.ok("unmute", "domU");
    assert(!await isSilent(), "a stream whose mute was ended is not heard");
    await playing.end("SIGINT");
  }));

Deno.test("a stream that is denied while its device stands still is silent, also when the device moves", () =>
  inServedBox("playback", async (box, server, daemon) => {
    const playing = box.spawn("play", makeWav(box.path("long.wav"), SOUND), "domU");
    await box.untilStream(STREAM, ({ state, heardFrames }) => state === "running" && heardFrames! > 4800);
    await server.stand(true);
    const standing = await box.untilStream(STREAM, ({ cardStalled }) => cardStalled === true);
    await box.provision("domU", [{ type: "playback", device: "pulse", denied: true }]);
    const denied = await box.untilStream(STREAM, ({ denied, cardLost }) => denied && cardLost === false);
    assert.equal(denied.cardStalled, false);
    await server.stand(false);
    await assertRealTime(box);
    const later = await box.stream(STREAM);
    assert(later.deniedFrames > RATE);
    assert.equal(later.heardFrames, standing.heardFrames, "a denied stream is heard");
    assert(!daemon.ended && !playing.ended, daemon.stderr);
    await playing.end("SIGINT");
  }));
