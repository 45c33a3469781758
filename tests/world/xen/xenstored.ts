// SPDX-License-Identifier: MIT
/** The world's xenstored: the core of the embedded Xen's server, with connections inside of this process, and with faults. */
import type { Domain as StoreDomain, DomainHost } from "../../../lib/xen/embedded/server/domain_table.ts";
import { makeInitialNodes } from "../../../lib/xen/embedded/server/initial_nodes.ts";
import { nodeAt } from "../../../lib/xen/embedded/server/tree.ts";
import { XsError } from "../../../lib/xen/embedded/server/wire.ts";
import { Xenstore } from "../../../lib/xen/embedded/server/xenstore.ts";
import type { Random } from "../machine/random.ts";
import type { Domain } from "./domain.ts";
import type { Hypervisor } from "./hypervisor.ts";
import { type StoreClient, StoreConnection } from "./store_connection.ts";

const decoder = new TextDecoder();

/** µs until the server has heard of a domain's end (VIRQ_DOM_EXC). */
const MOST_NOTICE_MICROS = 100;

/** µs from `least` to `most`. */
export interface Delay {
  least: number;
  most: number;
}

/** What becomes of the request in which xenstored dies. */
export type LostRequest = "done" | "not done";

export class Xenstored implements DomainHost {
  readonly xenstore = new Xenstore(this);
  readonly #connections = new Set<StoreConnection>();
  /** The introduced domains. */
  readonly #introduced = new Map<number, Domain>();
  #isRunning = true;
  /** When the server has hung up on somebody, µs. */
  readonly #hangUpTimes: number[] = [];
  /** When the server has last hung up on each client's owner, µs. */
  readonly #hangUps = new WeakMap<object, number>();
  #death: { requests: number; lost: LostRequest; committer?: object } | undefined;
  /** µs that a request takes. */
  readonly requestMicros: Delay = { least: 5, most: 40 };
  /** µs until a watch's event has reached its client. */
  readonly eventMicros: Delay = { least: 20, most: 400 };
  /** Called with each node that a process reads. */
  onRead: (process: object, path: string) => void = () => {};
  /** Called when a process asks for a domain's path. */
  onPathAsked: (process: object) => void = () => {};
  /** Called when the server is there again, or a domain is introduced. */
  readonly returns = new Set<() => void>();

