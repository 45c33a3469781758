// SPDX-License-Identifier: MIT
/** The virtual hardware by what a kernel's is known to do: its clock, its interrupts, its buffer, its states. */
import assert from "node:assert/strict";
import { SndPcmIo } from "../../../ffi/alsa/snd_pcm_io.ts";
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { POLL } from "../../../ffi/libc/libc.ts";
import { MicrosClock } from "../../../ffi/libc/micros_clock.ts";
import type { HostCardOptions } from "./host_card.ts";
import { ORDINARY } from "./host_cards.ts";
import { STATE } from "./host_pcm.ts";
import { type OpenSound, REQUEST, SoundMachine } from "./sound_machine.ts";

/** A machine with the card `hw:0`. */
function machine(options: Partial<HostCardOptions> = {}): SoundMachine {
  const made = new SoundMachine();
  made.host.add({ name: "hw:0", type: "HW", playback: ORDINARY, capture: ORDINARY, seed: 1, ...options });
  return made;
}

/** Fills `frames` frames of the staging memory with the numbers from `first` on. */
function stage({ pcm }: OpenSound, first: number, frames: number): void {
  const words = new Uint32Array(pcm.staging);
  for (let i = 0; i < frames; i++) words[i] = first + i;
}

/** The numbers of the frames in `pieces`. */
const numbersOf = (pieces: readonly Uint8Array<ArrayBuffer>[]) =>
  pieces.flatMap((piece) => [...new Uint32Array(piece.buffer)]);

const count = (first: number, frames: number) => Array.from({ length: frames }, (_, i) => first + i);

/** Writes `frames` frames and starts. */
async function play(made: SoundMachine, sound: OpenSound, frames: number): Promise<void> {
  await made.run(() => {
    stage(sound, 1, frames);
    assert.equal(sound.pcm.write(frames), frames);
    assert.equal(sound.pcm.start(), 0);
  });
}

Deno.test("a clock that is 100 ppm fast plays 48004.8 frames a second", async () => {
  const made = machine({ driftPpm: 100 });
  const sound = await made.open("hw:0");
  await play(made, sound, 480);
  await made.pass(10_000_000);
  assert.equal(await made.run(() => sound.pcm.position()), 480_048);
});

Deno.test("the drift may change while the card plays", async () => {
  const made = machine();
  const sound = await made.open("hw:0");
  await play(made, sound, 480);
  await made.pass(1_000_000);
  made.host.card("hw:0").playback!.setDrift(-1000);
  await made.pass(1_000_000);
  assert.equal(await made.run(() => sound.pcm.position()), 48_000 + 47_952);
});

Deno.test("an interrupt comes at the end of each period, and at most as late as the card's jitter", async () => {
  for (const jitterMicros of [0, 700]) {
    const made = machine({ jitterMicros });
    const sound = await made.open("hw:0");
    const { periodFrames } = sound.handle.set;
    assert.equal(periodFrames, 240);
    const timer = sound.handle.pollFiles[1]!.file;
    const times: number[] = [];
    timer.watchers.add(() => times.push(made.clock.now));
    const before = made.clock.now;
    await play(made, sound, 480);
    await made.pass(1_002_000);
    assert.equal(times.length, 200);
    const late = times.map((time, i) => time - before - (i + 1) * 5000);
    assert(late.every((micros) => micros >= 0 && micros <= jitterMicros), `${late}`);
    if (jitterMicros > 0) assert(new Set(late).size > 50, "each interrupt is equally late");
  }
});

Deno.test("the pointer is the last interrupt's until somebody asks the card", async () => {
  const made = machine();
  const sound = await made.open("hw:0");
  await play(made, sound, 4800);
  await made.pass(7_000);
  await made.run(() => {
    assert.equal(sound.pcm.pointer(), 240);
    assert.equal(sound.pcm.position(), 336);
    assert.equal(sound.pcm.pointer(), 336);
  });
});

Deno.test("the time-stamp is the time of the pointer's last update, by the monotonic clock", async () => {
  const made = machine();
  const sound = await made.open("hw:0");
  await play(made, sound, 4800);
  await made.pass(7_000);
  await made.run(() => {
    const clock = new MicrosClock();
    assert.equal(sound.pcm.pointerAge(clock.now()), 2_000);
    sound.pcm.position();
    assert.equal(sound.pcm.pointerAge(clock.now()), 0);
  });
});

