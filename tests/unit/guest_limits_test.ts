// SPDX-License-Identifier: MIT
/** Tests the limits on the daemon's resources, for one guest and for all guests together. */
import assert from "node:assert/strict";
import { heldBytes } from "../../lib/daemon/link/map_buffer.ts";
import {
  DEFAULT_LIMITS,
  GuestUse,
  LimitError,
  parseGuestLimits,
} from "../../lib/daemon/policy/guest_limits.ts";

Deno.test("parseGuestLimits() takes the named limits, and lists all names when it refuses one", () => {
  assert.deepEqual(parseGuestLimits("streams=8"), { ...DEFAULT_LIMITS, streams: 8 });
  assert.deepEqual(parseGuestLimits("mapped=4, requests=500,log-lines=1"), {
    ...DEFAULT_LIMITS,
    mapped: 4,
    requests: 500,
    logLines: 1,
  });
  for (
    const text of ["", "streams", "streams=", "streams=-1", "stream=1", "constructor=1", "streams=1;mapped=2"]
  ) {
    assert.throws(
      () => parseGuestLimits(text),
      /unknown limit ".*": expected one of streams=N, engines=N, total-engines=N, mapped=N, total-mapped=N, requests=N, moved=N, log-lines=N/,
    );
  }
  assert.throws(() => parseGuestLimits("streams=257"), /streams is from 1 to 256/);
  assert.throws(() => parseGuestLimits("requests=1"), /requests is from 100/);
});

Deno.test("GuestUse limits each guest by itself, and takes a share back only once", () => {
  const use = new GuestUse({ ...DEFAULT_LIMITS, streams: 2, mapped: 1 });
  const shares = [use.stream(1), use.stream(1)];
  assert.throws(() => use.stream(1), LimitError);
  use.stream(2);
  use.memory(1, 4 * 4096);
  assert.throws(
    () => use.memory(1, 253 * 4096),
    /its guest has 16 KiB; 1012 KiB more is above the 1024 KiB that --guest-limits mapped= allows/,
  );
  const rest = use.memory(1, 252 * 4096);
  rest[Symbol.dispose]();
  rest[Symbol.dispose]();
  use.memory(1, 252 * 4096)[Symbol.dispose]();
  shares[0]![Symbol.dispose]();
  use.stream(1);
});

Deno.test("GuestUse limits all guests together; a share that one gives back is free for all", () => {
  const use = new GuestUse({ ...DEFAULT_LIMITS, engines: 2, totalEngines: 3 });
  const [first] = [use.engine(1), use.engine(1), use.engine(2)];
  assert.throws(
    () => use.engine(1),
    /its guest has 2; 1 more is above the 2 that --guest-limits engines= allows/,
  );
  assert.throws(
    () => use.engine(2),
    /all guests together have 3; 1 more is above the 3 that .* total-engines= allows/,
  );
  first[Symbol.dispose]();
  use.engine(2);
});

Deno.test("heldBytes() counts the daemon's own copies, and a capture stream's twice", () => {
  const staging = 2 << 16;
  assert.equal(heldBytes(65536, "playback"), 2 * 65536 + staging);
  assert.equal(heldBytes(65536, "capture"), 3 * 65536 + staging);
  assert.equal(heldBytes(4100, "playback"), 8192 + 4100 + staging, "pages are whole");
});
