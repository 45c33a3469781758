// SPDX-License-Identifier: MIT
/** xl's syntax, against Xen's own parser; and conversion to xl's syntax and back without loss. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Config } from "../../lib/vsnd/model/card.ts";
import { ConfigError } from "../../lib/vsnd/config/config_error.ts";
import { loadConfig, parseConfig } from "../../lib/vsnd/config/yaml_file.ts";
import { explainFinding } from "../../lib/vsnd/model/finding.ts";
import { checkXl, readXl } from "../../lib/vsnd/config/config_file.ts";
import { looksLikeXl, parseXl, XlSyntaxError, type XlValue } from "../../lib/vsnd/xl/syntax.ts";
import { misspeltFormats, writeXl } from "../../lib/vsnd/xl/write_vsnd.ts";
import type { RawConfig } from "../../lib/vsnd/config/schema.ts";
import { nameByPlace } from "../../lib/vsnd/config/shared_ids.ts";
import { toYaml } from "../../lib/vsnd/config/write_yaml.ts";
import { vsndByLibxlutil } from "./libxlutil.ts";
import { rawCard } from "./vsnd_cards.ts";

type Nested = readonly (string | Nested)[];

/** A file's `vsnd` list as our parser reads it, in the form of {@link vsndByLibxlutil}. */
function vsnd(text: string): Nested | undefined {
  const plain = (value: XlValue): string | Nested =>
    value.kind === "text" ? value.text : value.items.map(plain);
  try {
    const value = parseXl(text).settings.get("vsnd");
    return value?.kind === "list" ? value.items.map(plain) : undefined;
  } catch (error) {
    assert.ok(error instanceof XlSyntaxError, String(error));
    assert.ok(error.offset >= 0 && error.offset <= text.length, `${error.offset}`);
    return undefined;
  }
}

const texts = [
  "",
  "vsnd=[]",
  'vsnd=["a"]',
  'vsnd=["a"] # a comment to the end of the file',
  'vsnd=["a"] # a comment\n',
  "vsnd=[\"a\"#b\n,\n'b'\n]",
  'vsnd=["a", # b, "c" ]\n"d"]',
  'vsnd=[["a",],]\n',
  "vsnd=[,]",
  'vsnd=\n["a"]',
  'vsnd\n=["a"]',
  'vsnd=["a"\n"b"]',
  'vsnd=["a" "b"]',
  "vsnd=['a'];vsnd+=['b']",
  "vsnd=['a']\nvsnd=['b']",
  "vsnd=['a']\nvsnd+=['b']\nvsnd=['c']",
  "\ufeffvsnd=['a']\n",
  "vsnd+=['b']",
  "vsnd=['a\nb']",
  "vsnd=['a\\\nb']",
  "vsnd=[1, 0xff, 08, 1a]",
  "vsnd=[1A]",
  "vsnd=['a'] b=1",
  "VSND=['a']",
  "vsnd=['é, \\'\\\"\\\\ \\t']",
  'vsnd=["a"]\r\n',
  "x=1.5\nvsnd=['a']",
  "x=-1\nvsnd=['a']",
  "x=y\nvsnd=['a']",
  "_x=1\nvsnd=[]",
  'x=["a",["b",["c"]]]\nvsnd=["a"]',
  "vsnd=['a\\q']",
  "vsnd = 'x'",
  "x=1\nx+=2\nvsnd=[]",
  "x=1\nx+=[2]\nvsnd=[]",
  ";;vsnd=['a'];;",
  "vsnd+ =['a']",
  "vsnd=['a'",
  "vsnd=['a]",
];
for (const text of texts) {
  Deno.test(`parseXl() takes ${JSON.stringify(text)} as libxlutil does`, () => {
    assert.deepEqual(vsnd(text), vsndByLibxlutil(text));
  });
}

