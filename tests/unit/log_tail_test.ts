// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import type { LogRecord } from "@logtape/logtape";
import { LogTail } from "../../lib/log/log_tail.ts";

const record = (message: string, properties = {}): LogRecord => ({
  category: ["xsnd", "serve"],
  level: "info",
  timestamp: 0,
  message: [message],
  rawMessage: message,
  properties,
});

const messages = (tail: LogTail, count = 0) => tail.after(count).map(({ message }) => message);

Deno.test("LogTail has each line's time, level, subject and message", () => {
  const tail = new LogTail();
  tail.push(record("one\ntwo\n"));
  tail.push(record("three", { stream: "domU/0/0/0" }));
  const rest = { time: "1970-01-01T00:00:00.000Z", level: "info" };
  assert.deepEqual(tail.after(0), [
    { ...rest, subject: "serve", message: "one\ntwo" },
    { ...rest, subject: "domU/0/0/0", message: "three" },
  ]);
});

Deno.test("LogTail keeps the newest thousand lines, and tells those after a line that somebody has seen", () => {
  const tail = new LogTail();
  for (let i = 0; i < 1500; i++) tail.push(record(`${i}`));
  assert.deepEqual([tail.count, messages(tail).length, messages(tail)[0]], [1500, 1000, "500"]);
  assert.deepEqual(messages(tail, 1498), ["1498", "1499"]);
  assert.deepEqual(messages(tail, 1500), []);
  assert.equal(messages(tail, 100).length, 1000, "lines that have gone are left out");
});

Deno.test("LogTail's memory is bounded, whatever is logged", () => {
  const tail = new LogTail();
  for (let i = 0; i < 500; i++) tail.push(record("x".repeat(1 << 20)));
  const kept = messages(tail);
  assert(kept.length > 10 && kept.reduce((sum, { length }) => sum + length, 0) <= 1 << 18);
  assert(kept.every(({ length }) => length <= 1 << 12));
});
