// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { STATEMENTS } from "./statements.ts";

Deno.test("docs/ARCHITECTURE.md has each invariant, with its sentence", () => {
  const page = Deno.readTextFileSync(new URL("../../../docs/ARCHITECTURE.md", import.meta.url));
  const table = page.slice(page.indexOf("| invariant ")).split("\n\n", 1)[0]!;
  const rows = [...table.matchAll(/^\| `(\w+)` +\| (.+?) +\|$/gm)].map((
    [, name, sentence],
  ) => [name, sentence]);
  assert.deepEqual(rows, Object.entries(STATEMENTS));
});
