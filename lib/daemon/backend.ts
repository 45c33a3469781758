// SPDX-License-Identifier: MIT
/**
 * The backend: finds the cards that toolstacks give this domain to serve, asks for each card's policy, and follows every card until
 * it goes. Runs in the main thread; samples never come here.
 */
import { getLogger } from "@logtape/logtape";
import { Exit, XsndError } from "../base/error.ts";
import {
  backendsPath,
  type CardAddress,
  cardPaths,
  domainName,
  parseBackendPath,
  readState,
} from "../xenbus/mod.ts";
import { type GrantTable, isStoreLost, StoreError, type StoreWatch, type Xen } from "../xen/ports.ts";
import { GuestDomain } from "./guest_domain.ts";
import type { KeptFiles } from "./kept_files.ts";
import type { XrunTraces } from "./xrun_traces.ts";
import { firstPhase } from "./handshake.ts";
import { OpenAtEnd } from "./open_at_end.ts";
import { VirtualCard } from "./virtual_card.ts";
import type { Changes } from "../bridge/changes.ts";
import { Engines } from "./engines/engines.ts";
import { type GuestLimits, GuestUse } from "./policy/guest_limits.ts";
import type { StreamControl } from "./stream/stream_control.ts";
import { Totals } from "./stream/totals.ts";
import type { CardPolicy } from "../vsnd/model/card.ts";
import { describeChanges } from "./policy/policy_changes.ts";
import { POLICY_DIRECTORY } from "../vsnd/nodes/card_tree.ts";
import { OPERATOR_DIRECTORY } from "../vsnd/nodes/operator_nodes.ts";

export interface BackendOptions {
  /** The host's policy for the card; undefined: the card is not served. Throws XsndError if the policy cannot be read. */
  readonly readPolicy: (address: CardAddress, backendPath: string) => CardPolicy | undefined;
  /** What a guest may use of the daemon; by default {@link DEFAULT_LIMITS}. */
  readonly guestLimits?: GuestLimits;
  /** Whether the engines run under SCHED_FIFO, where that is permitted. */
  readonly realtime?: boolean;
  /** Where open streams are kept for the next daemon; undefined: nowhere. */
  readonly kept?: KeptFiles;
  /** Where xruns are traced; undefined: nowhere. */
  readonly xrunTraces?: XrunTraces;
}

/** A card that is served. */
interface Served {
  readonly card: VirtualCard;
  readonly domain: GuestDomain;
  readonly watches: readonly StoreWatch[];
  /** Resolves when the card has been taken over from the state in which it was found. */
  readonly started: Promise<void>;
  /** The host's last decision; undefined: not to serve the card. */
  decided: CardPolicy | undefined;
  /** Whether the card was made by a policy that no longer holds: the card is made anew as soon as it is not connected. */
  isOutdated: boolean;
}

/** How long the writer of a card or of its policy, who writes node by node, has until the backend reads the whole. */
const LOOK_MS = 20;

export class Backend implements AsyncDisposable {
  readonly #log = getLogger(["xsnd", "backend"]);
  readonly #cards = new Map<string, Served>();
  readonly #root: string;
  readonly #totals = new Totals();
  readonly #openAtEnd = new OpenAtEnd();
  readonly #watches = new Set<StoreWatch>();
  /** Cards whose directories or policies have changed, served or not, each with the timer of the look. */
  readonly #looks = new Map<string, ReturnType<typeof setTimeout>>();
  #isEnding = false;
  #lettingGo: Promise<boolean> | undefined;
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

  /** A backend that serves: {@link make}, and {@link takeOver}. */
  static async start(xen: Xen, options: BackendOptions): Promise<Backend> {
    await using stack = new AsyncDisposableStack();
    const backend = stack.use(await Backend.make(xen, options));
    await backend.takeOver();
    stack.move();
    return backend;
  }

  /** Makes ready what takes long, and touches no card. */
  static async make(xen: Xen, options: BackendOptions): Promise<Backend> {
    await using stack = new AsyncDisposableStack();
    const grants = stack.use(xen.openGrantTable());
    const guests = new GuestUse(options.guestLimits);
    const engines = stack.use(await Engines.start(xen, guests, options));
    stack.move();
    return new Backend(xen, options, engines, grants, guests);
  }

