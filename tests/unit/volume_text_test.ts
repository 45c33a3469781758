// SPDX-License-Identifier: MIT
/** Tests volumes as people write them. */
import assert from "node:assert/strict";
import { parseVolume } from "../../lib/stream/volume_text.ts";

Deno.test("a volume is in dB, or the place of a slider", () => {
  const cases = {
    "0": 0,
    "-6": -6,
    "0dB": 0,
    "3.5db": 3.5,
    "12": 12,
    "-120": -120,
    "100%": 0,
    "50%": -18.06,
    "0%": -120,
  };
  for (const [text, decibels] of Object.entries(cases)) {
    const change = parseVolume(text);
    assert.equal(change?.isRelative, false, text);
    assert.equal(change?.(-33), decibels, text);
  }
});

Deno.test("a change with a sign and a unit starts from the volume that there is, and ends within what there can be", () => {
  const cases: [string, number, number][] = [
    ["+3dB", -6, -3],
    ["-3dB", 0, -3],
    ["+10%", -18.06, -13.31],
    ["-10%", 0, -2.75],
    ["-200dB", 0, -120],
    ["+20dB", 0, 12],
    ["-100%", -3, -120],
    ["+50%", -120, -18.06],
  ];
  for (const [text, from, to] of cases) {
    const change = parseVolume(text);
    assert.equal(change?.isRelative, true, text);
    assert.equal(change?.(from), to, text);
  }
});

Deno.test("anything else is no volume", () => {
  for (
    const text of [
      "",
      " ",
      "loud",
      "+3",
      "13",
      "-121",
      "200%",
      "1e1",
      "0x1",
      "--3dB",
      "3 dB",
      "dB",
      "%",
      "NaN",
      "domU",
    ]
  ) {
    assert.equal(parseVolume(text), undefined, text);
  }
});
