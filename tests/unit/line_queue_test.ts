// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { LineQueue } from "../../lib/log/line_queue.ts";
import { until } from "../sandbox/harness.ts";

const encoder = new TextEncoder();
const line = (text: string) => encoder.encode(`${text}\n`);

/** An output whose free room the test sets. */
class Reader {
  room = 0;
  failure: Error | undefined;
  text = "";
  waits = 0;

  write(octets: Uint8Array): number {
    if (this.failure !== undefined && this.room === 0) throw this.failure;
    const taken = Math.min(octets.length, this.room);
    this.room -= taken;
    this.text += new TextDecoder().decode(octets.subarray(0, taken));
    return taken;
  }

  wait(): void {
    this.waits++;
  }
}

function queueFor(reader: Reader, capacityBytes?: number): LineQueue {
  return new LineQueue(reader, (lost) => line(`${lost} lost`), capacityBytes);
}

Deno.test("LineQueue writes at once where there is room, and in order where there was none", async () => {
  const reader = new Reader();
  using queue = queueFor(reader);
  reader.room = 10;
  queue.push(line("one"));
  assert.equal(reader.text, "one\n");
  for (const text of ["two", "three", "four"]) queue.push(line(text));
  assert.equal(reader.text, "one\ntwo\nth", "cut where the room ended");
  reader.room = 1000;
  await until("the rest comes by itself", () => reader.text === "one\ntwo\nthree\nfour\n");
});

Deno.test("LineQueue holds so much and no more, loses the newest lines, and says how many in their place", async () => {
  const reader = new Reader();
  using queue = queueFor(reader, 20);
  for (let i = 0; i < 100; i++) queue.push(line(`line ${i % 10}`));
  reader.room = 8;
  queue.push(line("x"));
  assert.equal(reader.text, "line 0\nl", "a gap has one line: nothing is queued before the queue is empty");
  reader.room = 1000;
  await until("the rest comes by itself", () => reader.text.endsWith("lost\n"));
  queue.push(line("after"));
  assert.equal(reader.text, "line 0\nline 1\n99 lost\nafter\n");
});

Deno.test("LineQueue outlives an output that fails, and counts what that has cost once it takes lines again", () => {
  const reader = new Reader();
  reader.failure = new Error("no space left");
  using queue = queueFor(reader);
  reader.room = 5;
  queue.push(line("a line that is cut"));
  for (let i = 0; i < 3; i++) queue.push(line("nothing of this one"));
  assert.equal(reader.text, "a lin");
  reader.room = 1000;
  queue.push(line("again"));
  assert.equal(reader.text, "a lin\n4 lost\nagain\n", "on lines of their own");
});

Deno.test("LineQueue that is disposed waits for its reader, within bounds, and then for no line more", () => {
  const reader = new Reader();
  const queue = queueFor(reader);
  queue.push(line("one"));
  reader.wait = () => void (reader.room = 2); // a slow reader
  queue[Symbol.dispose]();
  queue.push(line("two"));
  assert.equal(reader.text, "one\ntwo\n");

  const silent = new Reader();
  const stuck = queueFor(silent);
  stuck.push(line("one"));
  stuck[Symbol.dispose](); // returns
  const { waits } = silent;
  assert(waits > 0);
  stuck.push(line("two")); // returns at once
  assert.equal(silent.waits, waits);
  assert.equal(silent.text, "");
});