Deno.test("period interrupts make the second descriptor readable until it is read; the first one stays quiet", async () => {
  const made = machine();
  const sound = await made.open("hw:0");
  const [own, timer] = sound.handle.pollFiles.map(({ file }) => file);
  await play(made, sound, 4800);
  assert.equal(timer!.ready(), 0);
  await made.pass(12_000);
  assert.equal(timer!.ready(), POLL.IN);
  assert.equal(own!.ready(), 0);
  assert.equal(timer!.read(new Uint8Array(32)), 32, "one of two events");
  assert.equal(timer!.ready(), POLL.IN);
  await made.run(() => sound.pcm.acknowledge());
  assert.equal(timer!.ready(), 0);
  assert.equal(timer!.read(new Uint8Array(32)), -ERRNO.EAGAIN);
});

Deno.test("what was written is heard once, in order, at its time; then silence, which nobody wrote", async () => {
  const made = machine();
  const sound = await made.open("hw:0");
  await play(made, sound, 4800);
  const started = made.clock.now;
  await made.pass(300_000);
  made.host.settle();
  assert.deepEqual(made.recorder.runs, [[0, 0, 4800], [4800, -1, 9600]]);
  const [heard, silence] = made.recorder.playedRuns;
  assert.deepEqual(numbersOf(heard!.pieces), count(1, 4800));
  assert.deepEqual([heard!.from - started, heard!.until - started], [0, 100_000]);
  assert(numbersOf(silence!.pieces).every((frame) => frame === 0));
});

Deno.test("written zeros are no silence", async () => {
  const made = machine();
  const sound = await made.open("hw:0");
  await made.run(() => {
    sound.pcm.write(480);
    sound.pcm.start();
  });
  await made.pass(20_000);
  made.host.settle();
  assert.deepEqual(made.recorder.runs, [[0, 0, 480], [480, -1, 480]]);
});

Deno.test("after an underrun next() moves the application to the pointer, and what is written then is heard there", async () => {
  const made = machine();
  const sound = await made.open("hw:0");
  await play(made, sound, 480);
  await made.pass(50_000);
  await made.run(() => {
    assert.equal(sound.pcm.position(), 2400);
    assert.equal(sound.pcm.next(), 2400);
    stage(sound, 5000, 480);
    assert.equal(sound.pcm.write(480), 480);
  });
  await made.pass(20_000);
  made.host.settle();
  assert.deepEqual(made.recorder.runs, [[0, 0, 480], [480, -1, 1920], [2400, 2400, 480], [2880, -1, 480]]);
  assert.deepEqual(numbersOf(made.recorder.playedRuns[2]!.pieces), count(5000, 480));
});

Deno.test("frames that are written behind the pointer are heard a buffer late: the card knows no application", async () => {
  const made = machine();
  const sound = await made.open("hw:0");
  await play(made, sound, 480);
  await made.pass(50_000);
  await made.run(() => {
    stage(sound, 1, 960);
    assert.equal(sound.pcm.write(960), 960);
  });
  await made.pass(100_000);
  made.host.settle();
  assert.deepEqual(made.recorder.runs, [[0, 0, 480], [480, -1, 4800], [5280, 480, 960], [6240, -1, 960]]);
  assert(made.recorder.playedRuns.every(({ isRepeat }) => !isRepeat), "nothing is heard twice");
});

Deno.test("without silence_size the card plays its old buffer again", async () => {
  const made = machine();
  const sound = await made.open("hw:0");
  await made.run(() => sound.handle.setSoftware({ ...sound.handle.sw, silenceSize: 0 }));
  await play(made, sound, 4800);
  await made.pass(150_000);
  made.host.settle();
  assert.deepEqual(made.recorder.runs, [[0, 0, 4800], [4800, 0, 2400]]);
  assert.deepEqual(made.recorder.playedRuns.map(({ isRepeat }) => isRepeat), [false, true]);
});

Deno.test("a write takes fewer frames than it is given, as ordered", async () => {
  const made = machine();
  const sound = await made.open("hw:0");
  made.host.card("hw:0").playback!.faults.short([100, 0]);
  await made.run(() => {
    assert.deepEqual([480, 480, 480].map((frames) => sound.pcm.write(frames)), [100, 1, 480]);
    assert.equal(sound.pcm.next(), 581);
  });
});

Deno.test("a stall that resumes delays the sound; no interrupt comes meanwhile", async () => {
  const made = machine();
  const sound = await made.open("hw:0");
  await play(made, sound, 4800);
  await made.pass(10_000);
  made.host.card("hw:0").playback!.stall(30_000, "resume");
  const timer = sound.handle.pollFiles[1]!.file;
  await made.run(() => sound.pcm.acknowledge());
  await made.pass(29_000);
  assert.equal(timer.ready(), 0);
  assert.equal(await made.run(() => sound.pcm.position()), 480);
  await made.pass(11_000);
  assert.equal(await made.run(() => sound.pcm.position()), 960);
  await made.pass(80_000);
  made.host.settle();
  assert.deepEqual(made.recorder.runs, [[0, 0, 4800]]);
  assert.equal(made.recorder.playedRuns[0]!.until - made.recorder.playedRuns[0]!.from, 130_000);
});

