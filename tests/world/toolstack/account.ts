// SPDX-License-Identifier: MIT
/**
 * The toolstack's own account: which domains and cards there are, and who made each card with what. A command that runs as a process
 * of ours commits at a moment that nobody outside sees. So while the command runs, and after it was killed, each of its cards may be
 * in one of several states. {@link Account.settle} finds out which.
 */
import type { CardAddress } from "../../../lib/xenbus/mod.ts";
import { ABSENT, type CardTarget, targetProblems } from "./card_target.ts";
import type { Nodes } from "./nodes.ts";

/** How far a domain is: its nodes are whole while it is `whole`, and some of them otherwise. */
export type DomainPhase = "making" | "whole" | "going";

export interface AccountedDomain {
  readonly domid: number;
  readonly uuid: string;
  readonly name: string;
  /** All names that the domain has had, {@link name} last. */
  readonly names: readonly DomainName[];
  phase: DomainPhase;
}

export interface DomainName {
  readonly name: string;
  /** Since when, µs. */
  readonly since: number;
}

interface MutableDomain extends AccountedDomain {
  name: string;
  readonly names: DomainName[];
}

/** The names that the domain has had at some time from `since` on. */
export function namesSince({ names }: AccountedDomain, since: number): string[] {
  return names.filter((_, i) => (names[i + 1]?.since ?? Infinity) >= since).map(({ name }) => name);
}

interface Entry {
  readonly address: CardAddress;
  /** The states that the card may be in, apart from those of commands that run. */
  known: Set<CardTarget>;
  /** For each command that runs, the states in which it may leave the card. */
  readonly running: Map<Command, readonly CardTarget[]>;
  mayBeOffline: boolean;
  /** Whether the card's domain has gone without the card: a domain that takes the number does not take the card. */
  isLeft: boolean;
  /** Another number after each commit, and for each command that may write. */
  version: number;
  /** Since when the number is {@link version}, µs. */
  versionSince: number;
  /** When the card was last made, or may have been, µs. */
  since: number;
}

export interface AccountedCard {
  readonly address: CardAddress;
  /** Another number whenever the card may have been made anew. */
  readonly version: number;
  /** Since when the number is {@link version}, µs. */
  readonly versionSince: number;
  /** The card was made at this time or later, µs. */
  readonly since: number;
  /** One state if the card is settled. */
  readonly states: readonly CardTarget[];
  /** Whether a command has asked the backend to close the card, or may have. */
  readonly mayBeOffline: boolean;
  /** Whether the card was made in a domain that was going by then, so that nobody removes the card's last nodes. */
  readonly isOrphan: boolean;
}

