// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import fc from "fast-check";
import { Exit, XsndError } from "../../lib/base/error.ts";
import { printable } from "../../lib/base/text.ts";
import { ConfigError } from "../../lib/vsnd/config/config_error.ts";
import { loadConfig, parseConfig, readYaml } from "../../lib/vsnd/config/yaml_file.ts";
import { formatFinding } from "../../lib/vsnd/model/finding.ts";
import { DEFAULT_PARAMS } from "../../lib/vsnd/model/card.ts";

const fixture = (name: string) => new URL(`../../fixtures/${name}`, import.meta.url).pathname;

/** The findings on a file, each as `LINE:COLUMN: PATH: MESSAGE`. */
function findings(text: string): string[] {
  try {
    parseConfig(text, "F");
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.equal(error.exitCode, Exit.badConfiguration);
    const lines = error.findings.map((finding) => printable(formatFinding("F", finding)));
    assert.equal(error.message, lines.join("\n"));
    return error.message.split("\n").map((line) => line.replace(/^F:/, ""));
  }
}

function messageOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    assert(error instanceof ConfigError, String(error));
    return error.message;
  }
  throw new Error("it is taken");
}

/** A file with one card and one stream: `card` is the start of the card's text, `stream` the stream's text. */
function file(stream: string, card = ""): string {
  return `domains: { domU: { cards: [ { ${card} pcms: [ { streams: [ { ${stream} } ] } ] } ] } }\n`;
}

const good = "type: playback, device: default";
const at = String.raw`domains\.domU\.cards\[0\]\.pcms\[0\]\.streams\[0\]`;

Deno.test("loadConfig() reads the fixture with what each stream inherits", () => {
  const { backend, cards } = loadConfig(fixture("domU.yaml")).get("domU")!;
  assert.equal(backend, "Domain-0");
  assert.equal(cards.length, 1);
  const { shortName, longName, pcms } = cards[0]!;
  const { name, streams } = pcms[0]!;
  assert.deepEqual([shortName, longName, name], ["VCard", "Virtual sound card", "Main"]);
  const effective = { ...DEFAULT_PARAMS, rates: [44100, 48000] };
  assert.deepEqual(streams, [
    { type: "playback", uniqueId: "speakers", device: "hw:0,0", declared: {}, effective },
    { type: "capture", uniqueId: "mic", device: "hw:0,0", declared: {}, effective },
  ]);
});

Deno.test("loadConfig() takes p and c, three levels of parameters, and several guests", () => {
  const config = loadConfig(fixture("two-guests.yaml"));
  assert.deepEqual([...config.keys()], ["domU", "guest2"]);
  const [music, calls] = config.get("domU")!.cards;
  assert.deepEqual(music!.pcms[0]!.streams[1]!.effective, {
    rates: [44100],
    formats: ["s16_le", "s32_le", "float_le"],
    channelsMin: 1,
    channelsMax: 2,
    bufferSizeBytes: 32768,
  });
  assert.deepEqual(music!.pcms[1]!.streams[0]!.effective.channelsMin, 6);
  assert.deepEqual(calls!.pcms[0]!.streams.map(({ type, uniqueId }) => [type, uniqueId]), [
    ["capture", "1/0/0"],
    ["playback", "1/0/1"],
  ]);
});

Deno.test("parseConfig() says where an unknown key is, at every level", () => {
  const text = `extra: 1
domains:
  domU:
    sound: yes
    cards:
      - volume: 3
        pcms:
          - nmae: Main
            streams:
              - { type: p, device: d, unique_id: x }
`;
  assert.deepEqual(findings(text).map((line) => line.replace(/ write.*/, "")), [
    "1:1: extra: unknown key;",
    "4:5: domains.domU.sound: unknown key;",
    "6:9: domains.domU.cards[0].volume: unknown key;",
    "8:13: domains.domU.cards[0].pcms[0].nmae: unknown key (did you mean name?);",
    "10:39: domains.domU.cards[0].pcms[0].streams[0].unique_id: unknown key (did you mean unique-id?);",
  ]);
  assert.match(
    findings(text)[4]!,
    /write one of type, unique-id, device, denied, volume, muted, buffer-size, sample-rates/,
  );
});