  /** Knows domain 0, with its nodes. */
  constructor(readonly hypervisor: Hypervisor, private readonly random: Random) {
    makeInitialNodes(this.xenstore.database, []);
    this.introduce(hypervisor.domain(0)!);
    hypervisor.ended.add(() =>
      hypervisor.clock.after(random.between(1, MOST_NOTICE_MICROS), () => this.#releaseEnded())
    );
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  get connections(): readonly StoreConnection[] {
    return [...this.#connections];
  }

  /** When the server has last hung up on somebody, µs. */
  get lastHangUp(): number {
    return this.#hangUpTimes.at(-1) ?? -Infinity;
  }

  /** Whether the server has hung up on somebody between two times, µs. */
  hasHungUp(from: number, to: number): boolean {
    return this.#hangUpTimes.some((time) => from <= time && time <= to);
  }

  /** When the server has last hung up on `owner`, µs. */
  lastHangUpOn(owner: object): number {
    return this.#hangUps.get(owner) ?? -Infinity;
  }

  /** The value of a node, with dom0's rights and without a request; undefined if there is no such node. */
  peek(path: string): string | undefined {
    const node = nodeAt(this.xenstore.database.snapshot.root, path);
    return node && decoder.decode(node.value);
  }

  /** The names of a node's children, as {@link peek}; none if there is no such node. */
  children(path: string): string[] {
    return [...nodeAt(this.xenstore.database.snapshot.root, path)?.children.keys() ?? []];
  }

  /** Connects; undefined while the server is away or does not know the domain. */
  connect(domid: number, client: StoreClient): StoreConnection | undefined {
    if (!this.#isRunning) return undefined;
    this.#releaseEnded(); // before the toolstack makes nodes for a domain of the same id
    if (!this.xenstore.domains.has(domid)) return undefined;
    const connection = new StoreConnection(this.xenstore, this.xenstore.domains.get(domid), client);
    this.#connections.add(connection);
    return connection;
  }

  /** The client hangs up. */
  close(connection: StoreConnection): void {
    if (this.#connections.delete(connection)) connection.close();
  }

  /** The time that a request takes now, µs. */
  requestTime(): number {
    return this.random.between(this.requestMicros.least, this.requestMicros.most);
  }

  /** The time until an event has reached its client, µs. */
  eventTime(): number {
    return this.random.between(this.eventMicros.least, this.eventMicros.most);
  }

  /** Whether, this time, an event or an end comes as fast as can be. */
  isFast(): boolean {
    return this.random.oneIn(4);
  }

  /**
   * Whether the server dies in the request that begins now, and what becomes of the request.
   * @param committer the process, if it commits a transaction
   */
  diesIn(committer?: object): LostRequest | undefined {
    if (this.#death === undefined) return undefined;
    if (this.#death.committer !== undefined && this.#death.committer !== committer) return undefined;
    if (this.#death.requests-- > 0) return undefined;
    const { lost } = this.#death;
    this.#death = undefined;
    return lost;
  }

  #rival: { readonly committer: object; readonly deed: () => void } | undefined;

  /** Has another client do its `deed` just before `committer` commits its next transaction. */
  beforeCommitOf(committer: object, deed: () => void): void {
    this.#rival = { committer, deed };
  }

  /** To be called as `process` is about to commit a transaction. */
  commits(process: object): void {
    if (this.#rival?.committer !== process) return;
    const { deed } = this.#rival;
    this.#rival = undefined;
    deed();
  }

  /** µs after which a server that has died is there again; undefined: it stays away until {@link comeBack}. */
  restartMicros: number | undefined;

  /** Has the server die in the `requests`th request of a process from now. */
  dieAt(requests: number, lost: LostRequest): void {
    this.#death = { requests, lost };
  }

  /** Has the server die as `committer` commits its next transaction, which is done. */
  dieAtCommitOf(committer: object): void {
    this.#death = { requests: 0, lost: "done", committer };
  }

  /** The server dies: all connections break. The nodes stay for {@link comeBack}. */
  die(): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#death = undefined;
    if (this.restartMicros !== undefined) {
      this.hypervisor.clock.after(this.restartMicros, () => this.comeBack());
    }
    for (const connection of this.#connections) this.#hangUp(connection);
  }

  /** The server hangs up on `owner` alone. */
  disconnect(owner: object): void {
    for (const connection of this.#connections) {
      if (connection.client.owner === owner) this.#hangUp(connection);
    }
  }

  /** The server is there again, with the nodes as they were, and without connections, watches and transactions. */
  comeBack(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#releaseEnded();
    for (const tell of [...this.returns]) tell();
  }

  /** INTRODUCE, after the toolstack has made the domain's nodes. */
  introduce(domain: Domain): void {
    if (!this.#isRunning) throw new XsError("EBUSY");
    this.#releaseEnded();
    this.#introduced.set(domain.domid, domain);
    this.xenstore.introduce(domain.domid);
    for (const tell of [...this.returns]) tell();
  }

  /** A domain shuts down, crashes or suspends (VIRQ_DOM_EXC): tells the watchers of `@releaseDomain`, and the domain stays. */
  domainShutDown(): void {
    if (this.#isRunning) this.xenstore.fireSpecial("@releaseDomain");
  }

  /** Releases each domain that is gone, or has left its id. */
  #releaseEnded(): void {
    if (!this.#isRunning) return;
    for (const [domid, domain] of this.#introduced) {
      if (this.hypervisor.domain(domid) === domain) continue;
      this.#introduced.delete(domid);
      this.xenstore.release(domid);
    }
  }

  domainAppeared(_domain: StoreDomain): void {}

  domainGone({ domid }: StoreDomain): void {
    for (const connection of this.#connections) {
      if (connection.subject.domid === domid) this.#hangUp(connection);
    }
  }

  #hangUp(connection: StoreConnection): void {
    const { now } = this.hypervisor.clock;
    if (now !== this.lastHangUp) this.#hangUpTimes.push(now);
    this.#hangUps.set(connection.client.owner, now);
    this.close(connection);
    connection.client.lost();
  }
}
