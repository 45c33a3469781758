// SPDX-License-Identifier: MIT
/**
 * The server: finds the cards that toolstacks give this domain to serve, and keeps each with its frontend.
 * All of it runs in the main thread; samples never come here.
 */
import { getLogger } from "@logtape/logtape";
import { Exit, XsndError } from "../base/error.ts";
import { backendsPath, type CardAddress, cardPaths, domainName, parseBackendPath } from "../xenbus/mod.ts";
import { type GrantTable, isStoreLost, StoreError, type StoreWatch, type Xen } from "../xen/ports.ts";
import { VirtualCard } from "./virtual_card.ts";
import type { Changes } from "../bridge/changes.ts";
import { Engines } from "./engines/engines.ts";
import { type GuestLimits, GuestUse } from "./policy/guest_limits.ts";
import type { StreamControl } from "./stream/stream_control.ts";
import { Totals } from "./stream/totals.ts";
import type { CardPolicy } from "../vsnd/model/card.ts";
import { policyChanges } from "./policy/policy_changes.ts";
import { POLICY_DIRECTORY } from "../vsnd/nodes/card_tree.ts";

export interface BackendOptions {
  /** What the host allows the card; undefined: it is not served. Throws XsndError if that cannot be found out. */
  readonly readPolicy: (address: CardAddress, backendPath: string) => CardPolicy | undefined;
  /** What a guest may have of the daemon; unless told, {@link DEFAULT_LIMITS}. */
  readonly guestLimits?: GuestLimits;
  /** Whether the engines are to run under SCHED_FIFO. Where that is not permitted it serves without. */
  readonly realtime?: boolean;
}

interface Served {
  readonly card: VirtualCard;
  readonly watch: StoreWatch;
  /** Pending until the card has been taken over in the state that it was found in. */
  readonly started: Promise<void>;
  /** Set while a change of the card's policy is to be looked at. */
  lookTimer?: ReturnType<typeof setTimeout>;
  /** What the host decided last; undefined: not to serve the card. */
  decided: CardPolicy | undefined;
  /** Whether the card was made by a policy that holds no more: it is made anew as soon as it is not connected. */
  isOutdated: boolean;
}

/** A policy is written node by node; it is looked at once for all of them. */
const POLICY_LOOK_MS = 20;

export class Backend implements AsyncDisposable {
  readonly #log = getLogger(["xsnd", "backend"]);
  readonly #cards = new Map<string, Served>();
  readonly #root: string;
  readonly #totals = new Totals();
  readonly #watches = new Set<StoreWatch>();
  #isEnding = false;
  /** Rejects when the backend cannot go on. */
  readonly #failed = Promise.withResolvers<never>();

  private constructor(
    private readonly xen: Xen,
    private readonly options: BackendOptions,
    private readonly engines: Engines,
    private readonly grants: GrantTable,
    private readonly guests: GuestUse,
  ) {
    this.#root = backendsPath(xen.domid);
    this.#failed.promise.catch(() => {});
    engines.failed.catch((error) => this.#failed.reject(error));
  }

  /** Resolves when the cards that there are have been taken over: whoever finds the daemon there finds it serving. */
  static async start(xen: Xen, options: BackendOptions): Promise<Backend> {
    await using stack = new AsyncDisposableStack();
    const grants = stack.use(xen.openGrantTable());
    const guests = new GuestUse(options.guestLimits);
    const engines = stack.use(await Engines.start(xen, guests, options));
    const backend = new Backend(xen, options, engines, grants, guests);
    stack.move();
    try {
      await backend.#takeOver();
    } catch (error) {
      await backend[Symbol.asyncDispose]();
      throw error;
    }
    return backend;
  }

  async #takeOver(): Promise<void> {
    this.#watch(this.#root, (path) => this.#changed(path));
    this.#watch("@releaseDomain", () => this.#domainsChanged());
    this.#rescan();
    const started = Array.from(this.#cards.values(), (served) => served.started.catch(() => {}));
    await Promise.race([Promise.all(started), this.failed]);
  }

  /** Rejects if the engine is lost, or XenStore for good; otherwise pending for ever. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Resolves when the engine has answered: {@link Engines.ping}. */
  ping(): Promise<void> {
    return this.engines.ping();
  }

  /** All streams of all cards, by name. */
  get streams(): StreamControl[] {
    return [...this.#cards.values()].flatMap(({ card }) => card.streams);
  }

  /** Of {@link streams} and their states. */
  get changes(): Changes {
    return this.engines.changes;
  }

  /** See {@link Engines.sharedCpuSeconds}. */
  get sharedEngineCpuSeconds(): number | undefined {
    return this.engines.sharedCpuSeconds;
  }

  #watch(path: string, changed: (path: string) => void): StoreWatch {
    const watch = this.xen.store.watch(path);
    this.#watches.add(watch);
    this.#follow(watch, changed);
    return watch;
  }

  async #follow(watch: StoreWatch, changed: (path: string) => void): Promise<void> {
    try {
      for await (const path of watch) {
        try {
          changed(path);
        } catch (error) {
          // The watch begins anew when XenStore is there again.
          if (!isStoreLost(error)) throw error;
        }
      }
    } catch (error) {
      this.#failed.reject(storeLost(error as Error));
    }
  }