Deno.test("parseConfig() finds what is wrong with single values and between values at once", () => {
  const text = `domains:
  domU:
    cards:
      - sample-rates: [44100, 37800]
        volume: 3
        channels-max: 2
        pcms:
          - streams:
              - { type: p, device: d, unique-id: a, channels-max: 4 }
              - { device: d, unique-id: a, channels-min: 3 }
`;
  assert.deepEqual(
    findings(text).map((line) => line.replace(/;.*/, "").replaceAll(/domains.domU.cards.0../g, "")),
    [
      "4:31: sample-rates[1]: 37800 is not allowed",
      "5:9: volume: unknown key",
      "9:53: pcms[0].streams[0].channels-max: 4 is not within 2 of the level above",
      "10:17: pcms[0].streams[1].type: missing",
      "10:44: pcms[0].streams[1].channels-min: channels-min 3 is above channels-max 2",
    ],
  );
});

const wrong: [name: string, text: string, expected: RegExp][] = [
  ["no type", file("device: d"), new RegExp(`^1:53: ${at}\\.type: missing; write playback or capture$`)],
  [
    "another type",
    file("type: playbak, device: d"),
    /type: "playbak" is not allowed \(did you mean playback\?\); write playback or capture$/,
  ],
  [
    "no device",
    file("type: p"),
    /device: missing; write an ALSA PCM name such as "hw:0,0", or "dummy:FILE"$/,
  ],
  ["an empty device", file('type: p, device: ""'), /device: "" is empty; write an ALSA PCM/],
  [
    "a device over two lines",
    file('type: p, device: "hw\\n:0"'),
    /holds a control character or a line break/,
  ],
  ["a device with a NUL", file('type: p, device: "hw\\0"'), /device: "hw\\u0000" holds a control character/],
  [
    "a device beyond XenStore",
    file(`type: p, device: ${"d".repeat(256)}`),
    /takes 256 octets, 255 is the most/,
  ],
  ["half a surrogate pair", file('type: p, device: "\\uD800"'), /half a surrogate pair/],
  ["a unique-id with a comma", file(`${good}, unique-id: "a,b"`), /unique-id: "a,b" holds a comma/],
  ["a short-name of 32", file(good, `short-name: ${"x".repeat(32)},`), /takes 32 octets, 31 is the most/],
  [
    "31 letters of more octets",
    file(good, `short-name: ${"é".repeat(16)},`),
    /takes 32 octets, 31 is the most/,
  ],
  ["a long-name of 80", file(good, `long-name: ${"x".repeat(80)},`), /takes 80 octets, 79 is the most/],
  ["a name that is a number", file(good, "short-name: 7,"), /short-name: 7 is not allowed; write a text/],
  [
    "a rate Linux drops",
    file(good, "sample-rates: [37800],"),
    /sample-rates\[0\]: 37800 .* one of the rates that/,
  ],
  ["a rate as text", file(good, 'sample-rates: ["48000"],'), /"48000" is not allowed/],
  [
    "no rates",
    file(good, "sample-rates: [],"),
    /sample-rates: a list of 0 is not allowed; write a list of the rates/,
  ],
  [
    "one rate, no list",
    file(good, "sample-rates: 48000,"),
    /sample-rates: 48000 is not allowed; write a list/,
  ],
  ["a rate twice", file(good, "sample-rates: [8000, 8000],"), /\[8000,8000\] has 8000 twice/],
  [
    "ALSA's spelling",
    file(good, "sample-formats: [S16_LE],"),
    /"S16_LE" is not allowed \(did you mean s16_le\?\); write one of sndif\.h's/,
  ],
  ["a compressed format", file(good, "sample-formats: [mpeg],"), /"mpeg" is not allowed/],
  [
    "no channels",
    file(good, "channels-max: 0,"),
    /channels-max: 0 is not allowed; write a number from 1 to 255$/,
  ],
  ["half a channel", file(good, "channels-max: 1.5,"), /channels-max: 1\.5 is not allowed/],
  ["256 channels", file(good, "channels-max: 256,"), /channels-max: 256 is not allowed/],
  [
    "min above max",
    file(good, "channels-min: 3, channels-max: 2,"),
    /channels-min 3 is above channels-max 2/,
  ],
  ["min above the default max", file(good, "channels-min: 3,"), /channels-min 3 is above channels-max 2/],
  [
    "a tiny buffer",
    file(good, "buffer-size: 127,"),
    /buffer-size: 127 is not allowed; .* from 128 to 16777216$/,
  ],
  ["a huge buffer", file(good, "buffer-size: 16777217,"), /buffer-size: 16777217 is not allowed/],
  ["a buffer of one period", file(`${good}, channels-max: 128, buffer-size: 128`), /write at least 512/],
  ["no streams", "domains: {a: {cards: [{pcms: [{streams: []}]}]}}", /streams: a list of 0 is not allowed/],
  [
    "no pcms",
    "domains: {a: {cards: [{pcms: []}]}}",
    /pcms: a list of 0 is not allowed; write a list of 1 to 32 PCMs/,
  ],
  ["no cards", "domains: {a: {cards: []}}", /domains\.a\.cards: a list of 0 is not allowed/],
  [
    "a backend that is no domain",
    "domains: {a: {backend: true, cards: [{pcms: []}]}}".replace("[]", `[{streams: [{${good}}]}]`),
    /backend: true is not allowed; write the name or number/,
  ],
  ["no domains", "domains: {}", /^1:1: domains: empty; write at least one domain/],
  ["an empty domain", "domains:\n  domU:\n", /^2:3: domains\.domU: empty; write a map with the key cards$/],
  ["a domain with a slash", "domains: {a/b: {cards: []}}", /domains\["a\/b"\]: is no domain name/],
  [
    "an empty file",
    "",
    /^1:1: the file is empty; write a map with the key domains, or let `xsnd probe --yaml` /,
  ],
  ["a file of comments", "# one\n  # two\n", /^1:1: the file holds nothing but comments; write a map/],
  ["a document of nothing", "---\n", /^1:4: empty; write a map with the key domains$/],
  ["a list", "[1, 2]", /^1:1: a list of 2 is not allowed; write a map/],
  [
    "yes for true",
    file(`${good}, denied: yes`),
    /denied: "yes" is a text in YAML 1\.2, not a truth value; write true, without quotes$/,
  ],
  [
    "OFF for false",
    file(`${good}, denied: OFF`),
    /denied: "OFF" is a text in YAML 1\.2, not a truth value; write false, without quotes$/,
  ],
  [
    "true in quotes",
    file(`${good}, denied: "true"`),
    /denied: "true" is a text .*; write true, without quotes$/,
  ],
  ["1 for true", file(`${good}, denied: 1`), /denied: 1 is not allowed; write true or false$/],
  ["nothing for true", file(`${good}, denied:`), /denied: empty; write true or false$/],
  ["no number", file(good, "channels-max: .nan,"), /channels-max: \.nan is not allowed; write a number/],
  ["no end", file(good, "buffer-size: -.inf,"), /buffer-size: -\.inf is not allowed; write a number/],
];
for (const [name, text, expected] of wrong) {
  Deno.test(`parseConfig() refuses ${name}`, () => {
    const found = findings(text);
    assert.equal(found.length, 1, found.join("\n"));
    assert.match(found[0]!, expected);
  });
}

