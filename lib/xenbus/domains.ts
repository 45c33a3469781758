// SPDX-License-Identifier: MIT
/** Finding domains by name or number in `/local/domain`. */
import { Exit, XsndError } from "../base/error.ts";
import { didYouMean } from "../base/suggest.ts";
import { StoreError, type StoreView } from "../xen/ports.ts";

/** A domain by number and name. */
export interface Domain {
  /** The domain's number. */
  readonly domid: number;
  /** The number in decimal if XenStore has no name for the domain. */
  readonly name: string;
}

const DOMAIN_0: Domain = { domid: 0, name: "Domain-0" };

/**
 * The domain's name in XenStore. Domain 0 is called Domain-0 even without a name node. Where the node is missing or unreadable,
 * the name is the number: a driver domain may not read the names of others.
 */
export function domainName(view: StoreView, domid: number): string {
  return nameNode(view, domid) || (domid === 0 ? DOMAIN_0.name : String(domid));
}

function nameNode(view: StoreView, domid: number): string | undefined {
  try {
    return view.read(`/local/domain/${domid}/name`);
  } catch (error) {
    if (error instanceof StoreError && error.code === "EACCES") return undefined;
    throw error;
  }
}

/** All domains in the order of their numbers. Domain 0 is always included. */
export function listDomains(view: StoreView): Domain[] {
  const domids = (view.list("/local/domain") ?? []).filter((name) => /^\d{1,5}$/.test(name)).map(Number);
  return [...new Set([0, ...domids])].sort((a, b) => a - b)
    .map((domid) => ({ domid, name: domainName(view, domid) }));
}

/**
 * The domain that a person means. A decimal number is a domain's number, as for xl; any other text is a name. Throws
 * {@link XsndError} (exit 1) if there is no such domain, or if several have the name.
 */
export function resolveDomain(view: StoreView, nameOrNumber: string): Domain {
  const domains = listDomains(view);
  const found = /^\d+$/.test(nameOrNumber)
    ? domains.filter(({ domid }) => domid === Number(nameOrNumber))
    : domains.filter(({ name }) => name === nameOrNumber);
  const [domain] = found;
  if (domain !== undefined && found.length === 1) return domain;
  if (found.length > 1) {
    const numbers = found.map(({ domid }) => domid).join(", ");
    throw new XsndError(
      `domains ${numbers} are all called ${JSON.stringify(nameOrNumber)}; name one by its number`,
      Exit.failed,
    );
  }
  const known = domains.map(({ domid, name }) => `${name} (${domid})`).join(", ");
  const meant = didYouMean(nameOrNumber, domains.map(({ name }) => name));
  throw new XsndError(
    `there is no domain ${JSON.stringify(nameOrNumber)}${meant}; there are ${known}`,
    Exit.failed,
  );
}
