// SPDX-License-Identifier: MIT
/** Names of domains and streams for completion, as XenStore has them. Only names that every shell takes literally. */
import { formatStreamName } from "../stream/stream_name.ts";
import { readAllCards } from "../vsnd/nodes/inventory.ts";
import { listDomains } from "../xenbus/mod.ts";
import type { StoreView } from "../xen/ports.ts";

/** All streams, as `domU/0/0/0`. */
export function streamNames(view: StoreView): string[] {
  return readAllCards(view).flatMap(({ domain, address, pcms }) =>
    pcms.flatMap(({ streams }, p) => streams.map((_, s) => formatStreamName(domain.name, address.card, p, s)))
  ).filter(isPlain);
}

/** All domains, by name. */
export function domainNames(view: StoreView): string[] {
  return listDomains(view).map(({ name }) => name).filter(isPlain);
}

/** Whether a shell takes `name` literally. A guest chooses its name, and must not run commands in the shell by it. */
function isPlain(name: string): boolean {
  return /^[\w.+@:/-]+$/.test(name);
}
