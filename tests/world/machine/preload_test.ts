// SPDX-License-Identifier: MIT
/** Tests that the world loads all that the daemon and its clients import on demand. */
import assert from "node:assert/strict";
import { dirname, join, normalize } from "node:path";
import { setImmediate } from "node:timers";
import "./preload.ts";

const root = new URL("../../../", import.meta.url).pathname;

/** `import("./x.ts")` in code. */
const ON_DEMAND = /\bimport\("(\.{1,2}\/[^"]+\.ts)"\)/g;
const PRELOADED = /^import "((?:\.\.\/)+[^"]+)";$/gm;

/** The doctor is a command of its own, and in no world. */
const ELSEWHERE = /^lib\/doctor\//;

function* filesBelow(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(join(root, folder))) {
    const path = join(folder, name);
    if (isDirectory) yield* filesBelow(path);
    else if (path.endsWith(".ts")) yield path;
  }
}

Deno.test("preload.ts has every module that lib imports on demand", () => {
  const here = "tests/world/machine/preload.ts";
  const loaded = new Set(
    Array.from(
      Deno.readTextFileSync(join(root, here)).matchAll(PRELOADED),
      ([, path]) => normalize(join(dirname(here), path!)),
    ),
  );
  const wanted = Array.from(filesBelow("lib")).filter((file) => !ELSEWHERE.test(file)).flatMap((file) => {
    const code = Deno.readTextFileSync(join(root, file)).replace(/\/\*[^]*?\*\//g, "");
    return Array.from(code.matchAll(ON_DEMAND), ([, path]) => normalize(join(dirname(file), path!)));
  });
  assert(wanted.length >= 8, `${wanted}`);
  assert.deepEqual(wanted.filter((file) => !loaded.has(file)), []);
});

Deno.test("an import of a loaded module resolves before the event loop has gone round", async () => {
  for (let i = 0; i < 2000; i++) {
    let isLoaded = false;
    import("../../../lib/control/response_schema.ts").then(() => isLoaded = true);
    await new Promise((resolve) => setImmediate(resolve));
    assert(isLoaded, `round ${i}`);
  }
});