Deno.test("a stall that jumps hides the pointer while the sound goes on", async () => {
  const made = machine();
  const sound = await made.open("hw:0");
  await play(made, sound, 4800);
  await made.pass(10_000);
  made.host.card("hw:0").playback!.stall(30_000, "jump");
  await made.pass(29_000);
  assert.equal(await made.run(() => sound.pcm.position()), 480);
  await made.pass(1_000);
  assert.equal(await made.run(() => sound.pcm.position()), 1920);
  await made.pass(60_000);
  made.host.settle();
  assert.deepEqual(made.recorder.runs, [[0, 0, 4800]]);
  assert.equal(made.recorder.playedRuns[0]!.until - made.recorder.playedRuns[0]!.from, 100_000);
});

Deno.test("a jump over whole buffers is lost on the kernel, which sees the place in the buffer alone", async () => {
  const made = machine();
  const sound = await made.open("hw:0");
  await play(made, sound, 4800);
  await made.pass(10_000);
  made.host.card("hw:0").playback!.stall(250_000, "jump");
  await made.pass(250_000);
  assert.equal(await made.run(() => sound.pcm.position()), 12_480 - 2 * 4800);
  made.host.settle();
  // Nobody silences the buffer meanwhile, so it is heard again: all but what was silenced at the last interrupt.
  assert.deepEqual(made.recorder.runs, [[0, 0, 4800], [4800, -1, 480], [5280, 480, 4320], [9600, -1, 480], [
    10_080,
    480,
    2400,
  ]]);
  const repeats = made.recorder.playedRuns.map(({ isRepeat }) => isRepeat);
  assert.deepEqual(repeats, [false, false, true, false, true]);
});

Deno.test("a pause keeps every frame", async () => {
  const made = machine();
  const sound = await made.open("hw:0");
  await play(made, sound, 4800);
  await made.pass(10_000);
  assert.equal(await made.run(() => sound.pcm.pause(true)), 0);
  await made.pass(1_000_000);
  assert.equal(await made.run(() => sound.pcm.position()), 480);
  assert.equal(await made.run(() => sound.pcm.pause(false)), 0);
  await made.pass(90_000);
  made.host.settle();
  assert.deepEqual(made.recorder.runs, [[0, 0, 4800]]);
});

Deno.test("with a stop threshold the card stops in an xrun, at the interrupt that finds it", async () => {
  const made = machine();
  const sound = await made.open("hw:0");
  await made.run(() => sound.handle.setSoftware({ ...sound.handle.sw, stopThreshold: 4800 }));
  await play(made, sound, 600);
  const started = made.clock.now;
  await made.pass(100_000);
  assert.deepEqual(made.recorder.stops, [{ cause: "xrun", position: 720, time: started + 15_000 }]);
  await made.run(() => {
    assert.equal(sound.handle.state, STATE.XRUN);
    assert.deepEqual([sound.pcm.position(), sound.pcm.write(10)], [-ERRNO.EPIPE, -ERRNO.EPIPE]);
    assert.equal(sound.pcm.prepare(), 0);
    assert.equal(sound.pcm.position(), 0);
  });
});

Deno.test("a start threshold starts the card at the write that reaches it", async () => {
  const made = machine();
  const sound = await made.open("hw:0");
  await made.run(() => sound.handle.setSoftware({ ...sound.handle.sw, startThreshold: 480 }));
  await made.run(() => void sound.pcm.write(479));
  assert.equal(sound.handle.state, STATE.PREPARED);
  await made.run(() => void sound.pcm.write(1));
  assert.equal(sound.handle.state, STATE.RUNNING);
});

Deno.test("the microphone's frames carry numbers, which go on over prepare() and a new handle", async () => {
  const made = machine();
  const sound = await made.open("hw:0", "capture");
  const numbers = (frames: number) => [...new Uint32Array(sound.pcm.staging, 0, frames)];
  await made.run(() => void sound.pcm.start());
  const started = made.clock.now;
  await made.pass(20_000);
  await made.run(() => {
    assert.equal(sound.pcm.read(10_000), 960);
    assert.deepEqual(numbers(960), count(1, 960));
    sound.pcm.drop();
    sound.pcm.prepare();
    sound.pcm.start();
  });
  await made.pass(10_000);
  await made.run(() => {
    assert.equal(sound.pcm.read(480), 480);
    assert.deepEqual(numbers(480), count(961, 480));
    sound.pcm.release();
    return sound.open.close();
  });
  assert.deepEqual(made.recorder.readRuns.map((run) => [run.position, run.number, run.frames]), [
    [0, 1, 960],
    [0, 961, 480],
  ]);
  const { from, until } = made.recorder.readRuns[0]!;
  assert.deepEqual([from - started, until - started], [0, 20_000]);
  const again = await made.open("hw:0", "capture");
  await made.run(() => void again.pcm.start());
  await made.pass(10_000);
  await made.run(() => assert.equal(again.pcm.read(1), 1));
  assert.equal(made.recorder.readRuns.at(-1)!.number, 1441);
});

