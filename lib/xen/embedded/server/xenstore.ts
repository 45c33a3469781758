// SPDX-License-Identifier: MIT
/** The store as a whole: nodes, watches, domains and the clients they come by; no sockets, no files. */
import type { Permission } from "../../ports.ts";
import { Database, type Transaction } from "./database.ts";
import { type DomainHost, Domains } from "./domain_table.ts";
import type { Subject } from "./permissions.ts";
import type { Change } from "./view.ts";
import { Watches } from "./watches.ts";

export type SpecialEvent = "@introduceDomain" | "@releaseDomain";

/** What the store needs of a connection to it. */
export interface XenstoreClient {
  readonly subject: Subject;
  readonly transactions: ReadonlyMap<number, Transaction>;
  /** As if the connection were new. */
  reset(): void;
}

export class Xenstore {
  readonly database = new Database();
  readonly watches = new Watches();
  readonly clients = new Set<XenstoreClient>();
  readonly domains: Domains;
  /** Who is told of the special events: dom0 alone, until dom0 says otherwise. */
  readonly specials = new Map<string, readonly Permission[]>([
    ["@introduceDomain", [{ domid: 0, access: "none" }]],
    ["@releaseDomain", [{ domid: 0, access: "none" }]],
  ]);

  constructor(host: DomainHost) {
    this.domains = new Domains(host);
  }

  clientsOf(domid: number): XenstoreClient[] {
    return [...this.clients].filter(({ subject }) => subject.domid === domid);
  }

  fire(changes: readonly Change[]): void {
    for (const change of changes) this.watches.fire(change);
  }

  fireSpecial(event: SpecialEvent): void {
    this.watches.fire({ path: event, exact: true, permissions: [this.specials.get(event)!] });
  }

  /** INTRODUCE: lets a domain connect, or has its connections begin anew. Its nodes are the toolstack's to make. */
  introduce(domid: number): void {
    if (this.domains.introduce(domid)) this.fireSpecial("@introduceDomain");
    else for (const client of this.clientsOf(domid)) client.reset();
  }

  /** RELEASE: cuts a domain off. Its nodes stay, as dom0's, for the toolstack to clear away. */
  release(domid: number): void {
    this.domains.release(domid);
    this.database.run((view) => view.disinherit(domid));
    this.fireSpecial("@releaseDomain");
  }
}
