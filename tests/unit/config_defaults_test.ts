// SPDX-License-Identifier: MIT
/** `defaults:` of a configuration: for what neither a card nor anything in it sets. */
import assert from "node:assert/strict";
import { parseConfig } from "../../lib/vsnd/config/yaml_file.ts";
import type { CardConfig } from "../../lib/vsnd/model/card.ts";

const STREAM = `{ type: playback, device: "dummy:" }`;
const card = (text: string, streams = [STREAM]) => `{ ${text} pcms: [{ streams: [${streams.join(", ")}] }] }`;

/** The cards of the domains, which are called a, b, c, by the file's text. */
function cardsOf(text: string): Record<string, CardConfig> {
  const config = parseConfig(text, "guests.yaml");
  return Object.fromEntries([...config].map(([name, { cards }]) => [name, cards[0]!]));
}

const effective = ({ pcms }: CardConfig) => pcms[0]!.streams.map(({ effective }) => effective);

Deno.test("a default holds for each card that has no own value, a guest's before that of all", () => {
  const { a, b, c } = cardsOf(`
defaults: { sample-rates: [44100, 48000], channels-max: 2, buffer-size: 32768 }
domains:
  a: { cards: [${card("")}] }
  b: { defaults: { channels-max: 6 }, cards: [${card("")}] }
  c: { cards: [${card("sample-rates: [8000], channels-max: 1,")}] }
`);
  const [of] = effective(a!);
  assert.deepEqual([of!.rates, of!.channelsMax, of!.bufferSizeBytes], [[44100, 48000], 2, 32768]);
  assert.deepEqual(a!.declared, { rates: [44100, 48000], channelsMax: 2, bufferSizeBytes: 32768 });
  assert.equal(effective(b!)[0]!.channelsMax, 6);
  assert.deepEqual([effective(c!)[0]!.rates, effective(c!)[0]!.channelsMax], [[8000], 1]);
});

Deno.test("what a stream sets need not be within a default, which holds for the streams beside it", () => {
  const own = `{ type: capture, device: "dummy:", sample-rates: [96000], channels-max: 8 }`;
  const { a } = cardsOf(`
defaults: { sample-rates: [48000], channels-max: 2 }
domains: { a: { cards: [${card("", [own, STREAM])}] } }
`);
  const [wide, plain] = effective(a!);
  assert.deepEqual([wide!.rates, wide!.channelsMax], [[96000], 8]);
  assert.deepEqual([plain!.rates, plain!.channelsMax], [[48000], 2]);
  assert.deepEqual(a!.declared, {});
});

Deno.test("a default that is wrong is told where it stands, and a misspelt one too", () => {
  const text = (defaults: string) => `defaults: ${defaults}\ndomains: { a: { cards: [${card("")}] } }\n`;
  const cases: [string, RegExp][] = [
    [
      "{ buffer-size: 1 }",
      /guests.yaml:1:13: defaults.buffer-size: 1 is not allowed; write a number of octets/,
    ],
    [
      "{ chanels-max: 1 }",
      /guests.yaml:1:13: defaults.chanels-max: unknown key \(did you mean channels-max\?\)/,
    ],
    ["[]", /defaults: a list of 0 is not allowed; write a map with any of buffer-size/],
    ["{ device: x }", /defaults.device: unknown key/],
  ];
  for (const [defaults, message] of cases) {
    assert.throws(() => parseConfig(text(defaults), "guests.yaml"), { message });
  }
  const inDomain = `domains: { a: { defaults: { sample-rates: [1] }, cards: [${card("")}] } }`;
  assert.throws(() => parseConfig(inDomain, "guests.yaml"), {
    message: /domains.a.defaults.sample-rates\[0\]: 1 is not/,
  });
});
