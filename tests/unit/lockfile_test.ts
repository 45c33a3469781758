// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";

Deno.test("deno.lock pins packages by their integrity, and says nothing of where they came from", async () => {
  const lock = await Deno.readTextFile(new URL("../../deno.lock", import.meta.url));
  assert.doesNotMatch(lock, /:\/\/|tarball|registry/);
  const packages = Object.values(JSON.parse(lock).npm as Record<string, { integrity?: string }>);
  assert.notEqual(packages.length, 0);
  for (const { integrity } of packages) assert.match(integrity ?? "", /^sha512-/);
});
