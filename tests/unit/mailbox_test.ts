// SPDX-License-Identifier: MIT
/** Tests the mailbox between two threads: each message arrives once and in order, or is refused whole. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { createMailbox, MailboxReader, MailboxWriter } from "../../lib/bridge/mailbox.ts";

const BYTES = 1 << 10;

/** A mailbox whose counters are at `start`, as after that many octets. */
function mailboxAt(start: number) {
  const shared = createMailbox(BYTES);
  new Int32Array(shared).fill(start, 0, 2);
  return { shared, writer: new MailboxWriter<unknown>(shared), reader: new MailboxReader<unknown>(shared) };
}

/** Start values of the counters: near an end of their range, or anywhere. Records begin at multiples of four. */
const start = fc.oneof(
  fc.constant(0),
  fc.integer({ min: -256, max: 256 }).map((n) => (2 ** 31 + n * 4) | 0),
  fc.integer({ min: -256, max: -1 }).map((n) => n * 4),
);

Deno.test("a mailbox gives every message back once and in order, wherever its counters wrap", () => {
  const message = fc.record(
    { op: fc.string({ unit: "grapheme", maxLength: 60 }), n: fc.integer() },
    { noNullPrototype: true },
  );
  fc.assert(fc.property(start, fc.array(fc.option(message), { maxLength: 200, size: "max" }), (at, steps) => {
    const { writer, reader } = mailboxAt(at);
    const queued: unknown[] = [];
    for (const step of steps) {
      if (step === null) assert.deepEqual(reader.take(), queued.shift());
      else {
        try {
          writer.post(step);
          queued.push(step);
        } catch (error) {
          assert(error instanceof RangeError);
          const used = queued.reduce<number>((sum, message) => sum + recordOctets(message), 0);
          assert(used + recordOctets(step) > BYTES, "refused though there was room");
        }
      }
    }
    while (queued.length > 0) assert.deepEqual(reader.take(), queued.shift());
    assert.equal(reader.take(), undefined);
  }));
});

/** The octets of a record: a length, then UTF-8 padded to a multiple of four octets. */
function recordOctets(message: unknown): number {
  return 4 + Math.ceil(new TextEncoder().encode(JSON.stringify(message)).length / 4) * 4;
}

Deno.test("MailboxWriter.post() fills the last octet, and refuses what does not fit without a trace", () => {
  const { writer, reader } = mailboxAt(0);
  const text = "x".repeat(BYTES - 4 - 2); // minus the length and two quotes
  writer.post(text);
  assert.throws(() => writer.post(0), /no room for 8 more \(1024 unread\)/);
  assert.equal(reader.take(), text);
  assert.equal(reader.take(), undefined);
  assert.throws(() => writer.post(text + "x"), RangeError);
  assert.equal(reader.take(), undefined);
});

Deno.test("createMailbox() takes powers of two alone", () => {
  for (const bytes of [1000, 1025, 3]) assert.throws(() => createMailbox(bytes), RangeError);
});

Deno.test("MailboxReader.messages() wakes for what another thread posts, and ends when aborted", async () => {
  const { shared, reader } = mailboxAt(-64);
  const script = `
    import { MailboxWriter } from ${
    JSON.stringify(new URL("../../lib/bridge/mailbox.ts", import.meta.url).href)
  };
    self.onmessage = async ({ data }) => {
      const writer = new MailboxWriter(data);
      for (let n = 0; n < 500; n++) {
        for (;;) {
          try { writer.post({ n, text: "x".repeat(n % 90) }); break; }
          catch (error) { if (!(error instanceof RangeError)) throw error; }
          await new Promise((resolve) => setTimeout(resolve));
        }
        if (n % 7 === 0) await new Promise((resolve) => setTimeout(resolve));
      }
    };`;
  const worker = new Worker(URL.createObjectURL(new Blob([script], { type: "text/typescript" })), {
    type: "module",
  });
  const stop = new AbortController();
  try {
    worker.postMessage(shared);
    let n = 0;
    for await (const message of reader.messages(stop.signal)) {
      assert.deepEqual(message, { n, text: "x".repeat(n % 90) });
      if (++n === 500) stop.abort();
    }
    assert.equal(n, 500);
    assert.equal(reader.take(), undefined);
  } finally {
    worker.terminate();
  }
});

Deno.test("MailboxReader.messages() leaves nothing behind of a message", async () => {
  const shared = createMailbox();
  const [writer, stop] = [new MailboxWriter<number>(shared), new AbortController()];
  const messages = new MailboxReader<number>(shared).messages(stop.signal);
  const pass = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const message = messages.next(); // the reader waits
      writer.post(i);
      assert.equal((await message).value, i);
    }
  };
  // Atomics.waitAsync() alone keeps no process alive.
  const alive = setInterval(() => {}, 1000);
  await pass(1000);
  // The growth includes garbage that is not collected yet.
  const before = Deno.memoryUsage().heapUsed;
  await pass(300_000);
  const grown = Deno.memoryUsage().heapUsed - before;
  stop.abort();
  clearInterval(alive);
  assert(grown < 250 * 300_000, `${grown} octets for 300 000 messages`);
});