  /** Resolves when all present cards have been taken over: whoever finds the daemon finds it serving. */
  async takeOver(): Promise<void> {
    this.#watch(this.#root, (path) => this.#changed(path));
    this.#watch("@releaseDomain", () => this.#domainsChanged());
    this.#rescan();
    const started = Array.from(this.#cards.values(), (served) => served.started.catch(() => {}));
    await Promise.race([Promise.all(started), this.failed]);
    this.options.kept?.sweep((domid) => new GuestDomain(this.xen.store, domid).look());
  }

  /** Rejects if the shared engine fails, or XenStore is lost for good; otherwise pending for ever. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Resolves when the shared engine has answered: {@link Engines.ping}. */
  ping(): Promise<void> {
    return this.engines.ping();
  }

  /** All streams of all cards, by name. */
  get streams(): StreamControl[] {
    return [...this.#cards.values()].flatMap(({ card }) => card.streams);
  }

  /** Counts the changes of {@link streams} and of their states. */
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
          // The watch begins anew when XenStore returns.
          if (!isStoreLost(error)) throw error;
        }
      }
    } catch (error) {
      this.#failed.reject(storeLost(error as Error));
    }
  }

  /** Lets work on one card go on by itself. If it fails, only that card is affected. */
  #spawn(card: string, work: Promise<void>): void {
    work.catch((error) => this.#cardFailed(card, error));
  }

  /** Logs an error; says nothing while XenStore is away, as all cards are looked at when XenStore returns. */
  #cardFailed(card: string, error: unknown): void {
    if (isStoreLost(error)) return;
    const reason = error instanceof XsndError || error instanceof StoreError
      ? error.message
      : (error as Error)?.stack ?? String(error);
    this.#log.error("{reason}", { card, reason });
  }

  /** Something has changed at or below the directory of all backends: a card's own node, or the list of cards. */
  #changed(path: string): void {
    const [domid, id, node] = path.slice(0, this.#root.length + 1) === `${this.#root}/`
      ? path.slice(this.#root.length + 1).split("/", 3)
      : [];
    const key = `${domid}/${id}`;
    const served = this.#cards.get(key);
    if (served === undefined) {
      // The toolstack removes a card that is not served, or makes one.
      if (node === undefined || node === "frontend") this.#totals.forget(`${this.#root}/${key}`);
      if (id !== undefined) return this.#lookSoon(key);
      // The watch has overflowed and names no card.
      if (domid === undefined) { for (const key of this.#cards.keys()) this.#lookSoon(key); }
      return this.#rescan();
    }
    // The daemon itself writes what operators set.
    if (node === OPERATOR_DIRECTORY) return;
    if (node === undefined || node === POLICY_DIRECTORY) this.#lookSoon(key);
    this.#spawn(served.card.name, this.#evaluate(key, served));
  }

  /** Has the backend look at a card. One look a card, however many nodes change: other cards cost nothing. */
  #lookSoon(key: string): void {
    if (this.#looks.has(key)) return;
    const look = () => {
      this.#looks.delete(key);
      this.#look(key);
    };
    this.#looks.set(key, setTimeout(look, LOOK_MS));
  }

  /** Looks at the policy of a card that is served, and serves another card once its directory is whole. */
  #look(key: string): void {
    const served = this.#cards.get(key);
    if (served !== undefined) return this.#spawn(served.card.name, this.#lookAtPolicy(key, served));
    const address = parseBackendPath(`${this.#root}/${key}`);
    if (address === undefined) return;
    try {
      this.#take(key, address);
    } catch (error) {
      // When XenStore returns, all cards are looked at.
      if (!isStoreLost(error)) throw error;
    }
  }

  async #evaluate(key: string, served: Served): Promise<void> {
    const { card } = served;
    if (!card.isReplaced) await card.evaluate();
    if (this.#cards.get(key) !== served) return;
    if (card.isReplaced) await this.#takeAnew(key, served);
    else if (this.xen.store.read(`${this.#root}/${key}/state`) === undefined) {
      this.#totals.forget(card.paths.backend);
      await this.#takeAnew(key, served);
    } else if (served.isOutdated && !card.connected) await this.#takeAnew(key, served);
  }

  async #lookAtPolicy(key: string, served: Served): Promise<void> {
    const changes = await this.#decideAgain(key, served);
    if (changes !== undefined) this.#log.info("the policy of {changes}", { changes });
  }

  /**
   * Reads the card's policy again and puts it in force. The one rule for every change, whether SIGHUP (reload) or a write in XenStore
   * announced it: under a connected frontend devices and `denied` change; everything else waits until the card is made anew, as soon
   * as it is not connected. Returns the differences from the last decision, for people.
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
    // The card has connected meanwhile, by a policy that no longer holds.
    if (hasConnected && served.isOutdated) card.setPolicy(served.decided ?? denied(card.policy));
    return changes;
  }

  /**
   * Makes the card anew, by the policy that holds now; serves the card that the toolstack has put in its place, if there is one.
   */
  async #takeAnew(key: string, served: Served): Promise<void> {
    const { card, domain } = served;
    if (card.isClosed || domain.isAnother()) this.#totals.forget(card.paths.backend);
    served.isOutdated = false;
    if (await this.#end(key, served)) this.#take(key, card.address);
  }

  /**
   * Ends serving the card. It stays in the list until it is shut down, lest another be served beside it. Returns whether this call has
   * taken it off the list.
   */
  async #end(key: string, { card, watches }: Served): Promise<boolean> {
    for (const watch of watches) {
      this.#watches.delete(watch);
      watch[Symbol.dispose]();
    }
    await card.shutDown({ leave: false });
    if (this.#cards.get(key)?.card !== card) return false;
    return this.#cards.delete(key);
  }

  /**
   * Reads all policies again. Returns a text for each card that changes. Throws {@link StoreError}; if XenStore is away, the policies
   * are read when XenStore returns.
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
    for (const path of [...this.#totals.paths]) {
      const isServed = this.#cards.has(path.slice(this.#root.length + 1));
      if (!isServed && readState(store, path) === undefined) this.#totals.forget(path);
    }
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
      this.#cardFailed(this.#nameOf(address), error);
    }
  }

  /** The card's name in the log. */
  #nameOf({ domid, card }: CardAddress): string {
    return `${domainName(this.xen.store, domid)}/${card}`;
  }

  async #untilStarted(key: string, served: Served): Promise<void> {
    try {
      await served.started;
    } catch (error) {
      const isEnded = await this.#end(key, served);
      // XenStore may have come back meanwhile. After another failure the card is taken over when its directory changes.
      if (isEnded && isStoreLost(error)) this.#take(key, served.card.address);
      throw error;
    }
  }

  /** Undefined if the toolstack has not finished the card, or the host does not allow the card. */
  #makeCard(address: CardAddress, path: string): Served | undefined {
    const { store } = this.xen;
    const forget = () => void this.#totals.forget(path);
    const frontend = store.read(`${path}/frontend`);
    if (frontend === undefined) return forget();
    // The state before the policy: if the toolstack replaces the card in between, a later look at the state tells.
    const state = readState(store, path);
    if (state === undefined) return forget();
    const policy = this.#policyOf(address, path);
    // The host may allow the card again, which keeps its totals until then.
    if (policy === undefined) return undefined;
    const domain = new GuestDomain(store, address.domid);
    const paths = { ...cardPaths(address), frontend };
    const services = {
      store,
      engines: this.engines,
      grants: this.grants,
      guests: this.guests,
      totals: this.#totals,
      ...(this.options.kept !== undefined && { kept: this.options.kept }),
      ...(this.options.xrunTraces !== undefined && { xrunTraces: this.options.xrunTraces }),
      ...(this.xen.domid === 0 && { openAtEnd: this.#openAtEnd }),
    };
    const card = new VirtualCard(domain, address, paths, policy, services, firstPhase(state));
    const watches = [this.#watch(frontend, (path) => card.frontendChanged(path))];
    // A driver domain may not read names, and has few watches.
    if (this.xen.domid === 0) {
      watches.push(this.#watch(domain.namePath, () => this.#nameChanged(card, domain)));
    }
    return { card, domain, watches, started: card.start(), isOutdated: false, decided: policy };
  }

  /** Has the card found by its domain's new name. The configuration may say something else of a domain of that name. */
  #nameChanged(card: VirtualCard, domain: GuestDomain): void {
    const former = card.name;
    if (!domain.readName()) return;
    this.#log.info("{former} is called {card} now", { former, card: card.name });
    this.engines.changes.tell();
    this.#lookSoon(`${card.address.domid}/${card.address.card}`);
  }

  #policyOf(address: CardAddress, path: string): CardPolicy | undefined {
    try {
      return this.options.readPolicy(address, path);
    } catch (error) {
      if (!(error instanceof XsndError)) throw error;
      const card = this.#nameOf(address);
      this.#log.error("{path} is not served: {reason}", { card, path, reason: error.message });
      return undefined;
    }
  }

  /** Unmaps the pages of domains that are gone: a mapped page would keep the domain alive. */
  #domainsChanged(): void {
    for (const { card, domain } of this.#cards.values()) {
      // A driver domain may not ask. There the daemon learns of it when the toolstack removes the card.
      if (domain.look()) this.#spawn(card.name, card.shutDown({ leave: false }));
    }
  }

  /**
   * Closes all streams and leaves the cards for the next daemon to find. Resolves to whether another daemon can have them now: false if an
   * engine hangs, and has something in use still.
   */
  letGo(): Promise<boolean> {
    return this.#lettingGo ??= this.#letGo();
  }

  async #letGo(): Promise<boolean> {
    this.#isEnding = true;
    for (const watch of this.#watches) watch[Symbol.dispose]();
    for (const timer of this.#looks.values()) clearTimeout(timer);
    const { streams } = this;
    await Promise.all([...this.#cards.values()].map(({ card }) => card.shutDown({ leave: true })));
    return streams.every(({ isFree }) => isFree);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.letGo();
    // What an engine that hangs may still touch stays mapped until the process ends.
    if (!await this.engines.stop()) return;
    this.grants[Symbol.dispose]();
  }
}

/** The policy of a card that is no longer to be served while its guest is connected: silence. */
function denied({ pcms }: CardPolicy): CardPolicy {
  return {
    pcms: pcms.map(({ streams }) => ({ streams: streams.map((stream) => ({ ...stream, denied: true })) })),
  };
}

function storeLost(error: Error): XsndError {
  return new XsndError(`XenStore is lost: ${error.message}`, Exit.failed);
}
