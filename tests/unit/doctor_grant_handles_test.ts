// SPDX-License-Identifier: MIT
/** What the doctor says of the pages that Xen lets domain 0 map. */
import assert from "node:assert/strict";
import { judgeHandles } from "../../lib/doctor/grant_handles.ts";

Deno.test("handles for twice what the daemon may map are enough; fewer are a warning with a limit that fits", () => {
  assert.deepEqual(judgeHandles(1024), {
    level: "ok",
    subject: "grant handles",
    detail:
      "Xen lets domain 0 map 1024 MiB of all guests' pages, and the daemon maps 256 MiB at most by default",
  });
  assert.equal(judgeHandles(512).level, "ok");
  const few = judgeHandles(64);
  assert.equal(few.level, "warn");
  assert.match(few.detail, /^Xen lets domain 0 map 64 MiB .*: too little is left for disks and networks$/);
  assert.equal(few.command, "xsnd serve --guest-limits total-mapped=16");
  assert.equal(judgeHandles(2).command, "xsnd serve --guest-limits total-mapped=1");
});

Deno.test("a parameter that is no number is not judged", () => {
  assert.equal(judgeHandles(NaN).level, "skip");
});