Deno.test("parseXl() takes whatever text as libxlutil does", () => {
  const piece = fc.constantFrom(
    "vsnd",
    "name",
    "=",
    "+=",
    "[",
    "]",
    ",",
    ";",
    "\n",
    " ",
    "\t",
    "#",
    "'a, b=c;d'",
    '"e"',
    "'",
    '"',
    "\\",
    "\\n",
    "7",
    "0x1f",
    "+",
    "-",
    "\r",
    "é",
    "vsnd = [",
    "['CARD',\n",
  );
  // Without a final line break, libxlutil drops an unknown last character.
  const text = fc.array(piece, { maxLength: 24 }).map((pieces) => `${pieces.join("")}\n`);
  fc.assert(fc.property(text, (any) => assert.deepEqual(vsnd(any), vsndByLibxlutil(any))), { numRuns: 3000 });
});

Deno.test("looksLikeXl() tells xl's syntax from YAML by the first line that says something", () => {
  for (const text of ["vsnd=[]", "# c\n\n  name = 'x'\n", "x+=1", ";memory=1"]) {
    assert.ok(looksLikeXl(text), text);
  }
  for (const text of ["", "domains:\n  a=b: 1\n", "{}", "# vsnd=[]\ndomains: {}", "[a=b]"]) {
    assert.ok(!looksLikeXl(text), text);
  }
});

const DEFAULTS = { domain: "domU", device: "default" };

function imported(text: string): Config {
  return checkXl(readXl(text, "F", DEFAULTS), "F", "limits").config;
}

/** All of `check`'s findings on a file. */
function findings(text: string): string[] {
  try {
    checkXl(readXl(text, "F", DEFAULTS), "F", "hazards");
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.findings.map((finding) => explainFinding("F", finding).replace(/^F:/, ""));
  }
}

const config = fc.record({
  name: fc.string({ minLength: 1, maxLength: 40, unit: "grapheme" }).filter((name) =>
    !/[/\p{Cc}]/u.test(name)
  ),
  backend: fc.option(
    fc.oneof(
      fc.integer({ min: 0, max: 32751 }),
      fc.string({ minLength: 1, maxLength: 40, unit: "grapheme-ascii" }),
    ),
    { nil: undefined },
  ),
  cards: fc.array(rawCard, { minLength: 1, maxLength: 2 }),
});

Deno.test("what writeXl() writes is read back as the same cards, by ours and, comments aside, by libxlutil", () => {
  fc.assert(fc.property(config, ({ name, backend, cards }) => {
    const yaml = JSON.stringify({ domains: { [name]: { backend, cards } } });
    let config: Config;
    try {
      config = parseConfig(yaml, "F");
    } catch {
      return fc.pre(false); // more streams than a domain may have
    }
    const [key, domain] = [...config][0]!;
    const text = writeXl(key, domain);
    assert.deepEqual(imported(text), config, text);
    const lists = vsndByLibxlutil(text);
    assert.deepEqual(lists, vsnd(text));
    assert.equal(lists?.length, domain.cards.length);
  }));
});

Deno.test("writeXl() writes what a person would", () => {
  const domain = loadConfig(new URL("../../fixtures/two-guests.yaml", import.meta.url).pathname).get("domU")!;
  assert.equal(
    writeXl("domU", domain),
    `# xsnd: {"domain":"domU"}
vsnd = [
  [
    'CARD, short-name=Music, sample-rates=44100;48000;96000, sample-formats=s16_le;s32_le;f32_le, channels-max=8',
    'PCM, name=Front, channels-max=2',
    'STREAM, unique-id=front, type=p', # xsnd: {"device":"dummy:front.wav"}
    'STREAM, unique-id=front-slow, type=p, sample-rates=44100, buffer-size=32768', # xsnd: {"device":"dummy:"}
    'PCM, name=Surround, channels-min=6',
    'STREAM, unique-id=surround, type=p', # xsnd: {"device":"surround51:CARD=0,DEV=0"}
  ],
  [
    'CARD, short-name=Calls',
    'PCM',
    'STREAM, unique-id=1/0/0, type=c, sample-rates=8000;16000, channels-max=1', # xsnd: {"device":"dummy:"}
    'STREAM, unique-id=1/0/1, type=p', # xsnd: {"device":"dummy:"}
  ],
]
`,
  );
  assert.deepEqual(misspeltFormats(domain), ["float_le"]);
});