Deno.test("parseConfig() takes a backend by name or number", () => {
  for (const backend of ["sound", "3", '"3"']) {
    const config = parseConfig(file(good).replace("domU: {", `domU: { backend: ${backend},`), "F");
    assert.equal(config.get("domU")?.backend, backend.replaceAll('"', ""));
  }
});

Deno.test("parseConfig() takes names of exactly the length that fits", () => {
  const text = file(
    `${good}, unique-id: ${"u".repeat(255)}`,
    `short-name: ${"s".repeat(31)}, long-name: ${"l".repeat(79)},`,
  );
  assert.deepEqual(findings(text), []);
});

Deno.test("parseConfig() bounds the streams of a PCM and of a domain, and the PCMs of a card", () => {
  const many = (count: number, item: string) => Array(count).fill(item).join(", ");
  const pcm = (streams: number) => `{ streams: [${many(streams, `{ ${good} }`)}] }`;
  const card = (pcms: string) => `domains: { d: { cards: [ { pcms: [ ${pcms} ] } ] } }`;
  assert.deepEqual(findings(card(many(8, pcm(8)))), []);
  assert.match(
    findings(card(pcm(9)))[0]!,
    /streams: a list of 9 is not allowed; write a list of 1 to 8 streams/,
  );
  assert.match(findings(card(many(33, pcm(1))))[0]!, /pcms: a list of 33 is not allowed/);
  assert.match(
    findings(card(many(9, pcm(8))))[0]!,
    /domains\.d: 72 streams would use up .* at most 64 streams for a domain/,
  );
});