export class Account {
  readonly #cards = new Map<string, Entry>();
  #lastVersion = 0;
  readonly #domains = new Map<number, MutableDomain>();
  /** The uuids of domains that are gone. */
  readonly #formerUuids = new Set<string>();
  readonly #namesOf = new Map<number, Set<string>>();
  /** All domains that there were. */
  readonly #formerDomids = new Set<number>();
  /** Cards that one transaction has written, or has not: of a command that was killed. */
  #groups: {
    readonly versions: ReadonlyMap<Entry, number>;
    readonly targets: ReadonlyMap<Entry, CardTarget>;
  }[] = [];

  /**
   * @param changed is called when a domain, or what is known of a card, changes
   * @param now the time, µs
   */
  constructor(
    private readonly changed: () => void = () => {},
    private readonly now: () => number = () => 0,
  ) {}

  get domains(): readonly AccountedDomain[] {
    return [...this.#domains.values()];
  }

  domain(domid: number): AccountedDomain | undefined {
    return this.#domains.get(domid);
  }

  get formerUuids(): ReadonlySet<string> {
    return this.#formerUuids;
  }

  /** The numbers of domains that there were and that are gone. */
  get formerDomids(): readonly number[] {
    return [...this.#formerDomids].filter((domid) => !this.#domains.has(domid));
  }

  domainMade(domid: number, name: string, uuid: string): AccountedDomain {
    const names = [{ name, since: this.now() }];
    const domain: MutableDomain = { domid, name, names, uuid, phase: "making" };
    this.#domains.set(domid, domain);
    this.#named(domid, name);
    this.#leaveCards(domid);
    this.#formerUuids.delete(uuid);
    this.changed();
    return domain;
  }

  #named(domid: number, name: string): void {
    const names = this.#namesOf.get(domid);
    if (names === undefined) this.#namesOf.set(domid, new Set([name]));
    else names.add(name);
  }

  /** All names of domains that have, or have had, this number. */
  namesOf(domid: number): Iterable<string> {
    return this.#namesOf.get(domid) ?? [];
  }

  domainRenamed(domid: number, name: string): void {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return;
    domain.name = name;
    domain.names.push({ name, since: this.now() });
    this.#named(domid, name);
    this.changed();
  }

  /** The domain is destroyed, and no toolstack removes its nodes. */
  domainLost(domid: number): void {
    const domain = this.#domains.get(domid);
    if (domain !== undefined) domain.phase = "going";
    this.#leaveCards(domid);
    this.changed();
  }

  /**
   * All nodes of the domain are removed, and the domain is destroyed.
   * @param leftVm whether the toolstack could not know of the nodes in /vm: another one was about to make them
   */
  domainGone(domid: number, leftVm: boolean): void {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return;
    this.#domains.delete(domid);
    this.#formerDomids.add(domid);
    const isInUse = this.domains.some(({ uuid }) => uuid === domain.uuid);
    if (!leftVm && !isInUse) this.#formerUuids.add(domain.uuid);
    this.#leaveCards(domid);
    this.changed();
  }

  /** The domain of the present cards has gone, or must have gone: another one has its number. */
  #leaveCards(domid: number): void {
    for (const entry of this.#cards.values()) if (entry.address.domid === domid) entry.isLeft = true;
  }

  /** A toolstack has committed `target` for a card, which is in that state now. */
  committed(address: CardAddress, target: CardTarget): void {
    const entry = this.#entry(address);
    this.renew(entry);
    entry.since = this.now();
    entry.known = new Set([target]);
    entry.mayBeOffline = entry.isLeft = false;
    this.changed();
  }

  /** A toolstack has asked the card's backend to close. */
  askedToClose(address: CardAddress): void {
    this.#entry(address).mayBeOffline = true;
  }

  /** Begins to account for a command that runs as a process. */
  command(): Command {
    return new Command(this);
  }

  /** The card, if any state of it is known or possible. */
  card(domid: number, card: number): AccountedCard | undefined {
    const entry = this.#cards.get(`${domid}/${card}`);
    return entry && this.#describe(entry);
  }

  /** All cards that exist, or may exist. */
  get cards(): readonly AccountedCard[] {
    return [...this.#cards.values()].map((entry) => this.#describe(entry))
      .filter(({ states }) => states.some((state) => state.maker !== "nobody"));
  }

  #describe(entry: Entry): AccountedCard {
    const { address, known, running, mayBeOffline, isLeft, version, versionSince, since } = entry;
    const states = [...new Set([...known, ...[...running.values()].flat()])];
    const isOrphan = isLeft || this.#domains.get(address.domid)?.phase !== "whole";
    return { address, version, versionSince, since, states, mayBeOffline, isOrphan };
  }

  #entry(address: CardAddress): Entry {
    const key = `${address.domid}/${address.card}`;
    let entry = this.#cards.get(key);
    if (entry === undefined) {
      entry = {
        address,
        known: new Set([ABSENT]),
        running: new Map(),
        mayBeOffline: false,
        isLeft: false,
        version: ++this.#lastVersion,
        versionSince: this.now(),
        since: this.now(),
      };
      this.#cards.set(key, entry);
    }
    return entry;
  }

  /** For {@link Command}: the command may commit any of `targets` from now on. */
  mayWrite(command: Command, address: CardAddress, targets: readonly CardTarget[]): Entry {
    const entry = this.#entry(address);
    entry.running.set(command, targets);
    this.renew(entry);
    this.changed();
    return entry;
  }

  /** For {@link Command}: the card may have been made anew. */
  renew(entry: Entry): void {
    entry.version = ++this.#lastVersion;
    entry.versionSince = this.now();
  }

  /** For {@link Command}: the command has ended. */
  ended(): void {
    this.changed();
  }

  /** For {@link Command}: the cards that the command has written in one transaction, or has not. */
  addGroup(targets: ReadonlyMap<Entry, CardTarget>): void {
    const versions = new Map([...targets.keys()].map((entry) => [entry, entry.version]));
    if (targets.size > 1) this.#groups.push({ versions, targets });
  }

  /**
   * Compares cards with `nodes`, and forgets the states that they are not in. Returns what fits no state at all, and what one
   * transaction has done by half.
   * @param which `open`: only the cards of which nobody knows the state, and which no command is about to write
   */
  settle(nodes: Nodes, which: "all" | "open" = "all"): string[] {
    const problems: string[] = [];
    let isChanged = false;
    for (const entry of this.#cards.values()) {
      if (which === "open" && (isBusy(entry) || entry.known.size === 1)) continue;
      isChanged = true;
      const { address, states, mayBeOffline, isOrphan } = this.#describe(entry);
      const judged = states.map((state) => ({
        state,
        problems: targetProblems(nodes, address, state, { mayBeOffline, isOrphan }),
      }));
      const fitting = judged.filter(({ problems }) => problems.length === 0).map(({ state }) => state);
      if (fitting.length === 0) problems.push(...judged.at(-1)!.problems);
      if (entry.running.size > 0 || fitting.length === 0) continue;
      entry.known = new Set(fitting);
      if (fitting.every((state) => state === ABSENT)) entry.mayBeOffline = entry.isLeft = false;
    }
    for (const { versions, targets } of this.#groups) {
      // Other commands have written since, if a version has changed.
      if ([...versions].some(([entry, version]) => entry.version !== version)) continue;
      const isOnly = ([entry, target]: [Entry, CardTarget]) =>
        entry.known.has(target) && entry.known.size === 1;
      const isNot = ([entry, target]: [Entry, CardTarget]) => !entry.known.has(target);
      const half = [...targets].find(isOnly);
      if (half !== undefined && [...targets].some(isNot)) {
        const { domid, card } = half[0].address;
        problems.push(`card ${domid}/${card} is written, and another card of its transaction is not`);
      }
    }
    this.#groups = this.#groups.filter(({ targets }) => [...targets.keys()].some(isBusy));
    for (const [key, entry] of this.#cards) if (isForgettable(entry)) this.#cards.delete(key);
    if (isChanged) this.changed();
    return problems;
  }
}

