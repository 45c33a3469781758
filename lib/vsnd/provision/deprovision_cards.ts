// SPDX-License-Identifier: MIT
/** Removes several cards of a guest at the same time. */
import { Exit, XsndError } from "../../base/error.ts";
import type { Domain } from "../../xenbus/mod.ts";
import type { Store } from "../../xen/ports.ts";
import { type CardRecord, cardRecords } from "../nodes/inventory.ts";
import { deprovisionCard, type DeprovisionOptions } from "./deprovision.ts";

export interface Deprovisioned {
  readonly removed: readonly CardRecord[];
  /** An error for each card that was not removed. */
  readonly failures: readonly unknown[];
}

/** Removes `card` of `domain`, or all its cards. Throws {@link XsndError} (exit 1) if there is no such card. */
export async function deprovisionCards(
  store: Store,
  domain: Domain,
  card: number | undefined,
  options: DeprovisionOptions,
): Promise<Deprovisioned> {
  const removed: CardRecord[] = [];
  const failures: unknown[] = [];
  const records = chosen(store, domain, card);
  const work = await Promise.allSettled(records.map(async (record) => {
    await deprovisionCard(store, record, options);
    return record;
  }));
  for (const result of work) {
    if (result.status === "fulfilled") removed.push(result.value);
    else failures.push(result.reason);
  }
  return { removed, failures };
}

function chosen(store: Store, domain: Domain, card: number | undefined): CardRecord[] {
  const records = cardRecords(store, domain.domid);
  const wanted = records.filter(({ address }) => card === undefined || address.card === card);
  if (wanted.length > 0) return wanted;
  const numbers = records.map(({ address }) => address.card).join(", ");
  throw new XsndError(
    numbers === ""
      ? `${domain.name} has no virtual sound card`
      : `${domain.name} has no card ${card}; it has ${numbers}`,
    Exit.failed,
  );
}