Deno.test("parseConfig() lets a lower level narrow but never widen", () => {
  const text = `domains:
  domU:
    cards:
      - sample-rates: [44100, 48000]
        sample-formats: [s16_le]
        channels-min: 2
        channels-max: 4
        buffer-size: 8192
        pcms:
          - channels-max: 3
            streams:
              - { type: p, device: a, sample-rates: [48000, 8000, 96000] }
              - { type: p, device: a, sample-formats: [s16_le, u8] }
              - { type: p, device: a, channels-min: 1 }
              - { type: p, device: a, channels-max: 4 }
              - { type: p, device: a, buffer-size: 8193 }
              - { type: p, device: a, sample-rates: [44100], channels-min: 3, buffer-size: 8192 }
`;
  assert.deepEqual(findings(text).map((line) => line.replace(/ of the level above.*/, "")), [
    "12:39: domains.domU.cards[0].pcms[0].streams[0].sample-rates: 8000, 96000 is not within 44100, 48000",
    "13:39: domains.domU.cards[0].pcms[0].streams[1].sample-formats: u8 is not within s16_le",
    "14:39: domains.domU.cards[0].pcms[0].streams[2].channels-min: 1 is not within 2",
    "15:39: domains.domU.cards[0].pcms[0].streams[3].channels-max: 4 is not within 3",
    "16:39: domains.domU.cards[0].pcms[0].streams[4].buffer-size: 8193 is not within 8192",
  ]);
});

Deno.test("readYaml() takes a unique-id more than once in a domain, given or not, and notes it", () => {
  const stream = (id: string) => `{ ${good}, unique-id: ${id} }`;
  const card = (...streams: string[]) => `{ pcms: [ { streams: [ ${streams.join(", ")} ] } ] }`;
  const notes = (text: string) =>
    readYaml(text, "F").notes.map((note) => formatFinding("F", note).replace(/^F:/, ""));
  assert.deepEqual(
    notes(`domains: { d: { cards: [ ${card(stream("a"))}, ${card(stream("b"), stream("a"))} ] } }`),
    [
      '1:217: domains.d.cards[1].pcms[0].streams[1].unique-id: "a" is also the unique-id of ' +
      "domains.d.cards[0].pcms[0].streams[0]",
    ],
  );
  assert.match(
    notes(`domains: { d: { cards: [ ${card(stream("0/0/1"), `{ ${good} }`, stream("0/0/1"))} ] } }`).join(
      "\n",
    ),
    /^1:104: .*streams\[1\]\.unique-id: "0\/0\/1" is also the .*streams\[0\] and of 1 more$/,
  );
  const one = `{ cards: [ ${card(stream("a"))} ] }`;
  assert.deepEqual(notes(`domains: { d: ${one}, e: ${one} }`), []);
});

Deno.test("parseConfig() follows aliases, also for positions, and stops a bomb", () => {
  const alias = `domains:
  a: &guest
    cards:
      - pcms: [ { streams: [ { type: p, device: d, unique-id: "x,y" } ] } ]
  b: *guest
`;
  assert.deepEqual(findings(alias).map((line) => line.replace(/: ".*/, "")), [
    "4:52: domains.a.cards[0].pcms[0].streams[0].unique-id",
    "4:52: domains.b.cards[0].pcms[0].streams[0].unique-id",
  ]);
  let bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (let i = 1; i < 9; i++) bomb += `a${i}: &a${i} [${Array(9).fill(`*a${i - 1}`).join(", ")}]\n`;
  assert.match(findings(bomb)[0]!, /^1:1: aliases that stand for too many values; write fewer aliases$/);
});

Deno.test("parseConfig() throws nothing but a ConfigError, whatever the text", () => {
  const scalar = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.boolean(), fc.constant(null));
  const key = fc.constantFrom(
    "domains",
    "domU",
    "cards",
    "pcms",
    "streams",
    "type",
    "device",
    "sample-rates",
    "__proto__",
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: "small" }, scalar, fc.array(tie("value")), fc.dictionary(key, tie("value"))),
  }));
  const text = fc.oneof(fc.string({ unit: "binary" }), value.map((any) => JSON.stringify(any)));
  fc.assert(fc.property(text, (any) => void findings(any)), { numRuns: 300 });
});

Deno.test("loadConfig() names the file that it cannot read", () => {
  assert.throws(() => loadConfig("/nowhere/x.yaml"), (error) => {
    assert.ok(error instanceof XsndError);
    assert.equal(error.exitCode, Exit.badConfiguration);
    assert.equal(
      error.message,
      "cannot read the configuration /nowhere/x.yaml: no such file or directory",
    );
    return true;
  });
  assert.throws(() => loadConfig("/"), /cannot read the configuration \/: /);
});

