// SPDX-License-Identifier: MIT
/**
 * What xl does to the hypervisor and to XenStore when it creates, renames and destroys a domain (libxl_create.c, libxl_domain.c), each
 * in one go. All throw {@link GuestStoreError} EPIPE, and do nothing, while xenstored is away.
 */
import { makeGuestNodes } from "../../../lib/xen/embedded/server/initial_nodes.ts";
import { domainPath } from "../../../lib/xen/embedded/server/store_paths.ts";
import { XsError } from "../../../lib/xen/embedded/server/wire.ts";
import type { Domain } from "./domain.ts";
import { GuestStoreError } from "./guest_domain.ts";
import type { CreateOptions } from "./hypervisor.ts";
import type { XenMachine } from "./machine.ts";
import type { StoreConnection } from "./store_connection.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Runs `body` with dom0's rights, on a connection of its own. */
export function asToolstack<T>({ xenstored }: XenMachine, body: (store: StoreConnection) => T): T {
  const store = xenstored.connect(0, { owner: xenstored, event: () => {}, lost: () => {} });
  if (store === undefined) throw new GuestStoreError("EPIPE", "reach", "XenStore");
  try {
    return body(store);
  } finally {
    xenstored.close(store);
  }
}

/** Runs `body` in a transaction, which nobody else's request interrupts. */
function inTransaction(store: StoreConnection, body: (t: number) => void): void {
  const t = store.beginTransaction();
  body(t);
  store.endTransaction(t, true);
}

function read(store: StoreConnection, path: string): string | undefined {
  try {
    return decoder.decode(store.read(0, path));
  } catch (error) {
    if (error instanceof XsError && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Makes the nodes of domain `domid`, in one transaction, and lets the domain connect. */
function makeNodes(xen: XenMachine, store: StoreConnection, domain: Domain, name: string): void {
  inTransaction(store, (t) => {
    const transaction = store.transactions.get(t)!;
    const database = {
      run: <T>(body: Parameters<typeof transaction.run<T>>[0]) => ({
        result: transaction.run(body),
        changes: [],
      }),
    };
    makeGuestNodes(database, domain.domid, name);
  });
  xen.xenstored.introduce(domain);
}

/** `xl create`: a domain with its nodes, which XenStore knows. */
export function makeDomain(xen: XenMachine, options: CreateOptions & { readonly name: string }): Domain {
  return asToolstack(xen, (store) => {
    const domain = xen.hypervisor.create(options);
    makeNodes(xen, store, domain, options.name);
    return domain;
  });
}

/** Removes the nodes of domain `domid`, as libxl__destroy_domid does in the end. */
export function removeNodes(xen: XenMachine, domid: number): void {
  asToolstack(xen, (store) => {
    const vm = read(store, `${domainPath(domid)}/vm`);
    for (const path of [vm, domainPath(domid), `/libxl/${domid}`]) {
      if (path !== undefined) store.remove(0, path);
    }
  });
}

/** `xl destroy`: the domain's end, and then its nodes'. The backends' nodes are for the caller to remove before. */
export function destroyDomain(xen: XenMachine, domain: Domain): void {
  const { domid } = domain;
  asToolstack(xen, () => xen.hypervisor.destroy(domain));
  removeNodes(xen, domid);
}

/** `xl save`, in its end: the domain leaves its id, and its nodes go. */
export function saveDomain(xen: XenMachine, domain: Domain): void {
  const { domid } = domain;
  asToolstack(xen, () => xen.hypervisor.save(domain));
  removeNodes(xen, domid);
}

/** `xl restore`: a saved domain under another id, with new nodes, paused. */
export function restoreDomain(xen: XenMachine, domain: Domain, name: string, domid?: number): void {
  asToolstack(xen, (store) => {
    xen.hypervisor.restore(domain, domid);
    makeNodes(xen, store, domain, name);
  });
}

/** `xl rename`. */
export function renameDomain(xen: XenMachine, domid: number, name: string): void {
  asToolstack(xen, (store) =>
    inTransaction(store, (t) => {
      const vm = read(store, `${domainPath(domid)}/vm`);
      for (const path of [domainPath(domid), vm]) {
        if (path !== undefined) store.write(t, `${path}/name`, encoder.encode(name));
      }
    }));
}
