// SPDX-License-Identifier: MIT
/** Domains by name and by number, as `/local/domain` lists them. */
import { Exit, XsndError } from "../base/error.ts";
import { didYouMean } from "../base/suggest.ts";
import { StoreError, type StoreView } from "../xen/ports.ts";

export interface Domain {
  readonly domid: number;
  /** The number again if XenStore has no name for it. */
  readonly name: string;
}

const DOMAIN_0: Domain = { domid: 0, name: "Domain-0" };

/**
 * The domain's name in XenStore; domain 0 is Domain-0 even where nobody wrote it down. A driver domain may not read others'
 * names: to it they are their numbers.
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

/** All domains, by number. Domain 0 is always one of them. */
export function listDomains(view: StoreView): Domain[] {
  const domids = (view.list("/local/domain") ?? []).filter((name) => /^\d{1,5}$/.test(name)).map(Number);
  return [...new Set([0, ...domids])].sort((a, b) => a - b)
    .map((domid) => ({ domid, name: domainName(view, domid) }));
}

/**
 * The domain that the user means: a number is taken as one (as xl does), anything else is a name.
 * Throws {@link XsndError} (exit 1) if there is none, or if several have that name.
 */
export function resolveDomain(view: StoreView, nameOrNumber: string): Domain {
  const domains = listDomains(view);
  const found = /^\d+$/.test(nameOrNumber)
    ? domains.filter(({ domid }) => domid === Number(nameOrNumber))
    : domains.filter(({ name }) => name === nameOrNumber);
  if (found.length === 1) return found[0];
  if (found.length > 1) {
    const numbers = found.map(({ domid }) => domid).join(", ");
    throw new XsndError(
      `domains ${numbers} are all called ${JSON.stringify(nameOrNumber)}; say which one by its number`,
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