Deno.test("readXl() reads the manual's own example, once its id is unique-id", () => {
  const example = `name = "guest"
vsnd = [
    ['CARD, short-name=Main, sample-formats=s16_le;s8;u32_be',
        'PCM, name=Main',
            'STREAM, id=0, type=p',
            'STREAM, id=1, type=c, channels-max=2'
    ],
    ['CARD, short-name=Second',
        'PCM, name=Second, buffer-size=1024',
            'STREAM, id=2, type=p',
            'STREAM, id=3, type=c'
    ]
]
`;
  assert.deepEqual(findings(example).map((line) => line.replace(/;.*/, "")), [
    '5:22: vsnd[0][2].id: "id=0" is no parameter of STREAM',
    '6:22: vsnd[0][3].id: "id=1" is no parameter of STREAM',
    '10:22: vsnd[1][2].id: "id=2" is no parameter of STREAM',
    '11:22: vsnd[1][3].id: "id=3" is no parameter of STREAM',
  ]);
  const { cards } = imported(example.replaceAll(" id=", " unique-id=")).get("guest")!;
  assert.deepEqual(cards.map(({ shortName }) => shortName), ["Main", "Second"]);
  assert.deepEqual(cards[0]!.pcms[0]!.streams.map(({ type, uniqueId, device }) => [type, uniqueId, device]), [
    ["playback", "0", "default"],
    ["capture", "1", "default"],
  ]);
  assert.equal(cards[1]!.pcms[0]!.streams[0]!.effective.bufferSizeBytes, 1024);
});

/** A card with one stream, which has the text `stream`. */
const card = (stream: string) => `vsnd=[['STREAM, ${stream}']]\n`;

