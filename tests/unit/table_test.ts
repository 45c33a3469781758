// SPDX-License-Identifier: MIT
/** Tests tables for people, at any width. */
import assert from "node:assert/strict";
import stringWidth from "string-width";
import { tableLines } from "../../cmd/shared/table.ts";

const HEADER = ["STREAM", "STATE", "XRUNS"];
const ROWS = [["domU/0/0/0", "running", "7"], ["a-guest-with-a-long-name/0/0/0", "closed", "12"]];

Deno.test("a table is whole where nobody says how wide it may be", () => {
  assert.deepEqual(tableLines(HEADER, ROWS, { numbers: ["XRUNS"] }), [
    "STREAM                          STATE    XRUNS",
    "domU/0/0/0                      running      7",
    "a-guest-with-a-long-name/0/0/0  closed      12",
  ]);
});

Deno.test("columns are left out before a cell is cut, in the order that the table names", () => {
  const lines = tableLines(HEADER, ROWS, { width: 40, optional: ["STATE", "XRUNS"] });
  assert.deepEqual(lines, [
    "STREAM                          XRUNS",
    "domU/0/0/0                      7",
    "a-guest-with-a-long-name/0/0/0  12",
  ]);
});

Deno.test("a cell that does not fit is cut in its middle", () => {
  assert.deepEqual(tableLines(HEADER, ROWS, { width: 30, optional: ["STATE"] }), [
    "STREAM                   XRUNS",
    "domU/0/0/0               7",
    "a-guest-wit…-name/0/0/0  12",
  ]);
});

Deno.test("wide characters take two places, combining ones none, and no line is wider than it may be", () => {
  const rows = [["日本語のゲスト/0/0/0", "running", "1"], ["e\u0301e\u0301/0/0/0", "closed", "2"]];
  const [, wide, narrow] = tableLines(HEADER, rows) as [string, string, string];
  assert.equal(stringWidth(wide.split("running")[0]!), stringWidth(narrow.split("closed")[0]!));
  for (let width = 20; width < 60; width++) {
    const lines = tableLines(HEADER, [...rows, ...ROWS], { width });
    assert(lines.every((line) => stringWidth(line) <= width), lines.join("\n"));
  }
});
