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
      /is no limit: expected one of streams=N, engines=N, total-engines=N, mapped=N, requests=N, log-lines=N/,
    );
  }
  assert.throws(() => parseGuestLimits("streams=257"), /streams is from 1 to 256/);
  assert.throws(() => parseGuestLimits("requests=1"), /requests is from 100/);
});

Deno.test("GuestUse gives each guest its own, and back what was given once", () => {
  const use = new GuestUse({ ...DEFAULT_LIMITS, streams: 2, mapped: 1 });
  const shares = [use.stream(1), use.stream(1)];
  assert.throws(() => use.stream(1), LimitError);
  use.stream(2);
  use.pages(1, 4);
  assert.throws(
    () => use.pages(1, 253),
    /its guest has 16 KiB and asks for 1012 KiB more: --guest-limits mapped= allows 1024 KiB/,
  );
  const rest = use.pages(1, 252);
  rest[Symbol.dispose]();
  rest[Symbol.dispose]();
  use.pages(1, 252)[Symbol.dispose]();
  shares[0][Symbol.dispose]();
  use.stream(1);
});

Deno.test("GuestUse has a total over all guests, and gives back to all what one gives back", () => {
  const use = new GuestUse({ ...DEFAULT_LIMITS, engines: 2, totalEngines: 3 });
  const [first] = [use.engine(1), use.engine(1), use.engine(2)];
  assert.throws(() => use.engine(1), /its guest has 2 and asks for 1 more: --guest-limits engines= allows 2/);
  assert.throws(() => use.engine(2), /all guests together have 3 .* total-engines= allows 3/);
  first[Symbol.dispose]();
  use.engine(2);
});
