// SPDX-License-Identifier: MIT
/** releaseStartup(): gives back the memory that only the daemon's start needs. */
import assert from "node:assert/strict";
import { releaseStartup } from "../../ffi/libc/startup_memory.ts";

const resident = () => Deno.memoryUsage().rss;

Deno.test("releaseStartup() makes this process a good deal smaller, and it goes on as before", () => {
  const before = resident();
  const released = releaseStartup(Deno.execPath());
  const after = resident();
  assert(released > 10 << 20, `${released} octets of code`);
  assert(before - after > 10 << 20, `${before} octets resident before, ${after} after`);
  // Released code is paged in again: code that hardly ran before, and code that did.
  assert.equal(new Intl.NumberFormat("de-DE").format(1234.5), "1.234,5");
  assert.equal(JSON.parse(JSON.stringify({ a: [1, 2, 3] })).a[2], 3);
});

Deno.test("releaseStartup() of a program that is not this one gives nothing back", () => {
  assert.equal(releaseStartup("/no/such/program"), 0);
});
