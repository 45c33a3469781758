// SPDX-License-Identifier: MIT
/** Tests the example of `xsnd example`. */
import assert from "node:assert/strict";
import { annotatedExample } from "../../lib/vsnd/config/annotated_example.ts";
import { KEY_TABLE } from "../../lib/vsnd/config/key_table.ts";
import { parseConfig } from "../../lib/vsnd/config/yaml_file.ts";

Deno.test("the example is a configuration, as it stands and with all optional keys", () => {
  const text = annotatedExample();
  assert.equal(parseConfig(text, "example").get("domU")?.cards[0]?.pcms[0]?.streams.length, 2);
  const whole = text.replace(
    /^( *)# ([a-z-]+: )/gm,
    (line, indent, key) => key.slice(0, -2) in KEY_TABLE ? indent + key : line,
  );
  const [stream] = parseConfig(whole, "example").get("domU")!.cards[0]!.pcms[0]!.streams;
  assert.deepEqual([stream?.uniqueId, stream?.denied], ["speakers", true]);
});

Deno.test("the example has every key with its meaning, in lines of at most 100 columns", () => {
  const text = annotatedExample();
  for (const key of Object.keys(KEY_TABLE)) assert.match(text, new RegExp(`^ *(# |- )?${key}:`, "m"), key);
  assert(text.split("\n").every((line) => line.length <= 100));
});
