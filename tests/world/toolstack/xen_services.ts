// SPDX-License-Identifier: MIT
/** The toolstack's services over the world's Xen: dom0's connections to xenstored, and the domain controls. */
import { XsError } from "../../../lib/xen/embedded/server/wire.ts";
import { StoreError } from "../../../lib/xen/ports.ts";
import type { Clock } from "../machine/clock.ts";
import { ConnectionView, type Refusal } from "../xen/connection_view.ts";
import type { Domain } from "../xen/domain.ts";
import type { XenMachine } from "../xen/machine.ts";
import type { StoreClient, StoreConnection } from "../xen/store_connection.ts";
import type { Xenstored } from "../xen/xenstored.ts";
import {
  ControlError,
  type Dom0Store,
  type Dom0Transaction,
  type DomainInfo,
  type Guests,
  type Hypervisor,
  type Services,
  type ShutdownReason,
} from "./services.ts";

/** What the world does with the memory of domains. */
export interface GuestBuilder {
  /** Puts a kernel that has not run yet into a new, paused domain. */
  build(domain: Domain, name: string): void;
  /** A saved domain is back, under another number and still paused: its kernel goes on when the domain is unpaused. */
  loaded(domain: Domain): void;
  /** A suspended domain goes on where it is. */
  resumed(domain: Domain): void;
}

const refusal: Refusal = (code, verb, path) => new StoreError(verb, path, code);

class Transaction extends ConnectionView implements Dom0Transaction {
  constructor(
    private readonly store: XenDom0Store,
    private readonly begun: StoreConnection,
    private readonly number: number,
  ) {
    super(number, refusal);
  }

  connection(): StoreConnection {
    if (!this.store.has(this.begun)) throw new StoreError("go on with a transaction in", "/", "EPIPE");
    return this.begun;
  }

  commit(): boolean {
    try {
      this.connection().endTransaction(this.number, true);
      return true;
    } catch (error) {
      if (!(error instanceof XsError)) throw error;
      if (error.code === "EAGAIN") return false;
      throw new StoreError("commit a transaction to", "/", error.code);
    }
  }

  abort(): void {
    if (this.store.has(this.begun)) this.begun.endTransaction(this.number, false);
  }
}

/** The connection of a program in dom0, which connects again at the next call when xenstored was away. */
export class XenDom0Store extends ConnectionView implements Dom0Store, StoreClient {
  readonly owner = this;
  #connection: StoreConnection | undefined;
  readonly #watches = new Map<string, () => void>();
  #lastToken = 0;

  constructor(private readonly clock: Clock, private readonly xenstored: Xenstored) {
    super(0, refusal);
  }

