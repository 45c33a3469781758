// SPDX-License-Identifier: MIT
/** Tests what is told of streams between two looks. */
import assert from "node:assert/strict";
import type { StreamReport } from "../../lib/control/protocol.ts";
import { eventsBetween } from "../../lib/observe/stream_events.ts";

const REPORT = {
  stream: "domU/0/0/0",
  domid: 3,
  type: "playback",
  device: "hw:0,0",
  state: "closed",
  hold: "none",
  denied: false,
  muted: false,
  volume: 0,
  recording: false,
  cardLost: false,
  xruns: 0,
  hostXruns: 0,
  protocolErrors: 0,
} as unknown as StreamReport;

const OPENED = {
  state: "prepared",
  rate: 48000,
  format: "s16_le",
  channels: 2,
  bufferFrames: 8192,
  periodFrames: 2048,
};

Deno.test("a stream whose domain has another name is the same stream", () => {
  assert.deepEqual(eventsBetween([REPORT], [{ ...REPORT, stream: "web/0/0/0" }]), [
    { stream: "web/0/0/0", text: "was called domU/0/0/0, its domain has another name" },
  ]);
  assert.deepEqual(eventsBetween([REPORT], [{ ...REPORT, domid: 4 }]).map(({ text }) => text), [
    "is served, playback on hw:0,0: closed",
    "is served no more",
  ]);
});

const told = (was: object, now: object) =>
  eventsBetween([{ ...REPORT, ...was }], [{ ...REPORT, ...now }]).map(({ text }) => text);

Deno.test("the first look tells all streams, later ones those that come and go", () => {
  assert.deepEqual(eventsBetween(undefined, [{ ...REPORT, muted: true, hold: "paused" }]), [
    { stream: "domU/0/0/0", text: "is served, playback on hw:0,0: closed, paused by an operator, muted" },
  ]);
  assert.deepEqual(eventsBetween([REPORT], []), [{ stream: "domU/0/0/0", text: "is served no more" }]);
  assert.deepEqual(eventsBetween([], [{ ...REPORT, denied: true }]).map(({ text }) => text), [
    "is served, playback on hw:0,0: closed, denied",
  ]);
});

Deno.test("each change is told in a sentence, and what has not changed is not", () => {
  assert.deepEqual(told({}, {}), []);
  assert.deepEqual(told({}, { positionFrames: 7, events: 8, heardFrames: 9 }), []);
  const cases: [object, object, string][] = [
    [{ state: "detached" }, {}, "its guest has connected"],
    [{}, { state: "detached", cardLost: undefined }, "its guest has disconnected"],
    [{}, OPENED, "is opened: 48000 Hz, s16_le, 2 channels, buffer 8192, period 2048 frames"],
    [OPENED, { ...OPENED, state: "running" }, "runs"],
    [{ state: "running" }, { state: "paused" }, "is paused by its guest"],
    [{ state: "running" }, { ...OPENED }, "is stopped"],
    [{ state: "running" }, {}, "is closed"],
    [{}, { hold: "stopped" }, "is stopped by an operator"],
    [{ hold: "paused" }, {}, "an operator lets it go on"],
    [{}, { muted: true }, "is muted"],
    [{}, { volume: -6 }, "its volume is -6 dB"],
    [{}, { denied: true }, "is denied: silence"],
    [{}, { device: "pulse" }, "its device is pulse from now on"],
    [{}, { cardLost: true }, "hw:0,0 is lost or busy: silence"],
    [{ cardLost: true }, {}, "hw:0,0 is there again"],
    [{}, { recording: true }, "its guest records hw:0,0"],
    [{ xruns: 3 }, { xruns: 4 }, "1 underrun by its guest"],
    [{ xruns: 3 }, { xruns: 5, hostXruns: 2 }, "2 underruns by this host"],
    [
      { type: "capture" },
      { type: "capture", xruns: 3, hostXruns: 1 },
      "3 overruns by its guest, 1 by this host",
    ],
    [{}, { protocolErrors: 1 }, "its guest breaks the protocol, or asks for what cannot be"],
  ];
  for (const [was, now, text] of cases) assert.deepEqual(told(was, now), [text], text);
});

Deno.test("several changes of one look are told one by one", () => {
  assert.deepEqual(told({}, { ...OPENED, state: "running", muted: true, volume: -3 }), [
    "runs",
    "is muted",
    "its volume is -3 dB",
  ]);
});
