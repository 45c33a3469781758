/** What one guest may have of the daemon. */
import assert from "node:assert/strict";
import { DEFAULT_LIMITS, GuestUse, LimitError, parseGuestLimits } from "../../lib/backend/guest_limits.ts";

Deno.test("parseGuestLimits() takes those that are named, and says which there are", () => {
  assert.deepEqual(parseGuestLimits("streams=8"), { ...DEFAULT_LIMITS, streams: 8 });
  assert.deepEqual(parseGuestLimits("mapped=4, requests=500,log-lines=1"), {
    ...DEFAULT_LIMITS,
    mapped: 4,
    requests: 500,
    logLines: 1,
  });
  for (const text of ["", "streams", "streams=", "streams=-1", "stream=1", "streams=1;mapped=2"]) {
    assert.throws(
      () => parseGuestLimits(text),
      /is none: they are streams=N, mapped=N, requests=N, log-lines=N/,
    );
  }
  assert.throws(() => parseGuestLimits("streams=257"), /streams is from 1 to 256/);
  assert.throws(() => parseGuestLimits("requests=1"), /requests is from 100/);
});

Deno.test("GuestUse gives each guest its own, and back what was given once", () => {
  const use = new GuestUse({ ...DEFAULT_LIMITS, streams: 2, mapped: 1 });
  const shares = [use.stream(1, 2), use.stream(1, 2)];
  assert.throws(() => use.stream(1, 2), LimitError);
  use.stream(2, 2);
  assert.throws(() => use.pages(1, 253), /has 16 KiB mapped, and with 1012 more would have more than 1 MiB/);
  const rest = use.pages(1, 252);
  rest[Symbol.dispose]();
  rest[Symbol.dispose]();
  use.pages(1, 252)[Symbol.dispose]();
  shares[0][Symbol.dispose]();
  use.stream(1, 2);
});
