// SPDX-License-Identifier: MIT
/** `xsnd trigger` and `xsnd status`: an operator controls and watches a stream that a guest plays. */
import assert from "node:assert/strict";
import {
  askAndHangUp,
  assertFails,
  assertSameSamples,
  type Box,
  controlClients,
  inBox,
  makeWav,
  type Process,
  samplesOf,
  sharedBox,
  sleep,
  type Sound,
  type StreamStatus,
  until,
} from "./harness.ts";
import { Xs } from "../../lib/xen/embedded/server/wire.ts";
import { WireClient } from "../unit/xenstore_wire_client.ts";

const STREAM = "domU/0/0/0";
const sound: Sound = { format: "s16_le", channels: 2, rate: 48000, frames: 48_000 };

/** Long enough to notice a pointer that moves, and events. */
const WHILE_MS = 250;

interface Playing {
  readonly box: Box;
  readonly playing: Process;
  readonly input: string;
  readonly output: string;
}

const served = sharedBox(async (box) => {
  await box.provision("domU", [{ type: "playback", device: `dummy:${box.path("played.wav")}` }]);
  await box.serve();
});

/** Runs `body` while a guest plays, by default a second of sound. */
async function whilePlaying(body: (playing: Playing) => Promise<void>, frames = sound.frames): Promise<void> {
  const box = served();
  const input = makeWav(box.path("in.wav"), { ...sound, frames });
  await using playing = box.spawn("play", input, STREAM);
  await box.untilStream(STREAM, ({ state, positionFrames }) => state === "running" && positionFrames > 2400);
  try {
    await body({ box, playing, input, output: box.path("played.wav") });
  } finally {
    // The hold of a failed test would stay.
    if ((await box.stream(STREAM)).hold !== "none") await box.ok("trigger", "resume", STREAM);
  }
}

/** The stream's status, as the command prints it. */
async function status(box: Box): Promise<StreamStatus> {
  const { streams } = JSON.parse(await box.ok("status", "--json"));
  return streams.find(({ stream }: StreamStatus) => stream === STREAM);
}

const counters = ({ positionFrames, events }: StreamStatus) => ({ positionFrames, events });

async function assertPlayed({ playing, input, output }: Playing): Promise<void> {
  const { code, stderr, stdout } = await playing.result;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.match(stdout, /, 0 xruns;/);
  assertSameSamples(samplesOf(output), samplesOf(input));
}

for (const [stop, go, held] of [["pause", "resume", "paused"], ["stop", "start", "stopped"]]) {
  Deno.test(`trigger ${stop} stops pointer and events, ${go} goes on with the next sample`, () =>
    whilePlaying(async (playing) => {
      const { box } = playing;
      assert.equal(await box.ok("trigger", stop!, STREAM), `${STREAM}: ${held}\n`);
      const before = await status(box);
      assert.deepEqual(
        [before.state, before.hold],
        ["running", held],
        "its guest believes it to be running",
      );
      assert(before.positionFrames > 2400 && before.positionFrames < sound.frames);
      await sleep(WHILE_MS);
      assert.deepEqual(counters(await status(box)), counters(before));
      assert(!playing.playing.ended);
      assert.equal(await box.ok("trigger", go!, STREAM), `${STREAM}: running\n`);
      await box.untilStream(
        STREAM,
        ({ positionFrames, events }) =>
          positionFrames > before.positionFrames + 2400 && events > before.events,
      );
      await assertPlayed(playing);
    }));
}

Deno.test("trigger finds the stream by less than its whole name", () =>
  whilePlaying(async (playing) => {
    for (const name of ["domU", "domU/0", "domU/0/0"]) {
      assert.equal(await playing.box.ok("trigger", "pause", name), `${STREAM}: paused\n`);
    }
    await playing.box.ok("trigger", "resume", "domU");
    await assertPlayed(playing);
  }));

