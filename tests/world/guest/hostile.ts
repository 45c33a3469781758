// SPDX-License-Identifier: MIT
/**
 * A guest that does not behave. It connects its card as a driver does, or does not, and each {@link HostileGuest.step} is one
 * attack of {@link ATTACKS}, by what a Random says. What XenStore refuses is no matter to the guest.
 */
import { BOOTED } from "./linux_kernel.ts";
import { XenbusState } from "../../../lib/xenbus/mod.ts";
import { Random } from "../machine/random.ts";
import { type GuestDomain, GuestStoreError } from "../xen/guest_domain.ts";
import { type Attack, type AttackName, ATTACKS, TRANSPORT } from "./attacks.ts";
import { LONG_ATTACKS, type LongAttackName } from "./long_attacks.ts";
import { RawStream } from "./raw_stream.ts";

export interface HostileOptions {
  /** Grant references of other guests', as somebody could guess them. */
  readonly foreignGrefs?: () => readonly number[];
  readonly log?: (text: string) => void;
  /** Called as an attack begins to ask for `operation` without end; the result is called with the number of each answers. */
  readonly meter?: (operation: number) => (answers: number) => void;
}

/** One attack of so many is a long one. */
const LONG = 6;
/** µs in which the backend connects a guest that starts over, and in which a long attack is over. */
const [CONNECTING_MICROS, LONG_MICROS] = [700_000, 2_500_000];

export class HostileGuest {
  readonly streams: RawStream[] = [];
  /** Whether the guest takes part in the hand-shake. */
  isFollowing = true;
  /** What XenStore, or the want of memory, has refused. */
  refused = 0;
  /** Requests that were put on rings. */
  puts = 0;
  /** Whether a long attack goes on: it has the guest for itself. */
  isBusy = false;
  /** How often each attack was made. */
  readonly made = new Map<string, number>();
  #backendDomid = 0;
  #endWatch: (() => void) | undefined;
  #watched: string | undefined;

  constructor(
    readonly domain: GuestDomain,
    readonly nodename: string,
    private readonly options: HostileOptions = {},
  ) {}

  /** Waits for the card, and for its backend. */
  start(): void {
    this.try(() => this.domain.store.write(BOOTED, "1"));
    this.try(() => this.domain.store.watch(this.nodename, () => this.#cardChanged()));
  }

  /** Calls `body`; what is refused is counted. */
  try<T>(body: () => T): T | undefined {
    try {
      return body();
    } catch (error) {
      // share() and bindUnbound() throw plain errors for want of memory.
      const isRefused = error instanceof GuestStoreError || (error as Error).constructor === Error;
      if (!isRefused) throw error;
      this.refused++;
      return undefined;
    }
  }

  write(path: string, value: string): void {
    this.try(() => this.domain.store.write(`${this.nodename}/${path}`, value));
  }

  #cardChanged(): void {
    const { store } = this.domain;
    const backend = this.try(() => store.read(`${this.nodename}/backend`));
    if (backend === undefined || backend === this.#watched || !backend.startsWith("/local/domain/")) return;
    this.#watched = backend;
    this.#backendDomid = Number(this.try(() => store.read(`${this.nodename}/backend-id`)) ?? 0) || 0;
    this.#endWatch?.();
    this.#endWatch = this.try(() => store.watch(`${backend}/state`, () => this.#backendChanged()));
  }

  #backendChanged(): void {
    if (!this.isFollowing || this.#watched === undefined) return;
    const state = this.try(() => this.domain.store.read(`${this.#watched}/state`));
    if (state === String(XenbusState.InitWait)) this.connect();
    else if (state === String(XenbusState.Connected)) this.write("state", String(XenbusState.Connected));
  }

  /** Makes pages and ports for each stream of the card, publishes them, and says Initialised. */
  connect(): void {
    this.end();
    for (const pcm of this.#children(this.nodename)) {
      for (const stream of this.#children(`${this.nodename}/${pcm}`)) {
        const made = this.try(() =>
          new RawStream(this.domain, `${pcm}/${stream}`, this.#backendDomid, () => void this.puts++)
        );
        if (made !== undefined) this.streams.push(made);
      }
    }
    for (const stream of this.streams) this.publish(stream);
    this.write("state", String(XenbusState.Initialised));
  }

  #children(path: string): string[] {
    const names = this.try(() => this.domain.store.list(path)) ?? [];
    return names.filter((name) => /^\d$/.test(name)).slice(0, 8);
  }

  publish({ place, ring, events, ports }: RawStream): void {
    const values = [ring.grefs[0], ports[0], events.grefs[0], ports[1]];
    TRANSPORT.forEach((node, index) => this.write(`${place}/${node}`, String(values[index])));
  }

  /** Gives all pages and ports back. */
  end(): void {
    for (const stream of this.streams) stream.end();
    this.streams.length = 0;
  }

  /** Makes one attack. */
  step(random: Random): void {
    if (this.isBusy) return;
    if (random.oneIn(LONG)) return this.#prepare(random);
    const [name, attack] = random.pick(ATTACKS);
    this.#attack(name, attack, random);
  }

  /** Makes the attack called `name`. */
  make(name: AttackName | LongAttackName, random: Random): void {
    const [, attack] = [...ATTACKS, ...LONG_ATTACKS].find(([known]) => known === name)!;
    this.#attack(name, attack, random);
  }

  /** A long attack is for naught on a stream that the backend has given up: the guest starts over. */
  #prepare(random: Random): void {
    const [name, attack] = random.pick(LONG_ATTACKS);
    const own = new Random(random.word());
    this.isBusy = this.isFollowing = true;
    this.connect();
    this.domain.after(CONNECTING_MICROS, () => this.#attack(name, attack, own));
    this.domain.after(LONG_MICROS, () => this.isBusy = false);
  }

  #attack(name: string, attack: Attack, random: Random): void {
    this.made.set(name, (this.made.get(name) ?? 0) + 1);
    this.options.log?.(`hostile ${name}`);
    const stream = this.streams.length === 0 ? undefined : random.pick(this.streams);
    // Attacks that go on use chance of their own.
    attack(this, stream, new Random(random.word()));
  }

  get backendDomid(): number {
    return this.#backendDomid;
  }

  meter(operation: number): (answers: number) => void {
    return this.options.meter?.(operation) ?? (() => {});
  }

  foreignGref(random: Random): number {
    const foreign = this.options.foreignGrefs?.() ?? [];
    return foreign.length > 0 ? random.pick(foreign) : random.below(64);
  }

  /** Calls `body` `times` times, `micros` µs apart. */
  storm(times: number, micros: number, body: () => void): void {
    const next = (left: number) => {
      if (left === 0) return;
      body();
      this.domain.after(micros, () => next(left - 1));
    };
    next(times);
  }
}
