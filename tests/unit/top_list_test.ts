// SPDX-License-Identifier: MIT
/** The list of `xsnd top`: order, filter, selection and pages. */
import assert from "node:assert/strict";
import type { StreamReport } from "../../lib/control/protocol.ts";
import { type Page, TopList } from "../../lib/observe/top_list.ts";

const seen = (name: string, { cpu = 0, xruns = 0, device = "dummy:" } = {}) => ({
  report: {
    stream: name,
    device,
    xruns,
    type: "playback",
    rate: 48000,
    positionFrames: 0,
    guestFrames: 0,
  } as unknown as StreamReport,
  cpuPercent: cpu,
});

const names = ({ streams }: Page) => streams.map(({ report }) => report.stream);

const THREE = [
  seen("c/0/0/0", { cpu: 2, xruns: 7 }),
  seen("a/0/0/0", { cpu: 1, xruns: 5 }),
  seen("b/0/0/0", { cpu: 3, device: "hw:0" }),
];

Deno.test("TopList sorts by name, CPU time, xruns and latency, one after the other", () => {
  const list = new TopList();
  list.show(THREE);
  const orders: Record<string, string> = {};
  for (let n = 0; n < 4; n++) {
    orders[list.sort] = names(list.page(9)).map((name) => name[0]).join("");
    list.sortByNext();
  }
  assert.deepEqual(orders, { name: "abc", "CPU%": "bca", XRUNS: "cab", LAT: "abc" });
  assert.equal(list.sort, "name");
});

Deno.test("TopList shows the streams whose name or device has a text, in any case", () => {
  const list = new TopList();
  list.show(THREE);
  list.filter = "HW:";
  assert.deepEqual(names(list.page(9)), ["b/0/0/0"]);
  list.filter = "c/";
  assert.deepEqual(names(list.page(9)), ["c/0/0/0"]);
  list.filter = "nothing";
  assert.deepEqual(list.page(9), { streams: [], selected: -1, above: 0, below: 0 });
  assert.equal(list.selected, undefined);
  list.move(1);
  list.filter = "";
  assert.equal(names(list.page(9)).length, 3);
});

Deno.test("TopList keeps the selected stream on the page, and selected while it is there", () => {
  const list = new TopList();
  const many = Array.from({ length: 20 }, (_, n) => seen(`g${10 + n}/0/0/0`));
  list.show(many);
  const at = (rows: number) => {
    const { selected, above, below, streams } = list.page(rows);
    return [above, selected, below, streams.length];
  };
  assert.deepEqual(at(5), [0, 0, 15, 5]);
  list.move(4);
  assert.deepEqual(at(5), [0, 4, 15, 5]);
  list.move(1);
  assert.deepEqual(at(5), [1, 4, 14, 5]);
  list.move(Infinity);
  assert.deepEqual(at(5), [15, 4, 0, 5]);
  list.move(-5);
  assert.deepEqual(at(5), [14, 0, 1, 5]);
  assert.equal(list.selected!.report.stream, "g24/0/0/0");
  // Streams before it go, and it stays selected; the screen grows.
  list.show(many.slice(10));
  assert.equal(list.selected!.report.stream, "g24/0/0/0");
  assert.deepEqual(at(100), [0, 4, 0, 10]);
  // It goes: the first one is selected.
  list.show(many.slice(15));
  assert.equal(list.selected!.report.stream, "g25/0/0/0");
  list.move(-Infinity);
  assert.deepEqual(at(0), [0, 0, 4, 1]);
});