  /** Lets work on one card go on by itself. A failure is that card's, and the other cards are served on. */
  #spawn(card: string, work: Promise<void>): void {
    work.catch((error) => this.#cardFailed(card, error));
  }

  /** While XenStore is away nothing is said: all cards are looked at when XenStore comes back. */
  #cardFailed(card: string, error: unknown): void {
    if (isStoreLost(error)) return;
    const reason = error instanceof XsndError || error instanceof StoreError
      ? error.message
      : (error as Error)?.stack ?? String(error);
    this.#log.error("{reason}", { card, reason });
  }

  /** Something changed at or below the directory of all backends: a card's own node, or cards came or went. */
  #changed(path: string): void {
    const [domid, id, node] = path.slice(0, this.#root.length + 1) === `${this.#root}/`
      ? path.slice(this.#root.length + 1).split("/", 3)
      : [];
    const key = `${domid}/${id}`;
    const served = this.#cards.get(key);
    if (served === undefined) {
      // There were more changes than the watch holds, or something is there that is no card we know.
      if (domid === undefined) this.#cards.forEach((served, key) => this.#lookSoon(key, served));
      return this.#rescan();
    }
    if (node === undefined || node === POLICY_DIRECTORY) this.#lookSoon(key, served);
    this.#spawn(served.card.name, this.#evaluate(key, served));
  }

  #lookSoon(key: string, served: Served): void {
    served.lookTimer ??= setTimeout(
      () => this.#spawn(served.card.name, this.#lookAtPolicy(key, served)),
      POLICY_LOOK_MS,
    );
  }

  async #evaluate(key: string, served: Served): Promise<void> {
    const { card } = served;
    if (!card.isReplaced) await card.evaluate();
    if (this.#cards.get(key) !== served) return;
    if (card.isReplaced) await this.#takeAnew(key, served);
    else if (this.xen.store.read(`${this.#root}/${key}/state`) === undefined) {
      this.#totals.forget(card.paths.backend);
      await this.#drop(key, served);
    } else if (served.isOutdated && !card.connected) await this.#takeAnew(key, served);
  }

  async #lookAtPolicy(key: string, served: Served): Promise<void> {
    served.lookTimer = undefined;
    const changes = await this.#decideAgain(key, served);
    if (changes !== undefined) this.#log.info("the policy of {changes}", { changes });
  }

  /**
   * Asks for the card's policy again, whoever has changed it, and has it hold: devices and `denied` under a connected frontend, the
   * rest when the card is made anew, which is as soon as nobody uses it. Returns what is other than it was decided last, for
   * people.
   */
  async #decideAgain(key: string, served: Served): Promise<string | undefined> {
    await served.started.catch(() => {});
    const { card } = served;
    if (this.#cards.get(key) !== served || card.isReplaced) return undefined;
    const policy = this.#policyOf(card.address, card.paths.backend);
    const changes = describeChanges(served.decided, policy, card);
    served.decided = policy;
    served.isOutdated = policy === undefined || !card.isMadeBy(policy);
    const wasConnected = card.connected;
    if (wasConnected || !served.isOutdated) card.setPolicy(policy ?? denied(card.policy));
    await this.#evaluate(key, served);
    const hasConnected = !wasConnected && card.connected && this.#cards.get(key) === served;
    // It was about to: what it was made by holds no more.
    if (hasConnected && served.isOutdated) card.setPolicy(served.decided ?? denied(card.policy));
    return changes;
  }

  /** Serves the card no longer. */
  async #drop(key: string, served: Served): Promise<void> {
    this.#cards.delete(key);
    this.#watches.delete(served.watch);
    clearTimeout(served.lookTimer);
    served.watch[Symbol.dispose]();
    await served.card.shutDown({ leave: false });
  }

  /**
   * Serves the card by the policy that holds now, or what the toolstack has put in its place. It stays where it is known until it
   * is shut down, lest it be served twice.
   */
  async #takeAnew(key: string, served: Served): Promise<void> {
    const { card, watch } = served;
    if (card.isClosed) this.#totals.forget(card.paths.backend);
    served.isOutdated = false;
    this.#watches.delete(watch);
    clearTimeout(served.lookTimer);
    watch[Symbol.dispose]();
    await card.shutDown({ leave: false });
    if (this.#cards.get(key) !== served) return;
    this.#cards.delete(key);
    this.#take(key, card.address);
  }

  /**
   * Asks for all policies again. Returns what changes, a text a card. Throws {@link StoreError}; if XenStore is away, the policies
   * are asked for when XenStore comes back.
   */
  async reload(): Promise<string[]> {
    const changed: string[] = [];
    for (const [key, served] of [...this.#cards]) {
      const changes = await this.#decideAgain(key, served);
      if (changes !== undefined) changed.push(changes);
    }
    const before = new Set(this.#cards.keys());
    this.#rescan();
    for (const [key, { card }] of this.#cards) if (!before.has(key)) changed.push(`${card.name} is served`);
    return changed;
  }

  #rescan(): void {
    const { store } = this.xen;
    for (const [key, served] of this.#cards) this.#spawn(served.card.name, this.#evaluate(key, served));
    for (const domid of store.list(this.#root) ?? []) {
      for (const id of store.list(`${this.#root}/${domid}`) ?? []) {
        const address = parseBackendPath(`${this.#root}/${domid}/${id}`);
        const key = `${domid}/${id}`;
        if (address !== undefined && !this.#cards.has(key)) this.#take(key, address);
      }
    }
  }

  /** Begins to serve a card, once its directory is whole. */
  #take(key: string, address: CardAddress): void {
    if (this.#isEnding) return;
    const path = `${this.#root}/${key}`;
    try {
      const served = this.#makeCard(address, path);
      if (served === undefined) return;
      this.#cards.set(key, served);
      this.#spawn(served.card.name, this.#untilStarted(key, served));
    } catch (error) {
      if (isStoreLost(error)) throw error;
      this.#cardFailed(path, error);
    }
  }

  async #untilStarted(key: string, served: Served): Promise<void> {
    try {
      await served.started;
    } catch (error) {
      // With XenStore the card is found, and taken over, once more; a card that failed otherwise is when its directory changes.
      if (this.#cards.get(key) === served) await this.#drop(key, served);
      throw error;
    }
  }

  /** Undefined if the toolstack has not finished the card, or the host does not allow it anything. */
  #makeCard(address: CardAddress, path: string): Served | undefined {
    const { store } = this.xen;
    const frontend = store.read(`${path}/frontend`);
    const forget = () => void this.#totals.forget(path);
    if (frontend === undefined || store.read(`${path}/state`) === undefined) return forget();
    const policy = this.#policyOf(address, path);
    if (policy === undefined) return forget();
    const name = `${domainName(store, address.domid)}/${address.card}`;
    const paths = { ...cardPaths(address), frontend };
    const services = {
      store,
      engines: this.engines,
      grants: this.grants,
      guests: this.guests,
      totals: this.#totals,
    };
    const card = new VirtualCard(name, address, paths, policy, services);
    const watch = this.#watch(frontend, (path) => card.frontendChanged(path));
    return { card, watch, started: card.start(), isOutdated: false, decided: policy };
  }

  #policyOf(address: CardAddress, path: string): CardPolicy | undefined {
    try {
      return this.options.readPolicy(address, path);
    } catch (error) {
      if (!(error instanceof XsndError)) throw error;
      this.#log.error("card {path} is not served: {reason}", { path, reason: error.message });
      return undefined;
    }
  }

  /** A domain that died must not be kept alive by pages that are still mapped. */
  #domainsChanged(): void {
    for (const { card } of this.#cards.values()) {
      if (this.#isGone(card.address.domid)) this.#spawn(card.name, card.shutDown({ leave: false }));
    }
  }

  /** A driver domain may not ask: there the toolstack's taking the card away is the first that is heard of it. */
  #isGone(domid: number): boolean {
    try {
      return !this.xen.store.isIntroduced(domid);
    } catch (error) {
      if (error instanceof StoreError && error.code === "EACCES") return false;
      throw error;
    }
  }

  /** Closes all streams and leaves the cards for the next daemon to find. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    for (const watch of this.#watches) watch[Symbol.dispose]();
    for (const { lookTimer } of this.#cards.values()) clearTimeout(lookTimer);
    await Promise.all([...this.#cards.values()].map(({ card }) => card.shutDown({ leave: true })));
    // What a hanging engine may still touch stays mapped until the process is gone.
    if (!await this.engines.stop()) return;
    this.grants[Symbol.dispose]();
  }
}

/** A card that is not served any more gives silence until its guest has gone. */
function denied({ pcms }: CardPolicy): CardPolicy {
  return {
    pcms: pcms.map(({ streams }) => ({ streams: streams.map((stream) => ({ ...stream, denied: true })) })),
  };
}

function storeLost(error: Error): XsndError {
  return new XsndError(`XenStore is lost: ${error.message}`, Exit.failed);
}

/** What the host decides otherwise about `card` than before, and when that holds; undefined if nothing changes. */
function describeChanges(
  before: CardPolicy | undefined,
  after: CardPolicy | undefined,
  card: VirtualCard,
): string | undefined {
  const later = card.connected ? "once its guest opens it again (limits: connects)" : "from now on";
  if (after === undefined) {
    const what = card.connected
      ? "at once: it is denied; once its guest has gone: not served"
      : "from now on: it is not served";
    return before && `${card.name}, ${what}`;
  }
  const changes = policyChanges(before ?? card.policy, after);
  if (changes.length === 0) return before === undefined ? `${card.name}: it is served again` : undefined;
  const part = (when: string, isAtOnce: boolean) => {
    const texts = changes.filter((change) => change.isAtOnce === isAtOnce).map(({ text }) => text);
    return texts.length === 0 ? [] : [`${when}: ${texts.join(", ")}`];
  };
  return `${card.name}, ${[...part("at once", true), ...part(later, false)].join("; ")}`;
}
