// SPDX-License-Identifier: MIT
/**
 * Judges the operators' settings of a whole world: those that XenStore keeps, at every look, and those that the daemon reports. Only
 * the settings of a card that stays the same card are known; those of a card that may have been made again are taken as they are.
 */
import { cardPaths } from "../../../lib/xenbus/mod.ts";
import { HOLDS } from "../../../lib/stream/stream_state.ts";
import type { Clock } from "../machine/clock.ts";
import { FIELDS, InForce, type Patience, type Settings, streamKey, UNTOUCHED } from "./in_force.ts";
import type { Asked, Observation } from "./record.ts";

/** The daemon has written a stream's settings again so long after XenStore has died, µs. */
const DOUBT_MICROS = 8_000_000;

/** XenStore, without a request. */
export interface Peek {
  peek(path: string): string | undefined;
  children(path: string): readonly string[];
}

/** A node of a stream's settings. */
const OPERATOR_NODE = /^\/local\/domain\/0\/backend\/vsnd\/(\d+\/\d+)\/operator\/(\d+\/\d+)\//;

/** A card that is there. */
export interface KnownCard {
  readonly domid: number;
  readonly card: number;
  /** Another object, or another number of objects, means that the card may be another one than at the last look. */
  readonly identity: readonly unknown[];
  /** The names that domains of this number have, or have had: a daemon keeps the name that a domain had as it began with the card. */
  readonly names: Iterable<string>;
}

export interface OracleWorld {
  readonly clock: Clock;
  asked(): readonly Asked[];
  readonly store: Peek;
  /** Cards that exist, or may exist. */
  cards(): readonly KnownCard[];
  /** Whether a daemon has ended between two times, µs. */
  hasEnded?(from: number, to: number): boolean;
  /** Whether a daemon may have lost XenStore between two times, µs. */
  wasStoreLost?(from: number, to: number): boolean;
}

interface Card extends Omit<KnownCard, "names"> {
  /** The names that the card's domain may have, or its number. */
  readonly names: Set<string>;
  /** Since when the card is this one, µs. */
  readonly since: number;
  /** Its streams, as `PCM/STREAM`. */
  readonly places: Set<string>;
}

/** Settings that XenStore has kept for a while. */
export interface SteadySettings {
  readonly settings: Settings;
  /** When a look first found them, µs. */
  readonly since: number;
}

export class SettingsOracle {
  readonly #inForce: InForce;
  readonly #steady = new Map<string, SteadySettings>();
  /** By `DOMID/CARD`. */
  #cards = new Map<string, Card>();
  readonly #sights: Observation[] = [];
  /** The last refusal of each stream that has been judged, µs. */
  readonly #resolved = new Map<string, number>();

  constructor(private readonly world: OracleWorld, private readonly patience: Patience) {
    const namesOf = (stream: string) => this.#namesOf(stream);
    const wasStoreLost = (from: number, to: number) => world.wasStoreLost?.(from, to) ?? false;
    this.#inForce = new InForce(world.clock, () => world.asked(), patience, namesOf, wasStoreLost);
  }

  /** To be told what each command is told of all streams. */
  readonly sees = (observation: Observation): void => void this.#sights.push(observation);