Deno.test("a capture that nobody reads overwrites the oldest frames; next() skips them", async () => {
  const made = machine();
  const sound = await made.open("hw:0", "capture");
  await made.run(() => void sound.pcm.start());
  await made.pass(150_000);
  await made.run(() => {
    assert.equal(sound.pcm.position(), 7200);
    // All that is older than the buffer, and a period more.
    assert.equal(sound.pcm.next(), 2640);
    assert.equal(sound.pcm.read(480), 480);
  });
  assert.deepEqual(made.recorder.readRuns.map((run) => [run.position, run.number, run.frames]), [[
    2640,
    2641,
    480,
  ]]);
});

Deno.test("a reader that does not skip them gets frames that are newer than their place", async () => {
  const made = machine();
  const sound = await made.open("hw:0", "capture");
  await made.run(() => void sound.pcm.start());
  await made.pass(150_000);
  await made.run(() => assert.equal(sound.pcm.read(4800), 4800));
  assert.deepEqual(made.recorder.readRuns.map((run) => [run.position, run.number, run.frames]), [
    [0, 4801, 2400],
    [2400, 2401, 2400],
  ]);
});

Deno.test("each state refuses what the kernel refuses in it", async () => {
  const made = machine();
  const sound = await made.open("hw:0");
  const io = await made.run(() => new SndPcmIo(BigInt((sound.open.descriptor as { pcm: string }).pcm)));
  const { EBADFD, EBUSY, EPIPE, ESTRPIPE, ENODEV } = ERRNO;
  const card = made.host.card("hw:0");
  const answers = () =>
    made.run(() => [io.avail(), io.writei(Deno.UnsafePointer.of(new Uint8Array(4))!, 1), io.start()]);
  assert.equal(await made.run(() => io.drop()), 0);
  assert.equal(sound.handle.state, STATE.SETUP);
  assert.deepEqual(await answers(), [-EBADFD, -EBADFD, -EBADFD]);
  assert.equal(await made.run(() => io.prepare()), 0);
  assert.deepEqual(await made.run(() => [io.pause(true), io.start(), io.start(), io.prepare()]), [
    -EBADFD,
    0,
    -EBADFD,
    -EBUSY,
  ]);
  card.playback!.xrun();
  assert.deepEqual(await answers(), [-EPIPE, -EPIPE, -EPIPE]);
  assert.equal(await made.run(() => io.prepare()), 0);
  card.playback!.suspend();
  assert.deepEqual(await answers(), [-ESTRPIPE, -ESTRPIPE, -ESTRPIPE]);
  assert.deepEqual(await made.run(() => [io.availUpdate(), io.prepare(), io.start()]), [4800, 0, 0]);
  await made.pass(10_000);
  card.unplug();
  assert.deepEqual(await answers(), [-ENODEV, -ENODEV, -ENODEV]);
  assert.deepEqual(
    await made.run(() => [io.drop(), io.prepare(), io.pause(true), io.forward(1)]),
    Array(4).fill(-ENODEV),
  );
  assert.equal(
    await made.run(() => io.availUpdate()),
    5280,
    "libasound reads memory, where the last pointer stays",
  );
});

Deno.test("sizes are those that the card has, nearest to what is asked for", async () => {
  const sizes = async (playback: typeof ORDINARY, request = REQUEST) => {
    const { handle } = await machine({ playback }).open("hw:0", "playback", request);
    return [handle.set.bufferFrames, handle.set.periodFrames];
  };
  assert.deepEqual(await sizes(ORDINARY), [4800, 240]);
  assert.deepEqual(
    await sizes({ ...ORDINARY, stepFrames: 64 }),
    [4800, 192],
    "a multiple of 64 that divides 4800",
  );
  assert.deepEqual(await sizes({ ...ORDINARY, bufferFrames: [8192, 65536] }), [8192, 256]);
  assert.deepEqual(await sizes({ ...ORDINARY, periodFrames: [1024, 1024] }), [5120, 1024]);
});