Deno.test("trigger waits for a domain's card, and holds before its guest opens the stream", () =>
  inBox(async (box) => {
    await box.serve();
    const pausing = box.spawn("trigger", "pause", STREAM, "--timeout", "30");
    const output = box.path("played.wav");
    await box.provision("domU", [{ type: "playback", device: `dummy:${output}` }]);
    const { code, stdout, stderr } = await pausing.result;
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: `${STREAM}: paused\n`, stderr: "" });
    const input = makeWav(box.path("in.wav"), sound);
    const playing = box.spawn("play", input, STREAM);
    await box.untilStream(STREAM, ({ state }) => state === "running");
    await sleep(WHILE_MS);
    assert.equal((await status(box)).positionFrames, 0);
    assert.equal(await box.ok("trigger", "resume", STREAM), `${STREAM}: running\n`);
    await assertPlayed({ box, playing, input, output });
  }));

Deno.test("trigger that was interrupted while it waited does nothing when the card comes", () =>
  inBox(async (box) => {
    const output = box.path("played.wav");
    await box.serve();
    for (const action of ["pause", "stop"] as const) {
      await askAndHangUp(box, { command: "trigger", stream: STREAM, trigger: action, waitMs: 60_000 });
      const trigger = box.spawn("trigger", action, STREAM, "--timeout", "60");
      await until("it asks", () => controlClients(box) > 0);
      // The command writes its request right after it connects. A slower command would pass without being tested.
      await sleep(200);
      assert.equal((await trigger.end("SIGINT")).code, 130);
      await until("the daemon lets go of it", () => controlClients(box) === 0);
    }
    await box.provision("domU", [{ type: "playback", device: `dummy:${output}` }]);
    const input = makeWav(box.path("in.wav"), sound);
    await assertPlayed({ box, playing: box.spawn("play", input, STREAM), input, output });
    assert.equal((await box.stream(STREAM)).hold, "none");
  }));

Deno.test("trigger on a stream whose guest is gone changes nothing, and says why", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    const daemon = await box.serve();
    const playing = box.spawn("play", makeWav(box.path("in.wav"), { ...sound, frames: 480_000 }), STREAM);
    await box.untilStream(STREAM, ({ state }) => state === "running");
    await box.ok("trigger", "pause", STREAM);
    await playing.end("SIGKILL");
    {
      using dom0 = await WireClient.connect(box.environment.XENSTORED_PATH!);
      await dom0.call(Xs.RELEASE, ["1"]);
    }
    await box.untilStream(STREAM, ({ state, engine }) => state === "detached" && engine === undefined);
    const operator = () => box.xenstore("ls", "-f", "/local/domain/0/backend/vsnd/1/0/operator");
    const before = await operator();
    assert.match(before, /hold.*"paused"/);
    for (const action of ["resume", "start", "stop", "pause"]) {
      assertFails(
        await box.run("trigger", action, STREAM, "--timeout", "0"),
        124,
        new RegExp(
          `cannot ${action} ${STREAM}: the daemon does not serve it: its guest is gone, .*see its log`,
        ),
      );
    }
    assertFails(
      await box.run("trace", "record", STREAM, "-o", box.path("x"), "--timeout", "0"),
      124,
      /cannot trace domU\/0\/0\/0: the daemon does not serve it/,
    );
    assert.equal(await operator(), before);
    assert.equal((await box.stream(STREAM)).hold, "paused");
    assert.doesNotMatch(daemon.stderr, /TypeError|^\s+at /m);
  }));

Deno.test("a hold outlives the guest's connection: the next one plays when the operator lets it", () =>
  whilePlaying(async ({ box, playing, input, output }) => {
    await box.ok("trigger", "pause", STREAM);
    const { code } = await playing.end("SIGINT");
    assert.equal(code, 130);
    const before = await box.untilStream(
      STREAM,
      ({ state, hold }) => state === "detached" && hold === "paused",
    );
    const next = box.spawn("play", input, STREAM);
    await box.untilStream(STREAM, ({ state }) => state === "running");
    await sleep(WHILE_MS);
    const { hold, positionFrames, events } = await status(box);
    assert.deepEqual([hold, positionFrames, events], ["paused", 0, before.events]);
    assert.equal(await box.ok("trigger", "resume", STREAM), `${STREAM}: running\n`);
    await assertPlayed({ box, playing: next, input, output });
  }));