  /** Looks at the world as it is now: the first problem. To be called after each event, as settings are right or wrong by then. */
  look(): string | undefined {
    this.#followCards();
    const { now } = this.world.clock;
    for (const observation of this.#sights.splice(0)) {
      const problem = this.#judge(observation);
      if (problem !== undefined) return `the daemon reports: ${problem}`;
    }
    for (const card of this.#cards.values()) {
      for (const [place, settings] of this.#kept(card)) {
        const stream = `${card.domid}/${card.card}/${place}`;
        if (this.#isDoubtful(stream)) continue;
        this.#note(stream, settings, card);
        const problem = this.#inForce.complaint(stream, settings, now);
        if (problem !== undefined) return `XenStore keeps: ${problem}`;
      }
    }
    return this.#inForce.belatedComplaint();
  }

  /** To be told of each node that changes: settings that change, and change back, are not steady. */
  nodeChanged(path: string): void {
    const [, card, place] = OPERATOR_NODE.exec(path) ?? [];
    if (card !== undefined) this.#steady.delete(`${card}/${place}`);
  }

  /** What XenStore keeps of the stream, and since when; undefined if the last look has found something else, or no such stream. */
  steady(domid: number, card: number, place: string): SteadySettings | undefined {
    const known = this.#cards.get(`${domid}/${card}`);
    const steady = this.#steady.get(`${domid}/${card}/${place}`);
    if (known === undefined || steady === undefined) return undefined;
    return areSame(steady.settings, this.#keptAt(known, place)) ? steady : undefined;
  }

  /** Whether no request may have changed the stream's settings for a moment at the time `at`. */
  isSettled(domid: number, card: number, place: string, at: number): boolean {
    const stream = `${domid}/${card}/${place}`;
    return FIELDS.every((field) => this.#inForce.allowed(stream, field, at)?.size === 1);
  }

  /**
   * Whether XenStore may keep a setting that it was to keep as it died. The daemon writes the former one again; nobody knows what the
   * next daemon finds if that one ends before.
   */
  #isDoubtful(stream: string): boolean {
    const { clock: { now }, hasEnded = () => false } = this.world;
    const doubt = this.#inForce.doubt(stream, this.#resolved.get(stream) ?? -Infinity);
    if (doubt === undefined) return false;
    const until = doubt.to + DOUBT_MICROS;
    this.#inForce.forgetSeen(stream, doubt.from);
    if (now < until) return true;
    this.#resolved.set(stream, doubt.to);
    if (hasEnded(doubt.from, until)) this.#inForce.reset(stream, now, "unknown");
    return false;
  }

  #note(stream: string, settings: Settings, card: Card): void {
    const before = this.#steady.get(stream);
    const isSame = before !== undefined && before.since >= card.since && areSame(before.settings, settings);
    if (!isSame) this.#steady.set(stream, { settings, since: this.world.clock.now });
  }

  #judge({ report, from, to }: Observation): string | undefined {
    for (const stream of report.streams) {
      const key = streamKey(stream);
      const card = this.#cards.get(cardOf(key));
      // The report may be of a former card: the daemon takes a while to learn of another one.
      if (card === undefined || card.since + this.patience.grace >= from || this.#isDoubtful(key)) continue;
      // A card that is being removed may have lost its frontend's nodes.
      card.places.add(key.slice(cardOf(key).length + 1));
      const problem = this.#inForce.complaint(key, stream, from, to);
      if (problem !== undefined) return problem;
    }
  }

  #followCards(): void {
    const { clock, store } = this.world;
    const former = this.#cards;
    this.#cards = new Map();
    for (const { domid, card, identity, names: known } of this.world.cards()) {
      const key = `${domid}/${card}`;
      const before = former.get(key);
      const isSame = before !== undefined && before.identity.length === identity.length &&
        before.identity.every((one, i) => one === identity[i]);
      const names = before?.names ?? new Set([String(domid)]);
      for (const name of known) names.add(name);
      const now = isSame
        ? before
        : { domid, card, identity, names, since: clock.now, places: new Set<string>() };
      for (const place of placesOf(store, now)) now.places.add(place);
      this.#cards.set(key, now);
      if (!isSame) this.#forget(now);
    }
    for (const [key, card] of former) if (this.#cards.get(key) !== card) this.#forget(card);
  }

  /** Nobody knows the settings of the card's streams from now on. */
  #forget({ domid, card, places }: Card): void {
    for (const place of places) {
      this.#inForce.reset(`${domid}/${card}/${place}`, this.world.clock.now, "unknown");
    }
  }

  *#namesOf(stream: string): Generator<string> {
    const card = this.#cards.get(cardOf(stream));
    const rest = stream.slice(stream.indexOf("/"));
    for (const name of card?.names ?? []) yield name + rest;
  }

  /** The settings that XenStore keeps of the card's streams. */
  *#kept(card: Card): Generator<readonly [place: string, settings: Settings]> {
    for (const place of placesOf(this.world.store, card)) yield [place, this.#keptAt(card, place)];
  }

  #keptAt(card: Card, place: string): Settings {
    const { store } = this.world;
    const path = `${backendOf(card)}/operator/${place}`;
    const hold = store.peek(`${path}/hold`);
    return {
      hold: HOLDS.find((name) => name === hold) ?? UNTOUCHED.hold,
      volume: Number(store.peek(`${path}/volume`) ?? 0) / 1000,
      muted: store.peek(`${path}/muted`) === "1",
    };
  }
}

function areSame(one: Settings, other: Settings): boolean {
  return FIELDS.every((field) => one[field] === other[field]);
}

/** `DOMID/CARD` of a stream's key. */
function cardOf(stream: string): string {
  return stream.split("/").slice(0, 2).join("/");
}

function backendOf({ domid, card }: KnownCard): string {
  return cardPaths({ domid, card, backendDomid: 0 }).backend;
}

/** The streams of a card as `PCM/STREAM`, by its frontend's nodes; none while the backend is not there. */
function placesOf(store: Peek, { domid, card }: KnownCard): string[] {
  const { frontend, backend } = cardPaths({ domid, card, backendDomid: 0 });
  if (store.peek(backend) === undefined) return [];
  const numbers = (path: string) => store.children(path).filter((name) => /^\d+$/.test(name));
  return numbers(frontend).flatMap((pcm) =>
    numbers(`${frontend}/${pcm}`).map((stream) => `${pcm}/${stream}`)
  );
}