Deno.test("loadConfig() does not read a file of many megabytes", () => {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(path, "#".repeat(1024 * 1024 + 1));
    assert.throws(() => loadConfig(path), /is no configuration: it has more than 1048576 octets/);
    Deno.truncateSync(path, 0);
    Deno.truncateSync(path, 100 * 1024 * 1024);
    assert.throws(() => loadConfig(path), /:1:1: the file is binary data; name a configuration/);
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("a file that is wrong from end to end is told the first hundred findings, and how many more there are", () => {
  const text = `domains:\n${Array.from({ length: 3000 }, (_, i) => ` k${i}: 1\n`).join("")}`;
  assert.throws(() => parseConfig(text, "f.yaml"), (error: Error) => {
    const lines = error.message.split("\n");
    assert.equal(lines.length, 101);
    assert.equal(lines.at(-1), "f.yaml: and 2900 more; mend these first");
    return true;
  });
});

/** Deeply nested texts: brackets and indents, alone and with other tokens in between. */
const NESTED: readonly string[] = [
  "- ".repeat(20_000) + "x",
  "{a: ".repeat(3000) + "1" + "}".repeat(3000),
  "[".repeat(100_000),
  "? ".repeat(4000) + "a",
  "- ? - a: ".repeat(4000),
  "[&a !!map {b: # c\n 'd', e: ".repeat(2000),
  Array.from({ length: 1200 }, (_, i) => `${" ".repeat(i)}k${i}:\n`).join(""),
  Array.from({ length: 1200 }, (_, i) => `${" ".repeat(i)}- "a": |\n${" ".repeat(i + 3)}text\n`).join(""),
];

Deno.test("a file that is nested without an end is refused in a line, whatever content stands in it", () => {
  for (const nested of NESTED) {
    for (
      const text of [nested, `domains:\n  domU:\n    cards:\n      ${nested}`, `${nested}\n]}\n- a: b\n? c\n`]
    ) {
      const message = messageOf(() => parseConfig(text, "f.yaml"));
      assert.match(
        message,
        /^f\.yaml:\d+:\d+: not YAML that can be read: it (is nested deeper|has more) than /,
      );
      assert(!message.includes("\n"), message);
    }
  }
});

Deno.test("what the fuzzer has found: a file that exhausts the YAML parser's stack is refused", async () => {
  // The fuzzer's input was this fixture with 2000 copies of "? " between its lines.
  const fixture = await Deno.readTextFile(new URL("../../fixtures/two-guests.yaml", import.meta.url));
  for (const token of ["? ", "- ", "? - ", ": ", "  - ? "]) {
    for (let at = 100; at < fixture.length; at += 97) {
      const text = fixture.slice(0, at) + token.repeat(2000) + fixture.slice(at);
      assert.throws(() => parseConfig(text, "f.yaml"), ConfigError);
    }
  }
});

Deno.test("a text of a megabyte is refused in no more time than a right one takes to read", () => {
  const domain = (i: number) => `  dom${i}: { cards: [{ pcms: [{ streams: [{ ${good} }] }] }] }\n`;
  const right = `domains:\n${Array.from({ length: 550 }, (_, i) => domain(i)).join("")}`;
  const timeOf = (text: string) => {
    const from = performance.now();
    try {
      parseConfig(text, "f.yaml");
    } catch (error) {
      assert(error instanceof ConfigError, String(error));
    }
    return performance.now() - from;
  };
  parseConfig(right, "f.yaml");
  const baseline = Math.max(timeOf(right), timeOf(right));
  const unit = [
    "]",
    "}",
    '"',
    "%\n",
    "a:\n",
    "&a ",
    "*a ",
    "a: [\n",
    "[a,]\n",
    "'a' 'b'\n",
    "a: !x y\n",
    "\n",
  ];
  const texts = unit.map((unit) => unit.repeat(Math.floor(1_000_000 / unit.length)));
  const keys = Array.from({ length: 10_000 }, (_, i) => `k${i}`);
  for (
    const text of [
      ...texts,
      `{${keys.join(", ")}}`,
      `domains:\n${keys.map((key) => ` ${key}: b\n`).join("")}`,
    ]
  ) {
    const took = timeOf(text);
    assert(
      took < 5 * baseline,
      `${JSON.stringify(text.slice(0, 20))}: ${took} ms, a right one ${baseline} ms`,
    );
  }
});

Deno.test("no message has a character that drives a terminal, not even one of one octet or of C1", () => {
  for (const character of ["\u001b", "\u007f", "\u009b", "\r"]) {
    assert.throws(
      () => parseConfig(`domains: { "a${character}b": 1 }`, `f${character}.yaml`),
      (error: Error) => {
        assert(!error.message.includes(character), JSON.stringify(error.message));
        return true;
      },
    );
  }
});
