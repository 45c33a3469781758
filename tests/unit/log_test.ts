// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import type { LogLevel, LogRecord } from "@logtape/logtape";
import { jsonLine, textLines } from "../../lib/log/format.ts";
import { RateLimit, RECORDINGS, WIDE } from "../../lib/log/rate_limit.ts";

function recordOf(level: LogLevel, text: string, properties: Record<string, unknown> = {}): LogRecord {
  const timestamp = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  return { category: ["xsnd", "stream"], level, timestamp, message: [text], rawMessage: text, properties };
}

const LINES_A_MINUTE = 20;

Deno.test("textLines() says what a line is about: a stream, a card, or the part of the program", () => {
  assert.deepEqual(textLines(recordOf("info", "open", { stream: "domU/0/0/0" })), [
    "xsnd: info: domU/0/0/0: open",
  ]);
  assert.deepEqual(textLines(recordOf("error", "gone", { card: "domU/0" })), ["xsnd: error: domU/0: gone"]);
  assert.deepEqual(textLines(recordOf("warning", "odd")), ["xsnd: warning: stream: odd"]);
});

Deno.test("textLines() lets no text pass for a line of its own, or drive a terminal", () => {
  const lines = textLines(
    recordOf("info", "it is \u001b[2J\rthis\nxsnd: error: forged\n", { stream: "a\nb/0/0/0" }),
  );
  assert.deepEqual(lines, [
    "xsnd: info: a\\u000ab/0/0/0: it is \\u001b[2J\\u000dthis",
    "  xsnd: error: forged",
  ]);
});

Deno.test("jsonLine() has time, level, category, message, domain and stream, then what the message was made of", () => {
  const line = jsonLine(
    recordOf("warning", "no\nway\u009b", { stream: "domU/0/0/0", reason: "x", level: "forged" }),
  );
  assert(!/[^ -~]/.test(line), line);
  assert.deepEqual(JSON.parse(line), {
    time: "2026-01-02T03:04:05.678Z",
    level: "warning",
    category: "xsnd.stream",
    message: "no\nway\u009b",
    domain: "domU",
    stream: "domU/0/0/0",
    reason: "x",
  });
  assert.equal("domain" in JSON.parse(jsonLine(recordOf("info", "x"))), false);
});

Deno.test("RateLimit writes so many lines a minute of a stream, then how many were left out", async () => {
  const written: string[] = [];
  const write = (record: LogRecord) => void written.push(...textLines(record));
  const limit = new RateLimit(write, LINES_A_MINUTE, 500);
  const pass = (level: LogLevel, stream: string, from: number, to: number) => {
    for (let i = from; i <= to; i++) limit.pass(recordOf(level, `line ${i}`, { stream }));
  };
  pass("info", "domU/0/0/0", 1, LINES_A_MINUTE + 7);
  assert.equal(written.length, LINES_A_MINUTE);
  // The limit of one stream and level affects no other stream or level.
  pass("info", "domV/0/0/0", 1, 1);
  pass("error", "domU/0/0/0", 1, 1);
  assert.equal(written.length, LINES_A_MINUTE + 2);
  written.length = 0;
  await new Promise((resolve) => setTimeout(resolve, 700));
  const last = LINES_A_MINUTE + 7;
  assert.deepEqual(written, [
    `xsnd: info: domU/0/0/0: 7 more info lines within a minute are left out; the last: line ${last}`,
  ]);
  pass("info", "domU/0/0/0", 1, 1);
  assert.equal(written.at(-1), "xsnd: info: domU/0/0/0: line 1", "the next minute begins");
  limit[Symbol.dispose]();
});

