// SPDX-License-Identifier: MIT
/** Tests `<<` and `x-` keys in configurations. */
import assert from "node:assert/strict";
import { ConfigError } from "../../lib/vsnd/config/config_error.ts";
import { withoutYamlKeys } from "../../lib/vsnd/config/merge_keys.ts";
import { parseConfig } from "../../lib/vsnd/config/yaml_file.ts";

function findings(text: string): string[] {
  try {
    parseConfig(text, "file");
    return [];
  } catch (error) {
    assert(error instanceof ConfigError);
    return error.message.split("\n").map((line) => line.replace(/^file:/, ""));
  }
}

Deno.test("a map's own keys count more than merged ones, and earlier maps more than later ones", () => {
  const base = { a: 1, b: 1, c: 1 };
  assert.deepEqual(withoutYamlKeys({ "<<": base, b: 2 }), { a: 1, b: 2, c: 1 });
  assert.deepEqual(withoutYamlKeys({ "<<": [{ a: 3, d: 3 }, base], b: 2 }), { a: 3, b: 2, c: 1, d: 3 });
  assert.deepEqual(withoutYamlKeys({ "<<": { "<<": base, c: 4 }, a: 5 }), { a: 5, b: 1, c: 4 });
  assert.deepEqual(withoutYamlKeys([{ "<<": base }, { "<<": base, a: [{ "<<": base }] }]), [
    base,
    { ...base, a: [base] },
  ]);
});

Deno.test("x- keys are left out, but for a domain of that name", () => {
  assert.deepEqual(withoutYamlKeys({ "x-a": 1, domains: { "x-guest": { "x-note": 1, cards: [] } } }), {
    domains: { "x-guest": { cards: [] } },
  });
});

Deno.test("what is no map cannot be merged, and no key is lost", () => {
  for (const merged of [7, "a", null, [{ a: 1 }, 2], []]) {
    const kept = withoutYamlKeys({ "<<": merged, b: 1 });
    assert.deepEqual(kept, Array.isArray(merged) && merged.length === 0 ? { b: 1 } : { "<<": merged, b: 1 });
  }
  const value = JSON.parse('{"__proto__": {"a": 1}, "<<": {"__proto__": {"b": 1}}}');
  assert.deepEqual(Object.getOwnPropertyNames(withoutYamlKeys(value)), ["__proto__"]);
});

const CONFIG = `x-music: &music
  sample-rates: [48000]
  channels-max: 2
domains:
  domU:
    cards:
      - pcms:
          - streams:
              - <<: *music
                type: playback
                device: hw:0
              - { <<: [{ type: capture }, *music], device: hw:1, channels-max: 1 }
`;

Deno.test("a file may say once what several streams share", () => {
  const [playback, capture] = parseConfig(CONFIG, "file").get("domU")!.cards[0]!.pcms[0]!.streams;
  assert.deepEqual(playback?.effective.rates, [48000]);
  assert.deepEqual([capture?.type, capture?.device], ["capture", "hw:1"]);
  assert.deepEqual([playback?.effective.channelsMax, capture?.effective.channelsMax], [2, 1]);
});

Deno.test("a finding about a merged value has the place where the value stands", () => {
  const wrong = CONFIG.replace("[48000]", "[48001]");
  const at = "2:18: domains.domU.cards[0].pcms[0].streams";
  assert.deepEqual(findings(wrong).map((line) => line.slice(0, at.length + 3)), [`${at}[0]`, `${at}[1]`]);
  assert.match(findings(wrong)[0]!, /48001 is not allowed \(did you mean 48000\?\)/);
  assert.match(
    findings(CONFIG.replace("*music\n", "7\n"))[0]!,
    /^9:17: .*"<<"\]: unknown key.*write a map behind <</,
  );
});

Deno.test("merging takes no longer than the text is long", () => {
  const keys = Array.from({ length: 2000 }, (_, i) => `k${i}: 1`).join(", ");
  const chain = Array.from({ length: 60 }, (_, i) => `x-${i + 1}: &m${i + 1} {<<: [*m${i}, *m${i}]}`).join(
    "\n",
  );
  const text = `x-0: &m0 {${keys}}\n${chain}\ndomains: {a: {<<: *m60, cards: []}}`;
  const began = performance.now();
  assert(findings(text).length > 0);
  const mergedMs = performance.now() - began;
  const plain = performance.now();
  assert(findings(`domains: {a: {${keys}, cards: []}}`).length > 0);
  assert(mergedMs < 100 * (performance.now() - plain), `${mergedMs} ms`);
});

Deno.test("a misspelt key or value has the one that was probably meant", () => {
  const stream = (rest: string) => `domains: {a: {cards: [{pcms: [{streams: [{${rest}}]}]}]}}`;
  const cases: [string, RegExp][] = [
    [stream("type: p, devise: hw, device: hw"), /devise: unknown key \(did you mean device\?\)/],
    [stream("type: playbakc, device: hw"), /"playbakc" is not allowed \(did you mean playback\?\)/],
    [stream("type: p, device: hw, sample-formats: [s16-le]"), /\(did you mean s16_le\?\)/],
    [stream("type: p, device: hw, sample-rates: [41000]"), /41000 is not allowed \(did you mean 44100\?\)/],
    ["domians: {}", /domians: unknown key \(did you mean domains\?\)/],
  ];
  for (const [text, message] of cases) assert.match(findings(text).join("\n"), message);
  assert.doesNotMatch(findings(stream("type: p, device: hw, sample-rates: [7]")).join("\n"), /did you mean/);
});