Deno.test("a hold that is kept while no guest is there can be lifted before one comes", () =>
  whilePlaying(async ({ box, playing, input, output }) => {
    await box.ok("trigger", "pause", STREAM);
    await playing.end("SIGINT");
    await box.untilStream(STREAM, ({ state, hold }) => state === "detached" && hold === "paused");
    assert.equal(await box.ok("trigger", "resume", STREAM), `${STREAM}: detached\n`);
    await assertPlayed({ box, playing: box.spawn("play", input, STREAM), input, output });
  }));

Deno.test("trigger on a recording: what is heard while paused is not recorded", () =>
  inBox(async (box) => {
    const heard = makeWav(box.path("heard.wav"), { ...sound, frames: 96_000 });
    await box.provision("domU", [{ type: "capture", device: `dummy:${heard}` }]);
    await box.serve();
    const recording = box.spawn("record", box.path("recorded.wav"), STREAM, "--seconds", "1");
    await box.untilStream(
      STREAM,
      ({ state, positionFrames }) => state === "running" && positionFrames > 4800,
    );
    await box.ok("trigger", "pause", STREAM);
    const before = await status(box);
    await sleep(WHILE_MS);
    assert.deepEqual(counters(await status(box)), counters(before));
    await box.ok("trigger", "resume", STREAM);
    const { code, stdout, stderr } = await recording.result;
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /, 0 xruns;/);
    const recorded = samplesOf(box.path("recorded.wav"));
    assert.equal(recorded.length, 48_000 * 4);
    assertSameSamples(recorded, samplesOf(heard).subarray(0, recorded.length));
  }));

Deno.test("status and trigger say what is there, and what will not do", () =>
  inBox(
    async (box) => {
      await box.provision("domU", [{ type: "playback", device: "dummy:" }, {
        type: "capture",
        device: "dummy:",
      }]);
      await box.provision("domV", [{ type: "playback", device: "dummy:" }]);
      const daemon = await box.serve();
      await box.untilStream("domV/0/0/0", ({ state }) => state === "detached");
      assert.deepEqual((await box.ok("status")).split("\n").sort(), [
        "",
        "STREAM      TYPE      STATE     RATE  POSITION  XRUNS  DEVICE  NOTES",
        "domU/0/0/0  playback  detached     -         -      0  dummy:",
        "domU/0/0/1  capture   detached     -         -      0  dummy:",
        "domV/0/0/0  playback  detached     -         -      0  dummy:",
      ]);
      const report = JSON.parse(await box.ok("status", "--json"));
      assert.deepEqual([report.version, report.pid, report.streams.length], [2, daemon.pid, 3]);

      const trigger = (...args: string[]) => box.run("trigger", ...args, "--timeout", "0.3");
      const several = await trigger("pause", "domU", "domW", "domV");
      assert.equal(several.code, 1);
      assert.equal(several.stdout, "domU/0/0/0: paused\ndomU/0/0/1: paused\ndomV/0/0/0: paused\n");
      assert.match(several.stderr, /^xsnd: .*no stream "domW".*\n$/);
      assertFails(
        await trigger("resume", "domW"),
        1,
        /the daemon serves no stream "domW" \(did you mean domU\?\); it serves domU\/0\/0\/0, /,
      );
      assertFails(await trigger("resume", "domU/0/0/2"), 1, /no stream "domU\/0\/0\/2"/);
      for (const args of [["dance", "domV"], ["pause"], [], ["pause", "domV", "--twice"]]) {
        const { code, stdout, stderr } = await trigger(...args);
        assert.deepEqual([code, stdout], [2, ""], stderr);
        assert.match(stderr, /^xsnd: /);
      }
    },
    "domU",
    "domV",
  ));