Deno.test("RateLimit bounds what all streams and cards of a guest say together, ten times as widely", () => {
  const written: LogRecord[] = [];
  const limit = new RateLimit((record) => written.push(record), LINES_A_MINUTE);
  const STREAMS = 2 * WIDE;
  for (let i = 0; i < STREAMS; i++) {
    for (let line = 0; line < LINES_A_MINUTE; line++) {
      limit.pass(recordOf("info", "open", { stream: `domU/0/${i}/0` }));
    }
  }
  limit.pass(recordOf("info", "disconnected", { card: "domU/1" }));
  assert.equal(written.length, WIDE * LINES_A_MINUTE);
  limit.pass(recordOf("info", "open", { stream: "domV/0/0/0" }));
  limit.pass(recordOf("error", "broken", { stream: "domU/0/0/0" }));
  assert.equal(written.length, WIDE * LINES_A_MINUTE + 2, "neither another guest nor another level waits");
  written.length = 0;
  limit[Symbol.dispose]();
  const leftOut = (STREAMS - WIDE) * LINES_A_MINUTE + 1;
  assert.deepEqual(written.flatMap(textLines), [
    `xsnd: info: domU: ${leftOut} more info lines within a minute are left out; the last: domU/1: disconnected`,
  ]);
  const { domain, card } = JSON.parse(jsonLine(written[0]!));
  assert.deepEqual([domain, card], ["domU", undefined]);
});

Deno.test("RateLimit leaves out no line about a recording for what else a guest makes the daemon say", () => {
  const written: string[] = [];
  const limit = new RateLimit((record) => written.push(...textLines(record)), LINES_A_MINUTE);
  for (let i = 0; i < 2 * WIDE; i++) {
    for (let line = 0; line < LINES_A_MINUTE; line++) {
      limit.pass(recordOf("info", "open", { stream: `domU/0/${i}/0` }));
    }
  }
  const recording = (text: string) =>
    limit.pass({ ...recordOf("info", text, { stream: "domU/0/0/0" }), category: [...RECORDINGS] });
  recording("begins");
  assert.equal(written.at(-1), "xsnd: info: domU/0/0/0: begins");
  // Lines about recordings have a limit of their own.
  const before = written.length;
  for (let i = 0; i < 1000; i++) recording("ends");
  assert.equal(written.length, before + LINES_A_MINUTE - 1);
  limit[Symbol.dispose]();
});

Deno.test("RateLimit bounds lines about no guest: those of one message, and ten times as widely those of one part", () => {
  const written: string[] = [];
  const limit = new RateLimit((record) => written.push(...textLines(record)), LINES_A_MINUTE);
  for (let i = 1; i <= 100_000; i++) limit.pass(recordOf("error", "a client sent rubbish"));
  assert.equal(written.length, LINES_A_MINUTE);
  // A line that an operator causes once appears.
  limit.pass(recordOf("error", "the file is not taken"));
  assert.equal(written.at(-1), "xsnd: error: stream: the file is not taken");
  // A message that differs each time is limited too, and leaves no state behind.
  for (let i = 1; i <= 100_000; i++) limit.pass(recordOf("error", `rubbish ${i}`));
  assert.equal(written.length, WIDE * LINES_A_MINUTE);
  limit.pass({ ...recordOf("error", "another part"), category: ["xsnd", "serve"] });
  assert.equal(written.at(-1), "xsnd: error: serve: another part");
  limit[Symbol.dispose]();
  assert.deepEqual(written.slice(WIDE * LINES_A_MINUTE + 1), [
    `xsnd: error: stream: ${
      100_000 - WIDE * LINES_A_MINUTE + LINES_A_MINUTE + 1
    } more error lines within a minute are left out; the last: rubbish 100000`,
    `xsnd: error: stream: ${
      100_000 - LINES_A_MINUTE
    } more error lines within a minute are left out; the last: a client sent rubbish`,
  ]);
});

Deno.test("RateLimit that is disposed says at once what it left out", () => {
  const written: LogRecord[] = [];
  const limit = new RateLimit((record) => written.push(record), LINES_A_MINUTE);
  for (let i = 0; i < LINES_A_MINUTE + 1; i++) limit.pass(recordOf("error", "broken", { card: "domU/0" }));
  limit[Symbol.dispose]();
  assert.equal(written.length, LINES_A_MINUTE + 1);
  assert.equal(written.at(-1)!.properties.leftOut, 1);
});
