// SPDX-License-Identifier: MIT
/** Tests which streams a person means. */
import assert from "node:assert/strict";
import { streamsMeant, streamsToAsk } from "../../lib/control/many_streams.ts";

const NAMES = ["domU/0/0/0", "domU/0/0/1", "domU/1/0/0", "domU2/0/0/0", "we.b/0/0/0"];
const DOMIDS: Readonly<Record<string, number>> = { domU: 1, domU2: 2, "we.b": 10 };
const SERVED = NAMES.map((stream) => ({ stream, domid: DOMIDS[stream.split("/")[0]!]! }));

Deno.test("a name or a number means all streams below it, and a pattern all that match it part by part", () => {
  const cases: Record<string, string[]> = {
    "domU": NAMES.slice(0, 3),
    "domU/0": NAMES.slice(0, 2),
    "domU/0/0/1": ["domU/0/0/1"],
    "dom": [],
    "dom*": NAMES.slice(0, 4),
    "*/0/0/0": ["domU/0/0/0", "domU2/0/0/0", "we.b/0/0/0"],
    "dom?": NAMES.slice(0, 3),
    "*": NAMES,
    "w?.b": ["we.b/0/0/0"],
    "w*b/*/*/*/*": [],
    "w..b*": [],
    "domU*0": [],
    "1": NAMES.slice(0, 3),
    "1/1": ["domU/1/0/0"],
    "10/0/0/0": ["we.b/0/0/0"],
    "0": [],
    "1/*/0/0": ["domU/0/0/0", "domU/1/0/0"],
    "10/*": ["we.b/0/0/0"],
  };
  for (const [wanted, meant] of Object.entries(cases)) {
    assert.deepEqual(streamsMeant(SERVED, wanted).map(({ stream }) => stream), meant, wanted);
  }
});

Deno.test("each stream is asked once; a name that means none is left to the daemon, a pattern is an error", () => {
  const { streams, errors } = streamsToAsk(SERVED, ["domU/0/0/1", "domU/0", "later", "x*"]);
  assert.deepEqual(streams, ["domU/0/0/1", "domU/0/0/0", "later"]);
  assert.deepEqual(errors.map(({ message }) => message), [
    `the daemon serves no stream "x*"; it serves ${NAMES.join(", ")}`,
  ]);
});
