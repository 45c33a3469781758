// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  encodeMessage,
  FramingError,
  fromOctets,
  type Message,
  MessageReader,
  nulTerminated,
  onlyString,
  splitStrings,
  toOctets,
  Xs,
  XsError,
} from "../../lib/xen/embedded/server/wire.ts";

const message: fc.Arbitrary<Message> = fc.record({
  type: fc.nat(0xffffffff),
  reqId: fc.nat(0xffffffff),
  txId: fc.nat(0xffffffff),
  payload: fc.uint8Array({ maxLength: 4096 }),
}, { noNullPrototype: true });

Deno.test("encodeMessage() lays a message out as struct xsd_sockmsg", () => {
  const octets = encodeMessage({ type: Xs.READ, reqId: 0x01020304, txId: 7, payload: nulTerminated(["/a"]) });
  assert.deepEqual([...octets], [2, 0, 0, 0, 4, 3, 2, 1, 7, 0, 0, 0, 3, 0, 0, 0, 0x2f, 0x61, 0]);
});

Deno.test("MessageReader gives back what was sent, however the stream is cut up", () => {
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 4 }),
      fc.array(fc.integer({ min: 1, max: 5000 })),
      (sent, cuts) => {
        const stream = new Uint8Array(sent.flatMap((one) => [...encodeMessage(one)]));
        const reader = new MessageReader();
        const received: Message[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const size = cuts[turn % cuts.length] ?? 1;
          received.push(...reader.push(stream.subarray(at, at + size)));
          at += size;
        }
        assert.deepEqual(received, sent);
      },
    ),
  );
});

Deno.test("MessageReader gives out a payload of its own, that later input leaves alone", () => {
  const reader = new MessageReader();
  const one = encodeMessage({ type: 1, reqId: 1, txId: 0, payload: toOctets("first") });
  const [first] = reader.push(one);
  [...reader.push(encodeMessage({ type: 1, reqId: 2, txId: 0, payload: toOctets("other") }))];
  assert.equal(fromOctets(first!.payload), "first");
});

Deno.test("MessageReader refuses a payload above 4096 octets as soon as its header is there", () => {
  const reader = new MessageReader();
  const header = new Uint8Array(16);
  new DataView(header.buffer).setUint32(12, 4097, true);
  assert.throws(() => [...reader.push(header)], FramingError);
  new DataView(header.buffer).setUint32(12, 0xffffffff, true);
  assert.throws(() => [...new MessageReader().push(header)], FramingError);
});

Deno.test("toOctets() and fromOctets() keep every octet", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 4096 }), (octets) => {
    assert.deepEqual(toOctets(fromOctets(octets)), octets);
  }));
});

Deno.test("onlyString() wants one NUL, at the end", () => {
  assert.equal(onlyString(toOctets("abc\0")), "abc");
  assert.equal(onlyString(toOctets("\0")), "");
  for (const payload of ["", "abc", "a\0b\0", "a\0b"]) {
    assert.throws(() => onlyString(toOctets(payload)), new XsError("EINVAL"), JSON.stringify(payload));
  }
});

Deno.test("splitStrings() ignores what follows the last NUL", () => {
  assert.deepEqual(splitStrings(toOctets("a\0\0b\0rest")), ["a", "", "b"]);
  assert.deepEqual(splitStrings(toOctets("no end")), []);
});