const wrong: [name: string, text: string, expected: RegExp][] = [
  [
    "no type",
    card("unique-id=a"),
    /^1:8: vsnd\[0\]\[0\]\.type: missing; .*whole card.*; write type=p or type=c$/,
  ],
  ["another type", card("type=play"), /^1:17: vsnd\[0\]\[0\]\.type: "play" is not allowed/],
  [
    "a rate Linux drops",
    card("type=p, sample-rates=8000;37800"),
    /^1:43: .*sample-rates\[1\]: 37800 .*ignores/,
  ],
  ["an octal size", card("type=p, buffer-size=010000"), /xl reads "010000" as 4096; .* 0 is octal; write/],
  ["a number with a unit", card("type=p, buffer-size=64k"), /^1:25: .*xl reads "64k" as 64; xl reads up to/],
  ["xl.cfg(5)'s float", card("type=p, sample-formats=float_le"), /"float_le" is no format; xl refuses/],
  [
    "libxl's float",
    card("type=p, sample-formats=F32_LE"),
    /libxl writes f32_le.*calls that format float_le/,
  ],
  ["a compressed format", card("type=p, sample-formats=gsm"), /sample-formats\[0\]: "gsm" is not allowed/],
  ["a space before =", card("type =p"), /write type= without a space before the =/],
  ["a parameter of another level", card("type=p, short-name=x"), /"short-name=x" is no parameter of STREAM/],
  [
    "a long name",
    `vsnd=[['CARD, short-name=${"x".repeat(32)}','STREAM, type=p']]`,
    /32 octets, 31 is the most/,
  ],
  [
    "nine streams",
    `vsnd=[[${"'STREAM, type=p',".repeat(9)}]]`,
    /^1:8: vsnd\[0\]\[0\]\.streams: a list of 9 is not allowed; the Linux frontend reads 8 streams/,
  ],
  [
    "a child beyond its parent",
    "vsnd=[['PCM, channels-max=1', 'STREAM, type=p, channels-max=2']]",
    /channels-max: 2 is not within 1 of the level above/,
  ],
  [
    "a buffer too small",
    card("type=p, channels-max=255, buffer-size=512"),
    /512 octets cannot hold two periods/,
  ],
  ["no vsnd", "name='x'\n", /^1:1: vsnd: missing; the guest gets no sound card/],
  ["a card that is a text", "vsnd=['CARD']", /^1:7: vsnd\[0\]: is no list; xl refuses/],
  ["vsnd that is a text", "vsnd='CARD'", /^1:6: vsnd: is no list/],
  ["a list in a card", "vsnd=[['STREAM, type=p', ['x']]]", /vsnd\[0\]\[1\]: is a list; xl ignores the list/],
  ["another item", "vsnd=[['STREAM, type=p', 'STREM']]", /vsnd\[0\]\[1\]: "STREM" is no item/],
  ["broken syntax", "name = 'x'\nvsnd = [\n  ['CARD'\n", /^4:1: not xl's syntax: the end of the file/],
  ["a strange comment", `vsnd=[['STREAM, type=p' # xsnd: dev\n]]`, /comment begins with xsnd:/],
  [
    "vsnd twice",
    `vsnd=[['STREAM, type=p']]\nmemory=1\nvsnd =[['STREAM, type=c']]\n`,
    /^3:1: vsnd: is set again, and was set on line 1; xl ignores line 1 silently; write \+= here to add cards/,
  ],
  [
    "name twice",
    `name='a';${card("type=p")}name='b'\n`,
    /^2:1: name: is set again, and was set on line 1; .*; remove one of the two$/,
  ],
  [
    "a byte order mark",
    `\ufeffname='a'\n${card("type=p")}`,
    /^1:1: the file begins with a byte order mark \(BOM\); xl refuses the file; save the file as UTF-8 without a byte order mark$/,
  ],
  ["carriage returns", "vsnd=[]\r\n", /^1:8: not xl's syntax: a carriage return/],
];
for (const [name, text, expected] of wrong) {
  Deno.test(`xl's syntax: ${name} is found`, () => {
    const found = findings(text);
    assert.equal(found.length, 1, found.join("\n"));
    assert.match(found[0]!, expected);
  });
}

Deno.test("of a name that is set again after += the first line is told, and += alone replaces nothing", () => {
  const again = `vsnd=[]\nvsnd+=[]\n${card("type=p")}`;
  assert.match(findings(again).join("\n"), /^3:1: vsnd: is set again, and was set on line 1;/);
  assert.deepEqual(findings(`vsnd=[]\nvsnd+=[['STREAM, type=p']]\n`), []);
  assert.deepEqual(findings(`memory=1\nmemory=2\nconstructor=1\nconstructor=2\n${card("type=p")}`), []);
});

Deno.test("import takes a file with a byte order mark, and positions are as without it", () => {
  const text = "\ufeffvsnd=[['STREAM, type=p', 'STREM']]\n";
  assert(looksLikeXl(text));
  assert.equal(vsndByLibxlutil(text), undefined, "xl refuses it");
  assert.match(findings(text).join("\n"), /^1:26: vsnd\[0\]\[1\]: "STREM" is no item/m);
  assert.equal(imported(text.replace(", 'STREM'", "")).get("domU")!.cards.length, 1);
});

Deno.test("a unique-id that streams share is a note, as xl takes it", () => {
  const text =
    "vsnd=[['STREAM, type=p, unique-id=a', 'STREAM, type=c, unique-id=a'], ['STREAM, type=p, unique-id=a']]";
  const { config, notes } = checkXl(readXl(text, "F", DEFAULTS), "F", "hazards");
  assert.deepEqual(notes.map((note) => explainFinding("F", note)), [
    'F:1:56: vsnd[0][1].unique-id: "a" is also the unique-id of vsnd[0][0] and of 1 more; ' +
    "xl allows a shared id, and `xsnd serve` tells the streams apart by direction and place",
  ]);
  const streams = config.get("domU")!.cards.flatMap(({ pcms }) => pcms[0]!.streams);
  assert.deepEqual(streams.map(({ uniqueId }) => uniqueId), ["a", "a", "a"]);
});

Deno.test("every published layout in fixtures/xl is right, and import gives its streams names of their own", () => {
  const expected: Record<string, readonly [notes: number, ids: readonly string[]]> = {
    "android.cfg": [1, ["0/0/0", "0/0/1", "0/1/0", "0/2/0", "0/3/0", "0/4/0"]],
    "linux.cfg": [1, ["0/0/0", "0/0/1"]],
    "roles.cfg": [2, ["pulse<>media.role:navi", "0/1/0", "0/1/1", "alsa<hw:1;0>", "1/0/1", "2/0/0", "2/0/1"]],
  };
  const directory = new URL("../../fixtures/xl/", import.meta.url).pathname;
  assert.deepEqual(
    [...Deno.readDirSync(directory)].map(({ name }) => name).sort(),
    Object.keys(expected).sort(),
  );
  for (const [name, [count, ids]] of Object.entries(expected)) {
    const text = Deno.readTextFileSync(directory + name);
    assert(vsnd(text) !== undefined);
    assert.deepEqual(vsnd(text), vsndByLibxlutil(text), name);
    const reading = readXl(text, name, DEFAULTS);
    assert.equal(checkXl(reading, name, "hazards").notes.length, count, name);
    const value = reading.value as RawConfig;
    nameByPlace(value);
    const { cards } = [...parseConfig(toYaml(value), name).values()][0]!;
    assert.deepEqual(
      cards.flatMap(({ pcms }) => pcms.flatMap(({ streams }) => streams)).map((s) => s.uniqueId),
      ids,
    );
  }
});

Deno.test("import takes what only libxl misspells, and refuses two backends in a domain", () => {
  const { cards } = imported(card("type=p, sample-formats=f32_le;s16_le")).get("domU")!;
  assert.deepEqual(cards[0]!.pcms[0]!.streams[0]!.effective.formats, ["float_le", "s16_le"]);
  const two = "vsnd=[['CARD, backend=a','STREAM, type=p'],['STREAM, type=p']]";
  assert.deepEqual(findings(two), []);
  assert.throws(
    () => imported(two),
    /vsnd\[1\]: is served by Domain-0, and the first card by a; import the cards one by one/,
  );
});

Deno.test("a finding quotes no more of a file than fits a line", () => {
  const long = "k".repeat(100_000);
  const texts = [
    `vsnd = [['card, ${long}=x', 'pcm', 'stream, type=p']]\n`,
    `${long} x\n`,
    `vsnd = ${long}\n`,
    `vsnd = [['card, backend=${long}', 'pcm', 'stream, type=p'], ['card', 'pcm', 'stream, type=p']]\n`,
  ];
  for (const text of texts) for (const line of findings(text)) assert(line.length < 1500, `${line.length}`);
});

Deno.test("an xl.cfg that nests or repeats without an end is refused in a line, and quickly", () => {
  const texts = {
    nested: `vsnd = ${"[".repeat(500_000)}`,
    sums: "a += '1'\n".repeat(100_000),
    cards: "vsnd += [[ 'card' ]]\n".repeat(40_000),
    items: `vsnd = [['card${",a=b".repeat(200_000)}']]\n`,
  };
  for (const [name, text] of Object.entries(texts)) {
    const found = findings(text);
    assert(found.length > 0 && found.length <= 101, `${name}: ${found.length}`);
  }
  assert.match(
    findings(texts.nested)[0]!,
    /^1:24: not xl's syntax: lists are nested deeper than 16 levels; .*; look for/,
  );
  assert.match(
    findings(texts.sums)[0]!,
    /not xl's syntax: the file has more than 32768 words and signs; .*; put vsnd/,
  );
});