  connection(): StoreConnection {
    this.#connection ??= this.xenstored.connect(0, this);
    if (this.#connection === undefined) throw new StoreError("reach", "/", "ECONNREFUSED");
    return this.#connection;
  }

  has(connection: StoreConnection): boolean {
    return this.#connection === connection;
  }

  begin(): Transaction {
    const connection = this.connection();
    return new Transaction(this, connection, connection.beginTransaction());
  }

  watch(path: string, changed: () => void): () => void {
    const token = `t${++this.#lastToken}`;
    const connection = this.connection();
    this.#watches.set(token, changed);
    connection.watch(path, token);
    return () => {
      if (this.#watches.delete(token) && this.has(connection)) connection.unwatch(path, token);
    };
  }

  introduce(domid: number): void {
    const domain = this.xenstored.hypervisor.domain(domid);
    if (domain === undefined || !this.xenstored.isRunning) throw new StoreError("introduce", "/", "EINVAL");
    this.xenstored.introduce(domain);
  }

  event(_path: string, token: string): void {
    this.clock.after(this.xenstored.eventTime(), () => this.#watches.get(token)?.());
  }

  lost(): void {
    this.#connection = undefined;
    this.#watches.clear();
  }
}

/** The domain controls. A domain that shuts down stays, paused, until the toolstack destroys it. */
export class XenControls implements Hypervisor, Guests<Domain> {
  readonly #shutdowns = new Map<Domain, ShutdownReason>();
  /** Domains whose memory is in a file. */
  readonly #saved = new Set<Domain>();

  constructor(private readonly xen: XenMachine, private readonly guests: GuestBuilder) {}

  #domain(domid: number): Domain {
    const domain = this.xen.hypervisor.domain(domid);
    if (domain === undefined) throw new ControlError(`there is no domain ${domid}`);
    return domain;
  }

  /** A kernel shuts its domain down (SCHEDOP_shutdown). */
  shutsDown(domain: Domain, reason: ShutdownReason): void {
    if (!domain.isAlive || this.#shutdowns.has(domain)) return;
    domain.pause();
    this.#shutdowns.set(domain, reason);
    this.xen.xenstored.domainShutDown();
  }

  createDomain(wanted?: number): number {
    const { hypervisor } = this.xen;
    if (wanted !== undefined && hypervisor.domain(wanted) !== undefined) {
      throw new ControlError(`domain ${wanted} exists`);
    }
    if (wanted === undefined && !hypervisor.hasFreeDomid) throw new ControlError("no domain id is free");
    const domain = hypervisor.create(wanted === undefined ? {} : { domid: wanted });
    domain.pause();
    return domain.domid;
  }

  pauseDomain(domid: number): void {
    this.#domain(domid).pause();
  }

  unpauseDomain(domid: number): void {
    const domain = this.#domain(domid);
    if (!this.#shutdowns.has(domain)) domain.unpause();
  }

  resumeDomain(domid: number): void {
    const domain = this.#domain(domid);
    if (this.#shutdowns.get(domain) !== "suspend") return;
    this.#shutdowns.delete(domain);
    this.#saved.delete(domain);
    domain.unpause();
    this.guests.resumed(domain);
  }

  destroyDomain(domid: number): void {
    const domain = this.#domain(domid);
    this.#shutdowns.delete(domain);
    // What a file has goes on some day: such a domain leaves its number, and ends otherwise.
    if (this.#saved.has(domain)) this.xen.hypervisor.save(domain);
    else this.xen.hypervisor.destroy(domain);
  }

  domainInfo(domid: number): DomainInfo | undefined {
    const domain = this.xen.hypervisor.domain(domid);
    return domain &&
      { isPaused: domain.isPaused, isDying: false, shutdown: this.#shutdowns.get(domain) };
  }

  build(domid: number, name: string): void {
    this.guests.build(this.#domain(domid), name);
  }

  save(domid: number): Domain {
    const domain = this.#domain(domid);
    this.#saved.add(domain);
    return domain;
  }

  load(domid: number, saved: Domain): void {
    const { hypervisor } = this.xen;
    if (!this.#saved.delete(saved)) throw new ControlError("the memory in the file has gone on already");
    if (hypervisor.domain(saved.domid) === saved) this.#leaveShell(saved);
    hypervisor.destroy(this.#domain(domid));
    hypervisor.restore(saved, domid);
    this.guests.loaded(saved);
  }

  /** The domain that is copied on its own host loses its memory to the copy: a shell without a kernel keeps the number. */
  #leaveShell(source: Domain): void {
    const { hypervisor } = this.xen;
    const { domid } = source;
    hypervisor.save(source);
    const shell = hypervisor.create({ domid });
    shell.pause();
    this.#shutdowns.delete(source);
    this.#shutdowns.set(shell, "suspend");
  }
}

export function xenServices(
  xen: XenMachine,
  guests: GuestBuilder,
  log: (line: string) => void,
): Services & { readonly controls: XenControls } {
  const controls = new XenControls(xen, guests);
  const store = new XenDom0Store(xen.clock, xen.xenstored);
  return { clock: xen.clock, store, hypervisor: controls, guests: controls as Guests, controls, log };
}
