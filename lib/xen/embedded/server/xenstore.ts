// SPDX-License-Identifier: MIT
/** The whole state of a XenStore server: nodes, watches, domains and clients. Knows neither sockets nor files. */
import type { Permission } from "../../ports.ts";
import { Database, type Transaction } from "./database.ts";
import { type DomainHost, Domains } from "./domain_table.ts";
import type { Subject } from "./permissions.ts";
import type { Change } from "./view.ts";
import { Watches } from "./watches.ts";

export type SpecialEvent = "@introduceDomain" | "@releaseDomain";

/** A connection, as the store sees it. */
export interface XenstoreClient {
  readonly subject: Subject;
  readonly transactions: ReadonlyMap<number, Transaction>;
  /** Makes the connection as good as new. */
  reset(): void;
}

export class Xenstore {
  readonly database = new Database();
  readonly watches = new Watches();
  readonly clients = new Set<XenstoreClient>();
  readonly domains: Domains;
  /** The access lists of the special events. At first only dom0 may watch them. */
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

  /** INTRODUCE: lets a domain connect, or resets its connections. The toolstack makes the domain's nodes. */
  introduce(domid: number): void {
    if (this.domains.introduce(domid)) this.fireSpecial("@introduceDomain");
    else for (const client of this.clientsOf(domid)) client.reset();
  }

  /** RELEASE: disconnects a domain. Its nodes become dom0's, and the toolstack removes them. */
  release(domid: number): void {
    this.domains.release(domid);
    this.database.run((view) => view.disinherit(domid));
    this.fireSpecial("@releaseDomain");
  }
}
