// SPDX-License-Identifier: MIT
/** How much of Xen a process has, or a domain: for invariants that bound it, or want it back where it was. */
import type { Process } from "../machine/process.ts";
import type { Domain } from "./domain.ts";
import { portsOf } from "./libxenevtchn.ts";
import { mappingsOf } from "./libxengnttab.ts";
import type { XenMachine } from "./machine.ts";
import type { Xenstored } from "./xenstored.ts";

export interface StoreCounters {
  readonly connections: number;
  readonly watches: number;
  readonly transactions: number;
}

export interface ProcessCounters extends StoreCounters {
  /** Mappings of foreign pages, and their pages. */
  readonly mappings: number;
  readonly pages: number;
  readonly ports: number;
}

export interface DomainCounters extends StoreCounters {
  /** Grants, also those that end with their last mapping. */
  readonly grants: number;
  /** Frames of memory in use. */
  readonly frames: number;
  /** Ports of the kernel and of all processes. */
  readonly ports: number;
}

function storeCounters(xenstored: Xenstored, owner: object): StoreCounters {
  const counters = { connections: 0, watches: 0, transactions: 0 };
  for (const { client, watches, transactions } of xenstored.connections) {
    if (client.owner !== owner) continue;
    counters.connections++;
    counters.watches += watches;
    counters.transactions += transactions.size;
  }
  return counters;
}

export function processCounters({ xenstored }: XenMachine, process: Process): ProcessCounters {
  return { ...storeCounters(xenstored, process), ...mappingsOf(process), ports: portsOf(process) };
}

/** The store's counters are of the domain's kernel alone. */
export function domainCounters({ xenstored }: XenMachine, domain: Domain): DomainCounters {
  return {
    ...storeCounters(xenstored, domain),
    grants: domain.grants.size,
    frames: domain.ram.used,
    ports: domain.ports.count,
  };
}
