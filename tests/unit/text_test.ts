// SPDX-License-Identifier: MIT
/** Untrusted text, as printed for people and for programs. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parse } from "yaml";
import { brief, isPrintable, printable, printableJson, visible } from "../../lib/base/text.ts";
import { toYaml } from "../../lib/vsnd/config/write_yaml.ts";

/** Each with its escape for people. */
const UNSEEN: [string, string, string][] = [
  ["a control", "\u001b", "\\u001b"],
  ["a C1 control", "\u009b", "\\u009b"],
  ["a line break", "\n", "\\u000a"],
  ["a direction", "\u202e", "\\u202e"],
  ["an isolate", "\u2066", "\\u2066"],
  ["a zero width", "\u200b", "\\u200b"],
  ["a joiner of emoji", "\u200d", "\\u200d"],
  ["a variant of an emoji", "\ufe0f", "\\ufe0f"],
  ["a filler", "\u3164", "\\u3164"],
  ["a soft hyphen", "\u00ad", "\\u00ad"],
  ["a line separator", "\u2028", "\\u2028"],
  ["a paragraph separator", "\u2029", "\\u2029"],
  ["a byte order mark", "\ufeff", "\\ufeff"],
  ["a tag", "\u{e0041}", "\\u{e0041}"],
  ["a private character", "\ue000", "\\ue000"],
  ["a private character of another plane", "\u{10ffff}", "\\u{10ffff}"],
  ["an unassigned character", "\u0378", "\\u0378"],
  ["half a pair", "\ud83c", "\\ud83c"],
];

Deno.test("printable() escapes what drives a terminal, turns a line around or cannot be seen", () => {
  for (const [what, character, escape] of UNSEEN) {
    assert.equal(printable(`a${character}b`), `a${escape}b`, what);
    assert(!isPrintable(character), what);
  }
  const plain = "Höllentöne 🎵 日本 e\u0301 \\u202e…";
  assert.equal(printable(plain), plain);
  assert(isPrintable(plain));
});

Deno.test("brief() keeps both ends of a long text", () => {
  assert.equal(brief("abcdefghij", 10), "abcdefghij");
  assert.equal(brief("abcdefghijk", 10), "abcd…hijk");
});

Deno.test("printable(), printableJson() and toYaml() leave nothing of that in any text, and the last two lose nothing", () => {
  const text = fc.string({ unit: "binary" });
  fc.assert(
    fc.property(text, (text) => {
      assert(isPrintable(printable(text)));
      assert(isPrintable(visible(text).replaceAll("\n", "")));
      for (const indent of [undefined, 2]) {
        const json = printableJson(JSON.stringify({ [text]: [text] }, null, indent));
        assert(isPrintable(json.replaceAll("\n", "")), json);
        assert.deepEqual(JSON.parse(json), { [text]: [text] });
      }
      const value = { domains: { [`a${text}`]: { cards: [text] } } };
      const yaml = toYaml(value);
      assert(isPrintable(yaml.replaceAll("\n", "")), yaml);
      assert.deepEqual(parse(yaml), value);
    }),
    { numRuns: 3000 },
  );
});
