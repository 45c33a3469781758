// SPDX-License-Identifier: MIT
/**
 * Plays the scripts of `cases/`: worlds that have found a defect once, as short as they could be made. A file's first lines say which
 * defect that was. When the world itself changes, a script may come to mean something else: then it is one more world.
 */
import assert from "node:assert/strict";
import { parseScript } from "./script.ts";
import { playScript } from "./play.ts";

const cases = new URL("./cases/", import.meta.url);

for (const { name } of [...Deno.readDirSync(cases)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  Deno.test(`case ${name.replace(".txt", "").replaceAll("_", " ")}`, async () => {
    const script = parseScript(Deno.readTextFileSync(new URL(name, cases)));
    const { violation, events } = await playScript(script);
    assert.equal(violation, undefined);
    assert.equal(events, script.events.length);
  });
}
