// SPDX-License-Identifier: MIT
/** What must hold of an account: each check finds what it is for, and nothing in a guest that was served well. */
import assert from "node:assert/strict";
import type { RequestRecord, SegmentRecord } from "./account.ts";
import { StreamAccount } from "./account.ts";
import {
  AccountCheck,
  closeViews,
  type Finding,
  frameSums,
  numbersOf,
  segmentSums,
  tooFast,
  unexcused,
} from "./checks.ts";
import { CAPTURE, CONFIG, GENERATIONS, GuestRig, PLAYBACK } from "./guest_rig.ts";
import { Player, Recorder } from "./programs.ts";

const OPTIONS = { bound: () => 1000, toldIn: 100 };

function account(): StreamAccount {
  return new StreamAccount("device/vsnd/0 0/0 playback", "playback", 1, "linux-6.1");
}

function request(values: Partial<RequestRecord>): RequestRecord {
  return {
    ring: 1,
    index: 0,
    id: 0,
    operation: 3,
    argument: 0,
    length: 4,
    sent: 0,
    outcome: "waits",
    ...values,
  };
}

/** An account with one open stream of 4-octet frames and a buffer of 100 frames. */
function opened(): StreamAccount {
  const made = account();
  const open = request({ operation: 0, outcome: "answered", status: 0, answered: 1, over: 1 });
  made.requests.push(open);
  made.opens.push({
    number: 1,
    request: open,
    rate: 48_000,
    channels: 2,
    format: 2,
    frameBytes: 4,
    bufferFrames: 100,
    periodFrames: 25,
    firstEvent: 0,
  });
  return made;
}

function event(index: number, position: number, values: { id?: number; isOpen?: boolean } = {}) {
  const { id = index, isOpen = true } = values;
  return {
    ring: 1,
    index,
    id,
    expected: index,
    isAccepted: id === index,
    position,
    open: 1,
    isOpen,
    time: index,
  };
}

const texts = (findings: readonly Finding[]) => findings.map(({ text }) => text.replace(/^.*?: /, ""));

Deno.test("unexcused() leaves out excuses, also those that overlap", () => {
  assert.equal(unexcused(0, 100, []), 100);
  assert.equal(
    unexcused(0, 100, [{ from: 10, to: 30 }, { from: 20, to: 40 }, { from: 90, to: Infinity }]),
    60,
  );
  assert.equal(unexcused(50, 100, [{ from: 0, to: 40 }, { from: 0, to: 60 }]), 40);
});

Deno.test("a request without an answer is found once, an excused one is not", () => {
  const made = account();
  made.requests.push(request({}));
  const check = new AccountCheck(made, OPTIONS);
  assert.deepEqual(check.check({ now: 900 }), []);
  assert.deepEqual(check.check({ now: 1100, excuses: [{ from: 500, to: 700 }] }), []);
  assert.deepEqual(texts(check.check({ now: 1300, excuses: [{ from: 500, to: 700 }] })), [
    "request 0 on ring 1, operation 3 (0, 4), has no answer after 1100 µs",
  ]);
  assert.deepEqual(check.check({ now: 2000 }), []);
});

Deno.test("a late answer, a positive status and an answer to nothing are found", () => {
  const made = account();
  made.requests.push(request({ answered: 1500, status: 0, outcome: "answered" }));
  made.requests.push(request({ index: 1, answered: 10, status: 5, outcome: "answered" }));
  made.strays.push({ ring: 1, index: 2, id: 9, operation: 3, time: 5 });
  assert.equal(new AccountCheck(made, OPTIONS).check({ now: 2000 }).length, 3);
});

Deno.test("answers that wait on the ring of a closed PCM count", () => {
  const made = account();
  made.requests.push(request({ outcome: "timedOut", over: 500 }));
  made.answersOnRing = () => ({ ring: 1, count: 1 });
  assert.deepEqual(new AccountCheck(made, OPTIONS).check({ now: 5000 }), []);
  made.answersOnRing = () => ({ ring: 1, count: 0 });
  assert.equal(new AccountCheck(made, OPTIONS).check({ now: 5000 }).length, 1);
  // The driver has given the ring back: late, or before the daemon was late.
  made.answersOnRing = () => ({ ring: 1, count: 0, endedAt: 4000 });
  assert.equal(new AccountCheck(made, OPTIONS).check({ now: 5000 }).length, 1);
  made.answersOnRing = () => ({ ring: 1, count: 0, endedAt: 600 });
  assert.deepEqual(new AccountCheck(made, OPTIONS).check({ now: 5000 }), []);
  // The driver has taken it meanwhile, when it waited for another one.
  Object.assign(made.requests[0]!, { answered: 4000, status: 0 });
  assert.deepEqual(new AccountCheck(made, OPTIONS).check({ now: 5000 }), []);
  made.requests[0]!.over = 1500;
  assert.equal(new AccountCheck(made, OPTIONS).check({ now: 5000 }).length, 1);
});

