// SPDX-License-Identifier: MIT
/** Suggestions: a typing error gets one, a different word does not. */
import assert from "node:assert/strict";
import { closest, didYouMean } from "../../lib/base/suggest.ts";

Deno.test("closest() forgives letters that are missing, too many, wrong, swapped or in the other case", () => {
  const known = ["domU", "driver-domain", "Domain-0"];
  for (const word of ["domu", "domV", "omU", "domUU", "doUm"]) {
    assert.equal(closest(word, known), "domU", word);
  }
  assert.equal(closest("drvier-domian", known), "driver-domain");
  assert.equal(closest("Domain0", known), "Domain-0");
});

Deno.test("closest() suggests nothing for another word", () => {
  const actions = ["start", "pause", "resume", "stop"];
  for (const word of ["dance", "", "x", "7"]) assert.equal(closest(word, actions), undefined, word);
  assert.equal(closest("start", []), undefined);
});

Deno.test("didYouMean() is a part of a sentence, or nothing", () => {
  assert.equal(didYouMean("domV/0/0/0", ["domU/0/0/0", "domU/0/0/1"]), " (did you mean domU/0/0/0?)");
  assert.equal(didYouMean("something", ["else"]), "");
});
