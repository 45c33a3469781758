// SPDX-License-Identifier: MIT
/** Stream names: the valid ones, and that parsing inverts formatting. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Exit, XsndError } from "../../lib/base/error.ts";
import { formatStreamName, isMeantBy, parseStreamName, shortenedAs } from "../../lib/stream/stream_name.ts";

Deno.test("parseStreamName() is the inverse of formatStreamName()", () => {
  const domain = fc.string({ minLength: 1, unit: "binary" }).filter((text) => !text.includes("/"));
  const number = fc.nat(65535);
  fc.assert(fc.property(domain, number, number, number, (domain, card, pcm, stream) => {
    const name = formatStreamName(domain, card, pcm, stream);
    assert.deepEqual(parseStreamName(name), { domain, card, pcm, stream });
  }));
});

Deno.test("parseStreamName() takes names without their trailing parts", () => {
  const parts = { domain: "dom U", card: undefined, pcm: undefined, stream: undefined };
  assert.deepEqual(parseStreamName("dom U"), parts);
  assert.deepEqual(parseStreamName("dom U/3"), { ...parts, card: 3 });
  assert.deepEqual(parseStreamName("dom U/3/10"), { ...parts, card: 3, pcm: 10 });
});

const BAD = [
  "",
  "/",
  "/0",
  "a/",
  "a/b",
  "a/0/",
  "a/0/0/0/0",
  "a/-1",
  "a/1.5",
  "a/00",
  "a/0x1",
  "a/0//0",
  "a/ 0",
];
for (const text of BAD) {
  Deno.test(`parseStreamName() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => parseStreamName(text),
      (error) =>
        error instanceof XsndError && error.exitCode === Exit.usage &&
        error.message.includes("DOMAIN/CARD/PCM/STREAM"),
    );
  });
}

Deno.test("a stream is meant by its name or number, and by the beginnings of these, part by part", () => {
  const name = "domU/1/10/2";
  const stream = { stream: name, domid: 3 };
  for (const wanted of ["domU", "domU/1", "domU/1/10", name]) {
    assert.ok(isMeantBy(stream, wanted), wanted);
    assert.equal(shortenedAs(name, wanted), wanted);
  }
  for (const wanted of ["3", "3/1", "3/1/10", "3/1/10/2"]) assert.ok(isMeantBy(stream, wanted), wanted);
  for (const wanted of ["dom", "domU/1/1", "domU/1/10/2/0", "domU/", "", "1", "3/", "3/2", "33"]) {
    assert.ok(!isMeantBy(stream, wanted), wanted);
  }
});
