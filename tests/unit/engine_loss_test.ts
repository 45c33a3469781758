// SPDX-License-Identifier: MIT
/** Tests a stream whose device disappears and comes back. */
import assert from "node:assert/strict";
import { unwrap } from "../../ffi/libc/failed_call.ts";
import { ERRNO } from "../../ffi/libc/errno.ts";
import { libc, O, POLL } from "../../ffi/libc/libc.ts";
import { cString } from "../../ffi/base/c_string.ts";
import { XENSND_OP_TRIGGER_START, XENSND_OP_TRIGGER_STOP } from "../../lib/sndif/mod.ts";
import { DummyPcm } from "../../lib/pcm/dummy/pcm.ts";
import { BUFFER_BYTES, dummyDevice, EngineRig, RATE } from "./engine_rig.ts";

const FRAME_BYTES = 4;

/** Opens a file that accepts nothing: a device on it fails as soon as it plays. */
function openFull(): number {
  return unwrap(libc().open(cString("/dev/full"), O.WRONLY, 0), "open /dev/full");
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const HALF = BUFFER_BYTES / 2;

/**
 * Serves the stream as the engine does, until `done`. In each turn the guest writes half a buffer from the position on, so the
 * device gets samples however late the turn comes.
 */
async function play(rig: EngineRig, done: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!done()) {
    assert(performance.now() < deadline, `it never came true: ${done}`);
    await sleep(1);
    rig.stream.servePcm(POLL.IN);
    rig.takeEvents();
    const at = rig.status.get("positionFrames") * FRAME_BYTES % BUFFER_BYTES;
    const first = Math.min(HALF, BUFFER_BYTES - at);
    assert.equal(rig.write(at, first), 0);
    if (first < HALF) assert.equal(rig.write(0, HALF - first), 0);
  }
}

function lossesTold(rig: EngineRig): number {
  return rig.told.filter(({ op }) => op === "lost").length;
}

Deno.test("a card that fails gives way to a stand-in: it is told once, and the position goes on in real time", async () => {
  const fd = openFull();
  using rig = new EngineRig({ fd });
  assert.equal(rig.write(0, BUFFER_BYTES), 0);
  assert.equal(rig.trigger(XENSND_OP_TRIGGER_START), 0);
  await play(rig, () => lossesTold(rig) > 0);
  assert.equal(rig.status.get("cardLost"), 1);
  const [position, start] = [rig.status.get("positionFrames"), performance.now()];
  await play(rig, () => rig.status.get("positionFrames") > position + RATE / 10);
  const passed = rig.status.get("positionFrames") - position;
  const expected = (performance.now() - start) / 1000 * RATE;
  assert(Math.abs(passed - expected) < RATE / 20, `${passed} frames for ${expected}`);
  assert.equal(lossesTold(rig), 1);
  libc().close(fd);
});

Deno.test("the card that is there again is heard, from the position on", async () => {
  const [full, memory] = [openFull(), unwrap(libc().memfd_create(cString("xsnd-test"), 0), "memfd_create")];
  using rig = new EngineRig({ fd: full });
  rig.buffer.fill(1);
  assert.equal(rig.write(0, BUFFER_BYTES), 0);
  assert.equal(rig.trigger(XENSND_OP_TRIGGER_START), 0);
  await play(rig, () => lossesTold(rig) > 0);
  const position = rig.status.get("positionFrames");
  rig.stream.execute({ op: "replaced", slot: 0, pcm: dummyDevice(memory), isDenied: false });
  assert.equal(rig.status.get("cardLost"), 0);
  await play(rig, () => rig.status.get("positionFrames") > position + RATE / 20);
  assert(Deno.readFileSync(`/proc/self/fd/${memory}`).includes(1), "nothing was heard");
  assert.equal(lossesTold(rig), 1);
  for (const fd of [full, memory]) libc().close(fd);
});