Deno.test("an answer on the ring of which the guest is not told is found, unless nobody can tell", () => {
  const made = account();
  made.requests.push(request({}));
  made.answersOnRing = () => ({ ring: 1, count: 1 });
  const check = new AccountCheck(made, OPTIONS);
  const connectedAt = 0;
  assert.deepEqual(check.check({ now: 200, connectedAt }), []);
  assert.deepEqual(check.check({ now: 390 }), []);
  assert.deepEqual(check.check({ now: 390, connectedAt: 300 }), []);
  assert.deepEqual(check.check({ now: 390, connectedAt, pauses: [{ from: 200, to: 380 }] }), []);
  assert.deepEqual(texts(check.check({ now: 390, connectedAt })), [
    "request 0 on ring 1, operation 3 (0, 4), has an answer on the ring, of which the guest is not told for 190 µs",
  ]);
});

Deno.test("positions: back, a whole buffer, half a frame, none open, dropped", () => {
  const wrong: [string, ReturnType<typeof event>[]][] = [
    ["position 40 comes after 80", [event(0, 80), event(1, 40)]],
    ["position 400 steps a buffer of 100 frames, from 0", [event(0, 400)]],
    ["position 41 is no whole frame", [event(0, 41)]],
    ["position 40, event 0, is of no stream that is open", [event(0, 40, { isOpen: false })]],
    ["position 40, event -1, is of no stream that is open", [event(-1, 40)]],
    ["linux-6.1 drops position 40: event 0 has id 7, not 0", [event(0, 40, { id: 7 }), event(1, 44)]],
  ];
  for (const [text, events] of wrong) {
    const made = opened();
    made.events.push(...events);
    assert.deepEqual(texts(new AccountCheck(made, OPTIONS).check({ now: 10 })), [text]);
  }
  const made = opened();
  made.events.push(event(0, 40, { id: 3 }), event(1, 40), event(2, 436, { id: 3 }));
  const check = new AccountCheck(made, OPTIONS);
  assert.deepEqual(check.check({ now: 10 }), [], "one of two is enough, and the second may be yet to come");
  made.events.push(event(3, 436));
  assert.deepEqual(check.check({ now: 10 }), []);
});

Deno.test("an account that forgets is checked on", () => {
  const made = opened();
  const check = new AccountCheck(made, OPTIONS);
  made.events.push(event(0, 40), event(1, 80));
  assert.deepEqual(check.check({ now: 10 }), []);
  made.forget(1_000_000);
  assert.equal(made.events.length, 1);
  made.events.push(event(2, 40));
  assert.equal(check.check({ now: 10 }).length, 1);
});

Deno.test("segmentSums() and numbersOf() know rewinds, gaps and what a STOP discards", () => {
  const good = request({ status: 0, outcome: "answered" });
  const segment: SegmentRecord = {
    open: 1,
    began: 0,
    from: 0,
    isAfterSuspend: false,
    reads: [],
    starts: [1],
    writes: [
      { request: good, at: 0, first: 1, frames: 10 },
      { request: good, at: 6, first: 11, frames: 6 },
      { request: request({ status: -5, outcome: "answered" }), at: 12, first: 17, frames: 4 },
      { request: good, at: 20, first: 21, frames: 5 },
    ],
  };
  assert.deepEqual(segmentSums(segment, 8), {
    accepted: 21,
    rewritten: 4,
    passed: 8,
    discarded: 0,
    queued: 9,
  });
  segment.end = { time: 9, cause: "stop", hwPtr: 22, applPtr: 25, position: 22 };
  assert.deepEqual(segmentSums(segment), { accepted: 21, rewritten: 4, passed: 14, discarded: 3, queued: 0 });
  assert.deepEqual([...numbersOf(segment, 4, 14)], [5, 6, 11, 12, 13, 14, 15, 16, 0, 0]);
});

for (const generation of GENERATIONS) {
  Deno.test(`${generation}: a guest that was served well has no finding, and its sums close`, async () => {
    const rig = new GuestRig(generation);
    await rig.connect();
    const plan = { config: CONFIG, frames: 50_000, chunkFrames: 480, startFrames: 1920 };
    const player = new Player(rig.kernel, "aplay", PLAYBACK, plan).start();
    const recorder = new Recorder(rig.kernel, "arecord", CAPTURE, plan).start();
    const checks = [PLAYBACK, CAPTURE].map((at) =>
      new AccountCheck(rig.account(at), { bound: () => 5000, toldIn: 1000 })
    );
    while (!player.isOver || !recorder.isOver) {
      await rig.pass(10_000);
      for (const check of checks) assert.deepEqual(check.check({ now: rig.bench.clock.now }), []);
    }
    const sums = frameSums(rig.account(PLAYBACK));
    assert.deepEqual(sums, { accepted: 50_000, rewritten: 0, discarded: 0, passed: 50_000, queued: 0 });
    const views = closeViews(rig.account(PLAYBACK));
    assert.equal(views.length, 1);
    assert.ok(views[0]!.position >= 50_000);
    assert.deepEqual(tooFast(views, 0.01), []);
    assert.equal(tooFast([{ ...views[0]!, ran: 1000 }], 0.01).length, 1);
    await rig.end();
  });
}
