// SPDX-License-Identifier: MIT
/** The devices and parameters of a card that xl created. */
import assert from "node:assert/strict";
import { DEFAULT_PARAMS, type StreamParams, type StreamPolicy } from "../../lib/vsnd/model/card.ts";
import type { CardSnapshot, SnapshotStream } from "../../lib/vsnd/nodes/card_snapshot.ts";
import { type DefaultDevices, XL_CAPS, xlCardPolicy } from "../../lib/daemon/policy/xl_card_policy.ts";

const WIDE: StreamParams = {
  rates: [8000, 192000],
  formats: ["float64_le"],
  channelsMin: 255,
  channelsMax: 255,
  bufferSizeBytes: 16 << 20,
};

const stream = (type: "playback" | "capture", effective = DEFAULT_PARAMS): SnapshotStream => ({
  type,
  uniqueId: type,
  effective,
});

const card = (isLate: boolean, ...streams: SnapshotStream[]): CardSnapshot => ({
  isLate,
  pcms: [{ streams }],
});

const configured = (type: "playback" | "capture", more: Partial<StreamPolicy> = {}): StreamPolicy => ({
  type,
  uniqueId: type,
  device: `hw:${type}`,
  effective: WIDE,
  ...more,
});

function decided(pinned: CardSnapshot, config: StreamPolicy[], defaults: DefaultDevices) {
  const matches = pinned.pcms.map(({ streams }) =>
    streams.map(({ uniqueId }) => config.find((one) => one.uniqueId === uniqueId))
  );
  const { policy, grounds } = xlCardPolicy(pinned, matches, defaults);
  return { streams: policy?.pcms.flatMap(({ streams }) => streams), grounds: grounds.flat() };
}

Deno.test("xlCardPolicy() gives no capture stream a device that was named for playback", () => {
  const { streams, grounds } = decided(card(false, stream("playback"), stream("capture")), [], {
    playback: "hw:0",
  });
  assert.deepEqual(streams?.map(({ device, denied }) => [device, denied]), [["hw:0", undefined], [
    "dummy:",
    true,
  ]]);
  assert.deepEqual(grounds, ["default", "unnamedCapture"]);
});

Deno.test("xlCardPolicy() gives capture streams the device that was named for capture", () => {
  const { streams, grounds } = decided(card(false, stream("capture")), [], {
    playback: "hw:0",
    capture: "hw:1",
  });
  assert.deepEqual(streams?.map(({ device, denied }) => [device, denied]), [["hw:1", undefined]]);
  assert.deepEqual(grounds, ["default"]);
});

Deno.test("xlCardPolicy() gives a guest that ran before the record was made playback within the defaults", () => {
  const pinned = card(true, stream("playback", WIDE), stream("capture", WIDE));
  const { streams, grounds } = decided(pinned, [], { playback: "hw:0", capture: "hw:1" });
  assert.deepEqual(streams?.map(({ device, denied }) => [device, denied]), [["hw:0", undefined], [
    "hw:1",
    true,
  ]]);
  for (const { effective } of streams!) {
    assert(effective.bufferSizeBytes <= DEFAULT_PARAMS.bufferSizeBytes);
    assert(
      effective.channelsMax <= DEFAULT_PARAMS.channelsMax && effective.channelsMin <= effective.channelsMax,
    );
    assert(effective.rates.every((rate) => DEFAULT_PARAMS.rates.includes(rate)), String(effective.rates));
    assert.deepEqual(effective.formats, DEFAULT_PARAMS.formats);
  }
  assert.deepEqual(grounds, ["capped", "lateCapture"]);
});

Deno.test("xlCardPolicy() caps what a stream on a default device asks for, and says so", () => {
  const { streams, grounds } = decided(card(false, stream("playback", WIDE)), [], { playback: "hw:0" });
  assert.equal(streams![0]!.effective.channelsMax, XL_CAPS.channelsMax);
  assert.equal(streams![0]!.effective.bufferSizeBytes, XL_CAPS.bufferSizeBytes);
  assert.deepEqual(grounds, ["capped"]);
});

for (const isLate of [false, true]) {
  Deno.test(`xlCardPolicy() goes by a configured stream, ${isLate ? "late" : "early"} record or not`, () => {
    const { streams, grounds } = decided(
      card(isLate, stream("playback"), stream("capture")),
      [configured("playback", { denied: true }), configured("capture")],
      { playback: "hw:0" },
    );
    assert.deepEqual(streams, [configured("playback", { denied: true }), configured("capture")]);
    assert.deepEqual(grounds, ["configured", "configured"]);
  });
}

Deno.test("xlCardPolicy() serves no card with a stream that nothing names a device for", () => {
  const { streams, grounds } = decided(card(false, stream("playback"), stream("capture")), [
    configured("capture"),
  ], {});
  assert.equal(streams, undefined);
  assert.deepEqual(grounds, ["deviceless", "configured"]);
});

Deno.test("xlCardPolicy() vouches for no late capture stream by --default-capture-device alone", () => {
  const { streams, grounds } = decided(card(true, stream("capture")), [], { capture: "hw:1" });
  assert.equal(streams, undefined);
  assert.deepEqual(grounds, ["deviceless"]);
});