const isBusy = ({ running }: Entry) => running.size > 0;

const isForgettable = (entry: Entry) => !isBusy(entry) && entry.known.size === 1 && entry.known.has(ABSENT);

/** A command that runs as a process, such as `xsnd provision`. */
export class Command {
  /** For each card the states in which the command may leave the card; the last one is that of its success. */
  readonly #targets = new Map<Entry, readonly CardTarget[]>();
  readonly #versions = new Map<Entry, number>();

  constructor(private readonly account: Account) {}

  /**
   * The command begins its transaction once more, and may choose other cards.
   * @param mayHaveWritten whether the command may have written the cards that it chose before
   */
  again(mayHaveWritten: boolean): void {
    for (const [entry, targets] of this.#targets) {
      if (mayHaveWritten) { for (const target of targets) entry.known.add(target); }
      entry.running.delete(this);
    }
    this.#targets.clear();
    this.#versions.clear();
  }

  /** The command may commit any of `targets` from now on, and ends with the last one. Former targets of the card are given up. */
  mayWrite(address: CardAddress, ...targets: readonly CardTarget[]): void {
    const entry = this.account.mayWrite(this, address, targets);
    this.#targets.set(entry, targets);
    this.#versions.set(entry, entry.version);
  }

  /** The command may ask the card's backend to close from now on. */
  mayClose(address: CardAddress): void {
    this.account.askedToClose(address);
  }

  /** The command has committed. A card that another command has written meanwhile is in the state of either. */
  done(): void {
    for (const [entry, targets] of this.#targets) {
      const target = targets.at(-1)!;
      const isAlone = entry.version === this.#versions.get(entry) && entry.running.size === 1;
      this.account.renew(entry);
      if (isAlone) {
        entry.known = new Set([target]);
        entry.mayBeOffline = entry.isLeft = false;
      } else entry.known.add(target);
    }
    this.#end();
  }

  /** The command has ended without a commit. */
  refused(): void {
    this.#end();
  }

  /** The command was killed, or has failed, before or after its commit. `isOne`: all cards are in one transaction. */
  unknown(isOne: boolean): void {
    // A card that somebody else has written meanwhile says nothing about this command.
    const isAlone = [...this.#versions].every(([entry, version]) => entry.version === version);
    for (const [entry, targets] of this.#targets) {
      this.account.renew(entry);
      for (const target of targets) entry.known.add(target);
    }
    if (isOne && isAlone) {
      this.account.addGroup(new Map([...this.#targets].map(([entry, targets]) => [entry, targets.at(-1)!])));
    }
    this.#end();
  }

  #end(): void {
    for (const entry of this.#targets.keys()) entry.running.delete(this);
    this.#targets.clear();
    this.account.ended();
  }
}
