// SPDX-License-Identifier: MIT
/** Messages about a configuration use no words of a library and none of JavaScript. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseDocument, stringify } from "yaml";
import { ConfigError } from "../../lib/vsnd/config/config_error.ts";
import { parseConfig } from "../../lib/vsnd/config/yaml_file.ts";
import { explainFinding } from "../../lib/vsnd/model/finding.ts";
import { KEYS } from "../../lib/vsnd/config/schema.ts";

/** The messages about a text, one a line, without the file's name. */
function said(text: string): string[] {
  try {
    parseConfig(text, "F");
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.findings.map((finding) => explainFinding("F", finding).replace(/^F:/, ""));
  }
}

const syntax: readonly (readonly [text: string, first: RegExp])[] = [
  [
    "a: &a 1\nb: &c *a\n",
    /^2:7: not YAML: an alias with an anchor or a tag; .*; write the alias alone, as \*name$/,
  ],
  ["a: &x: 1", /^1:6: not YAML: an anchor or alias without a name, or with a name that ends in a colon;/],
  ["a: *\n", /^1:4: not YAML: an anchor or alias without a name/],
  ["%FOO\n---\na: 1\n", /^1:1: not YAML: a line that begins with %; .*; leave it out$/],
  ["%TAG ! tag:x\na: 1\n", /^2:1: not YAML: lines that begin with %/],
  [
    'a: "\\q"\n',
    /^1:5: not YAML: a backslash before a character that it cannot escape; .*; write the backslash twice/,
  ],
  ["a:\n  b: 1\n c: 2\n", /^3:1: not YAML: an indentation that fits no line above; .*in the same column$/],
  [
    "a: @x",
    /^1:4: not YAML: a text that begins with one of YAML's signs; .*; put a text in quotes that has one of/,
  ],
  [
    "device: hw: 0\n",
    /^1:9: not YAML: a second colon on the line of a key; .*; put a text with a colon in quotes/,
  ],
  ["{a: \n- b\n}", /^2:1: not YAML: a map or list by indentation within \[ \] or \{ \};/],
  [
    "domains: {}\ndomains: {}\n",
    /^2:1: not YAML: a key that its map has already: domains; .*; remove one of the two$/,
  ],
  ["{'a b': 1, 'a b': 2}", /^1:12: not YAML: a key that its map has already: 'a b';/],
  [`${"x".repeat(1100)}: 1\n`, /^1:1: not YAML: a key of more than 1024 characters;/],
  ["a: 'b", /^1:6: not YAML: a text in quotes does not end; .*; close it with the sign that begins it$/],
  ["a: 1\nb\nc: 2\n", /^2:1: not YAML: a key without a colon;/],
  ["a: 'b'#c\n", /^1:7: not YAML: a comment without a space before its #;/],
  ["&x - a\n", /^1:1: not YAML: a map or list that begins in the middle of a line;/],
  ["domains: [1, 2\n", /^2:1: not YAML: a \[ or \{ that is not closed; .*; write \] at its end/],
  [
    "a\nb: 1\n",
    /^1:1: not YAML: a key that goes on for several lines; .*; end the key of each line with a colon/,
  ],
  ["a: &x &y 1\n", /^1:7: not YAML: a second anchor of one value;/],
  ["a: !x !y 1\n", /^1:7: not YAML: a tag, which begins with !;/],
  ["a: !!set [1]\n", /^1:4: not YAML: a tag, which begins with !;/],
  [
    "domains: {}\n---\ndomains: {}\n",
    /^2:1: a second document begins; .*; write all guests below one domains:/,
  ],
  ["domains: {}\n...\ndomains: {}\n", /^3:1: a second document begins;/],
  ["? [a]\n: 1\n", /^1:3: not YAML: a key that is no text; .*; put the key in quotes$/],
  ["- ".repeat(20_000) + "x", /not YAML that can be read: it is nested deeper than 64 levels;/],
  ["a:\n\tb: 1\n", /^2:1: not YAML: a tab in the indentation; .*; indent with spaces$/],
  ["domains: !shell {}\n", /^1:10: the tag !shell; .*; leave it out; a configuration needs none$/],
  ["[a, b] c", /^1:8: not YAML: c is not expected here; .*; put a text in quotes/],
  ["a: - b\n", /^1:4: not YAML: - b is not expected here; .*; begin a list on a line of its own$/],
  [
    "a: *nope\n",
    /^1:4: the alias \*nope has no anchor &nope before it; .*; write the anchor, or put a text in quotes/,
  ],
  ["a: &x [ *x ]\n", /^1:9: the alias \*x is a part of its own value; .*; leave it out$/],
  [
    "domains: {a: {cards: [{short-name: &x {y: *x}}]}}",
    /^1:43: the alias \*x is a part of its own value;/,
  ],
  ["a: *b\nc: &b 1\n", /^1:4: the alias \*b has no anchor &b before it/],
];
for (const [text, first] of syntax) {
  Deno.test(`parseConfig() says in its own words what is wrong with ${JSON.stringify(text.slice(0, 40))}`, () => {
    assert.match(said(text)[0]!, first);
  });
}

/** Words that no user may see: JavaScript's names of missing values, and the libraries' own messages. */
const FOREIGN =
  /undefined|\[object|NaN|Infinity|YAML\.|parseAll|stringKeys|call stack|zod|expected \w+, received|Invalid/;

const TEXT = `domains:
  domU: &u
    backend: 0
    cards:
      - short-name: "Front"
        sample-rates: [44100, 48000]
        pcms:
          - { name: 'Main', streams: [ { type: p, device: "hw:0,0", denied: true } ] } # one
  domV: *u
`;
const TOKENS = [
  "&a ",
  "*a ",
  "<<: ",
  "|\n",
  ">\n",
  "? ",
  "!!str ",
  "!x ",
  "\n",
  "  ",
  "\t",
  '"',
  "'",
  "#",
  "---\n",
  "...\n",
]
  .concat([
    "%",
    ":",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "@",
    "`",
    "\\",
    "\0",
    "é",
    "~",
    "yes",
    ".nan",
    "1e999",
  ]);

Deno.test("no message about a mutated file has the YAML library's own words", () => {
  const mutations = fc.array(
    fc.record({ at: fc.nat(TEXT.length), drop: fc.nat(6), put: fc.constantFrom("", ...TOKENS) }),
    { minLength: 1, maxLength: 4 },
  );
  fc.assert(
    fc.property(mutations, (all) => {
      const text = all.reduce(
        (text, { at, drop, put }) => text.slice(0, at) + put + text.slice(at + drop),
        TEXT,
      );
      const lines = said(text);
      const { errors, warnings } = parseDocument(text, { prettyErrors: false, stringKeys: true });
      for (const line of lines) {
        assert.doesNotMatch(line, FOREIGN);
        for (const { message } of [...errors, ...warnings]) assert(!line.includes(message), line);
      }
      if (errors.length + warnings.length > 0) assert(lines.length > 0, text);
    }),
    { numRuns: 2000 },
  );
});

const keys = [...new Set(Object.values(KEYS).flat())];
const junk = fc.oneof(
  fc.constantFrom(
    null,
    true,
    false,
    "yes",
    "no",
    "on",
    "",
    "hw:0",
    "a,b",
    0,
    1,
    -1,
    1.5,
    NaN,
    -Infinity,
    1e21,
  ),
  fc.constantFrom([], [1], ["s16_le", "s16_le"], [null], {}, { a: 1 }, [[]], [{}]),
);

Deno.test("no message about any value of any key has a name of nothing, and each says what to write", () => {
  const valid = () => ({
    domains: { a: { backend: 0, cards: [{ pcms: [{ streams: [{ type: "p", device: "d" }] }] }] } },
  });
  const levels = [
    (value: ReturnType<typeof valid>) => value,
    (value: ReturnType<typeof valid>) => value.domains,
    (value: ReturnType<typeof valid>) => value.domains.a,
    (value: ReturnType<typeof valid>) => value.domains.a.cards[0],
    (value: ReturnType<typeof valid>) => value.domains.a.cards[0]!.pcms[0],
    (value: ReturnType<typeof valid>) => value.domains.a.cards[0]!.pcms[0]!.streams[0],
  ];
  const change = fc.record({ level: fc.nat(levels.length - 1), key: fc.constantFrom(...keys), value: junk });
  fc.assert(
    fc.property(change, ({ level, key, value }) => {
      const document = valid();
      (levels[level]!(document) as Record<string, unknown>)[key] = value;
      for (const line of said(stringify(document))) {
        assert.doesNotMatch(line, FOREIGN);
        assert.match(line, /; (?:write|raise|lower|narrow|give) /);
      }
    }),
    { numRuns: 3000 },
  );
});
