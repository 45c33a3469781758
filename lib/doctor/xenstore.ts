// SPDX-License-Identifier: MIT
/** Checking that XenStore answers, how fast, and what this domain may do in it. */
import { percentiles } from "../base/percentiles.ts";
import { openXen } from "../xen/mod.ts";
import { StoreError, type StoreView, type Xen } from "../xen/ports.ts";
import { type Check, type Finding, fromError, ok, skip } from "./doctor_finding.ts";
import { thisHost } from "./host.ts";

const ROUND_TRIPS = 50;

export const xenstoreChecks: readonly Check[] = [
  { subject: "XenStore", run: reach },
  { subject: "this domain", run: () => withXen("this domain", role) },
];

/** Runs `body` with Xen opened. If Xen cannot be opened, {@link reach} reports the reason, and this check is skipped. */
export async function withXen<T extends Finding | Finding[]>(
  subject: string,
  body: (xen: Xen) => T | Promise<T>,
): Promise<T | Finding> {
  if (!hasStore()) return skip(subject, "there is no Xen here");
  let xen: Xen;
  try {
    xen = await openXen();
  } catch {
    return skip(subject, "XenStore cannot be opened");
  }
  using _ = xen;
  return await body(xen);
}

/** Runs `body` in one transaction, so that no card is seen half written. Skipped in a domain that may not read all nodes of a card. */
export function withCards(
  subject: string,
  body: (view: StoreView) => Finding[],
): Promise<Finding[] | Finding> {
  return withXen(subject, ({ store }) => {
    try {
      return store.transaction(body);
    } catch (error) {
      if (!(error instanceof StoreError && error.code === "EACCES")) throw error;
      return [skip(subject, "only the toolstack's domain may read all nodes of a card")];
    }
  });
}

function hasStore(): boolean {
  return thisHost().xen !== "none" || Boolean(Deno.env.get("XENSTORED_PATH"));
}

async function reach(): Promise<Finding> {
  if (!hasStore()) return skip("XenStore", "there is no Xen here");
  try {
    using xen = await openXen();
    const micros = Array.from({ length: ROUND_TRIPS }, () => {
      const start = performance.now();
      xen.store.read("domid");
      return (performance.now() - start) * 1000;
    });
    return ok("XenStore", `answers within ${Math.round(percentiles(micros).p50)} µs`);
  } catch (error) {
    return fromError("XenStore", error);
  }
}

/** The toolstack's domain is recognised by its access to /libxl, which no other domain may read. */
function role({ store, domid }: Xen): Finding {
  try {
    store.list("/libxl");
    return ok("this domain", `domain ${domid}: it provisions cards, and can serve them`);
  } catch (error) {
    if (!(error instanceof StoreError && error.code === "EACCES")) throw error;
    return ok(
      "this domain",
      `domain ${domid}: it can serve cards that the toolstack's domain provisions for it`,
    );
  }
}
