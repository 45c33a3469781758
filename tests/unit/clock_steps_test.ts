// SPDX-License-Identifier: MIT
/** The time of day can step at any moment. Only timestamps for people use it. */
import assert from "node:assert/strict";

const root = new URL("../../", import.meta.url).pathname;

Deno.test("nothing in lib/ and ffi/ goes by the time of day but time-stamps", async () => {
  const found: string[] = [];
  for (const directory of ["ffi", "lib"]) await search(`${root}${directory}`, found);
  assert.deepEqual(found.sort(), TIME_STAMPS);
});

/** Files that read the time of day for a timestamp. */
const TIME_STAMPS: readonly string[] = [
  "lib/daemon/stream/operator_control.ts",
  "lib/daemon/trace_source.ts",
  "lib/log/mod.ts",
  "lib/observe/watch.ts",
];

async function search(directory: string, found: string[]): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    const path = `${directory}/${name}`;
    if (isDirectory) await search(path, found);
    else if (
      name.endsWith(".ts") && /\bDate\.now\(|new Date\(\)|CLOCK\.REALTIME/.test(await Deno.readTextFile(path))
    ) found.push(path.slice(root.length));
  }
}