Deno.test("a card that goes while it stands, or is paused, goes on when it is started", async () => {
  for (const hold of ["none", "paused", "stopped"] as const) {
    using rig = new EngineRig();
    assert.equal(rig.write(0, BUFFER_BYTES), 0);
    if (hold !== "none") {
      assert.equal(rig.trigger(XENSND_OP_TRIGGER_START), 0);
      rig.hold(hold);
    }
    rig.stream.servePcm(POLL.IN | POLL.ERR);
    assert.equal(lossesTold(rig), 1);
    const stands = rig.status.get("positionFrames");
    await sleep(5);
    rig.stream.servePcm(POLL.IN);
    assert.equal(rig.status.get("positionFrames"), stands);
    if (hold === "none") assert.equal(rig.trigger(XENSND_OP_TRIGGER_START), 0);
    else rig.hold("none");
    await play(rig, () => rig.status.get("positionFrames") > stands + RATE / 100);
    assert.equal(rig.trigger(XENSND_OP_TRIGGER_STOP), 0);
  }
});

Deno.test("a card that is there again after its guest has closed the stream is left alone", () => {
  const rig = new EngineRig();
  rig.stream.servePcm(POLL.HUP);
  rig.stream.detach();
  rig.stream.execute({ op: "replaced", slot: 0, pcm: dummyDevice(-1), isDenied: false });
  assert.equal(rig.stream.pcm, undefined);
});

/** Calls `body` while the C function `name` fails. */
function withFailing(name: "timerfd_create" | "timerfd_settime", body: () => void): void {
  const functions = libc() as unknown as Record<string, unknown>;
  const real = functions[name];
  functions[name] = () => -1;
  try {
    body();
  } finally {
    functions[name] = real;
  }
}

Deno.test("a card that fails while the host has no descriptor left has its stand-in all the same", () => {
  using rig = new EngineRig();
  withFailing("timerfd_create", () => rig.stream.servePcm(POLL.ERR));
  assert.notEqual(rig.stream.pcm, undefined);
  assert.deepEqual([rig.status.get("cardLost"), rig.status.get("losses")], [1, 1]);
});

Deno.test("a card that is to be given back, and has no stand-in, is let go of before that is told", () => {
  using rig = new EngineRig();
  withFailing("timerfd_settime", () =>
    assert.throws(
      () => rig.stream.execute({ op: "giveBackDevice", slot: 0, ticket: 1 }),
      /nothing can stand in/,
    ));
  // As the engine does.
  rig.stream.fail(new Error("test"));
  assert.equal(rig.stream.pcm, undefined);
  assert(rig.told.some(({ op }) => op === "defect"));
});

Deno.test("a device that is there again and does not start as it is gets its samples once more", () => {
  using rig = new EngineRig();
  assert.equal(rig.write(0, BUFFER_BYTES), 0);
  assert.equal(rig.trigger(XENSND_OP_TRIGGER_START), 0);
  rig.stream.servePcm(POLL.ERR);
  const { start } = DummyPcm.prototype;
  let failures = 0;
  DummyPcm.prototype.start = function () {
    return failures++ === 0 ? -ERRNO.EPIPE : start.call(this);
  };
  try {
    rig.stream.execute({ op: "replaced", slot: 0, pcm: dummyDevice(-1), isDenied: false });
  } finally {
    DummyPcm.prototype.start = start;
  }
  assert.equal(rig.status.get("cardLost"), 0);
  // A buffer lasts for 21 ms.
  assert(
    rig.status.get("heardFrames") < BUFFER_BYTES / FRAME_BYTES / 2,
    "nothing counts as played that was not",
  );
  assert(rig.status.get("cardFrames") > rig.status.get("positionFrames"), "the device has the samples");
});

Deno.test("what a stand-in plays, and what a denied stream plays, counts apart from what is heard", async () => {
  using rig = new EngineRig();
  const counted = () =>
    (["heardFrames", "standInFrames", "deniedFrames"] as const).map((name) => rig.status.get(name));
  assert.equal(rig.write(0, BUFFER_BYTES), 0);
  assert.equal(rig.trigger(XENSND_OP_TRIGGER_START), 0);
  await play(rig, () => counted()[0]! > RATE / 100);
  const heard = rig.status.get("positionFrames");
  rig.stream.execute({ op: "giveBackDevice", slot: 0, ticket: 1 });
  const [before] = counted();
  assert(before! >= heard);
  await play(rig, () => counted()[1]! > RATE / 100);
  rig.stream.execute({ op: "replaced", slot: 0, pcm: dummyDevice(-1), isDenied: true });
  const [, standIn] = counted();
  await play(rig, () => counted()[2]! > RATE / 100);
  assert.deepEqual(counted().slice(0, 2), [before, standIn]);
  assert.equal(rig.status.get("losses"), 0);
});
