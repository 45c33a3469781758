// SPDX-License-Identifier: MIT
/**
 * One virtual sound card: the backend's side of the XenBus hand-shake, and the streams behind it.
 *
 *     toolstack writes 1 ──▶ InitWait ──(frontend Initialised: map, bind)──▶ Connected
 *                              ▲  ▲                                             │
 *                              │  ╰──(frontend Closing, Closed, Initialising)───╯
 *                              ╰── daemon restarted, unless the rings still stand: Connected
 *     toolstack writes online=0, state=5 ──▶ Closed
 *
 * snd_xen_front starts over, with new rings, whenever it sees InitWait; so that is where the backend returns to when the
 * frontend goes. A restarted daemon does so only if it must: it goes on with the rings that its predecessor left, since a
 * driver that starts over while a program has its PCM open uses memory that it has freed (Linux 6.1: alsa_hw_free after
 * device_del), and takes its kernel with it. A guest that is slow to notice a new card sees InitWait twice, and publishes
 * twice, mostly under the same numbers; what it has published is taken when it has been quiet for a while. Everything in
 * the frontend's directory is the guest's to write.
 */
import { getLogger } from "@logtape/logtape";
import type { CardPolicy } from "../vsnd/model/card.ts";
import { type CardAddress, type CardPaths, readState, switchState, XenbusState } from "../xenbus/mod.ts";
import { EventChannelError, GrantError, isStoreLost, type Store, StoreError } from "../xen/ports.ts";
import { pcmAndStream, placeInCard } from "../stream/stream_name.ts";
import { OperatorNodes } from "./policy/operator_nodes.ts";
import { StreamControl, type StreamServices } from "./stream/stream_control.ts";
import type { Totals } from "./stream/totals.ts";
import {
  isTransportNode,
  readTransport,
  type StreamTransport,
  TransportError,
  transportNodes,
} from "./link/published.ts";

/**
 * How long a card stays in InitWait at least. `xl vsnd-attach` gives up unless it sees that very state, and looks only
 * when a watch tells it to.
 */
const INIT_WAIT_MS = 300;
/** For how long a frontend must have written nothing before its rings are taken. */
const QUIET_MS = 200;
/** How long after the host had no memory for a card it is tried again. */
const RETRY_MS = 1000;
/**
 * How often at most a card is looked at for what its guest writes: 50 times a second, three reads each. A guest that writes in a
 * loop waits for its own card, and nobody else does (XSA-349 is the same for memory).
 */
const LOOK_MS = 20;

export interface CardServices extends StreamServices {
  readonly store: Store;
  readonly totals: Totals;
}

export class Card {
  readonly #log;
  readonly streams: readonly StreamControl[];
  #connected = false;
  #isClosed = false;
  /** Whether it has left the state in which the toolstack makes a card. */
  #isBegun = false;
  #initWaitUntil = 0;
  /** Whether the toolstack has just made the card, and its frontend has yet to find it. */
  #fresh = false;
  /** When the frontend last wrote something, and whether it has published rings since it was connected. */
  #writtenAt = 0;
  #publishedAnew = false;
  /** Set when connecting failed; the frontend must publish anew, or leave Initialised, before it is tried again. */
  #refused = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #evaluating: Promise<void> | undefined;
  #again = false;
  /** The nodes of the frontend's directory that mean something. */
  readonly #meant: ReadonlySet<string>;
  /** Set while a look at what the frontend has written is due. */
  #look: ReturnType<typeof setTimeout> | undefined;
  #lookedAt = -Infinity;
  #shutDown = false;

  /** @param name `domU/0` */
  constructor(
    readonly name: string,
    readonly address: CardAddress,
    readonly paths: CardPaths,
    readonly policy: CardPolicy,
    private readonly services: CardServices,
  ) {
    this.#log = getLogger(["xsnd", "card"]).with({ card: name });
    this.streams = policy.pcms.flatMap((pcm, p) =>
      pcm.streams.map((stream, s) => {
        const place = placeInCard(p, s);
        const nodes = new OperatorNodes(services.store, paths.backend, place);
        // What a policy makes of a stream that was of the other direction is another stream.
        const past = services.totals.row(paths.backend, `${place} ${stream.type}`);
        return new StreamControl(`${name}/${place}`, address.domid, stream, services, nodes, past);
      })
    );
    this.#meant = new Set([
      paths.frontend,
      `${paths.frontend}/state`,
      ...this.streams.flatMap((stream) => transportNodes(this.#directoryOf(stream))),
    ]);
  }

  /** Whether its streams are connected to the frontend. */
  get connected(): boolean {
    return this.#connected;
  }

  /**
   * Takes over of `policy` what can change under a frontend that is connected: the streams' devices. The rest it has read, and
   * goes by.
   */
  setPolicy(policy: CardPolicy): void {
    for (const stream of this.streams) {
      const [pcm, number] = pcmAndStream(stream.name);
      const decided = policy.pcms[pcm]?.streams[number];
      try {
        if (decided !== undefined) stream.setDevice(decided);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        this.#log.error(
          "{stream} keeps its device: {reason}; `xsnd provision --replace` gives it the other",
          {
            stream: stream.name,
            reason: error.message,
          },
        );
      }
    }
  }

  /** Whether `policy` is what the card was made by. */
  isMadeBy(policy: CardPolicy): boolean {
    return JSON.stringify(policy) === JSON.stringify(this.policy);
  }

  /** Whether the toolstack has put a new card in the place of this one. */
  get isReplaced(): boolean {
    return this.#isReplacedIn(readState(this.services.store, this.paths.backend));
  }

  #isReplacedIn(backend: XenbusState | undefined): boolean {
    return this.#isBegun && backend === XenbusState.Initialising;
  }

  /** Whether the toolstack has detached the card: what it puts in its place is another one. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Takes the card over in whatever state it was left. */
  async start(): Promise<void> {
    const { store } = this.services;
    const begun = Promise.withResolvers<void>();
    // What changes meanwhile is looked at after this.
    this.#evaluating = begun.promise;
    try {
      if (!await this.#getReady()) return;
      const backend = readState(store, this.paths.backend);
      const isGone = this.#shutDown || backend === undefined || this.#isBeingDetached();
      if (isGone) return;
      if (!await this.#adopt()) this.#enterInitWait(backend);
      this.#isBegun = true;
    } finally {
      this.#evaluating = undefined;
      begun.resolve();
    }
    await this.evaluate();
  }

  /**
   * Gets the streams ready; false if the host has not got what they need, or the guest may not have them: then the card is not served,
   * and others are. Only a card to be taken over has engines now, others when they connect.
   */
  async #getReady(): Promise<boolean> {
    const isConnected = readState(this.services.store, this.paths.frontend) === XenbusState.Connected;
    const failure = await firstFailure(this.streams, (stream) => stream.getReady()) ??
      (isConnected ? await firstFailure(this.streams, (stream) => stream.takeSeat()) : undefined);
    if (failure === undefined) return true;
    this.#log.error("it is not served: {reason}; start `xsnd serve` again when that is mended", {
      reason: failure.message,
    });
    this.#shutDown = true;
    await Promise.all(this.streams.map((stream) => stream[Symbol.asyncDispose]()));
    return false;
  }

  /** Goes on with the rings of a frontend that was connected to a former daemon. Returns false if that cannot be done. */
  async #adopt(): Promise<boolean> {
    const { services: { store }, paths } = this;
    if (readState(store, paths.frontend) !== XenbusState.Connected) return false;
    try {
      this.#attach();
    } catch (error) {
      if (!isFrontends(error)) throw error;
      this.#log.info("its frontend is to start over: {reason}", { reason: (error as Error).message });
      await this.#disconnect("");
      return false;
    }
    switchState(store, paths.backend, XenbusState.Connected);
    this.#log.info("taken over, {streams} streams", { streams: this.streams.length });
    return true;
  }

  /** The node at `path` in the frontend's directory has changed. The guest writes there what it likes, as often as it likes. */
  frontendChanged(path: string): void {
    if (!this.#meant.has(path)) return;
    this.#writtenAt = performance.now();
    if (isTransportNode(path)) {
      this.#refused = false;
      this.#publishedAnew = true;
    }
    this.#look ??= setTimeout(() => {
      this.#look = undefined;
      this.#lookedAt = performance.now();
      void this.evaluate();
    }, Math.max(0, this.#lookedAt + LOOK_MS - this.#writtenAt));
  }

  /** The stream's directory in the frontend's. */
  #directoryOf(stream: StreamControl): string {
    return `${this.paths.frontend}/${stream.name.slice(this.name.length + 1)}`;
  }

  /** Looks at both ends' states and does what they call for. Called after each change; calls while it runs are merged. */
  evaluate(): Promise<void> {
    if (this.#evaluating !== undefined) {
      this.#again = true;
      return this.#evaluating;
    }
    return this.#evaluating = this.#evaluateAll();
  }

  async #evaluateAll(): Promise<void> {
    try {
      do {
        this.#again = false;
        await this.#step();
      } while (this.#again);
    } catch (error) {
      // With XenStore away there is nothing to look at; when it comes back all is.
      if (!isStoreLost(error)) {
        this.#log.error("{error}", {
          error: error instanceof Error ? error.stack ?? error.message : String(error),
        });
      }
    } finally {
      // At once after the last look at #again, or a change that comes in between is lost.
      this.#evaluating = undefined;
    }
  }

  async #step(): Promise<void> {
    if (this.#shutDown) return;
    const { store } = this.services;
    const backend = readState(store, this.paths.backend);
    if (backend === undefined) return await this.#disconnect("the toolstack has removed the card");
    if (this.#isReplacedIn(backend)) {
      return await this.#disconnect("the toolstack has put another card in its place");
    }
    if (this.#isBeingDetached()) {
      await this.#disconnect("the toolstack detaches the card");
      switchState(store, this.paths.backend, XenbusState.Closed);
      this.#isClosed = true;
      return;
    }
    const frontend = readState(store, this.paths.frontend);
    if (this.#connected) {
      // XenStore was lost while it was connected.
      if (backend === XenbusState.InitWait) switchState(store, this.paths.backend, XenbusState.Connected);
      return await this.#watchOver(frontend);
    }
    if (frontend === XenbusState.Closed && this.#fresh) return this.#remindFrontend();
    if (frontend !== XenbusState.Initialised) this.#refused = false;
    if (backend !== XenbusState.InitWait && !this.#refused) this.#enterInitWait(backend);
    if (frontend !== XenbusState.Initialised || this.#refused) return;
    const dwell = Math.max(this.#initWaitUntil, this.#writtenAt + QUIET_MS) - performance.now();
    if (dwell > 0) return this.#later(dwell);
    const writtenAt = this.#writtenAt;
    const failure = await firstFailure(this.streams, (stream) => stream.takeSeat());
    if (failure !== undefined) return await this.#tryAgain(failure);
    // A busy host learns of changes long after it can read them. What led here must not be taken for a new start afterwards.
    await store.settled();
    if (this.#writtenAt === writtenAt && !this.#shutDown) await this.#connect();
  }

  /** A connected frontend may go on, start over or go away. */
  async #watchOver(frontend: XenbusState | undefined): Promise<void> {
    const isInStep = frontend === XenbusState.Connected || frontend === XenbusState.Initialised;
    if (isInStep && !this.#publishedAnew) return;
    await this.#disconnect("the frontend is gone or starts over");
    this.#enterInitWait(XenbusState.Connected);
    this.#again = true;
  }

  #isBeingDetached(): boolean {
    const { store } = this.services;
    return store.read(`${this.paths.backend}/online`) === "0";
  }

  #enterInitWait(from: XenbusState | undefined): void {
    // Only the toolstack's fresh card has somebody waiting to see InitWait.
    if (from === XenbusState.Initialising) {
      this.#initWaitUntil = performance.now() + INIT_WAIT_MS;
      this.#fresh = true;
    }
    switchState(this.services.store, this.paths.backend, XenbusState.InitWait);
  }

  /**
   * A guest's kernel takes a second to give up a card that was detached. One that is attached before that it marks with
   * the end of the former, Closed, and then takes no notice of it, as it does of all cards that are not Initialising.
   */
  #remindFrontend(): void {
    this.#fresh = false;
    try {
      switchState(this.services.store, this.paths.frontend, XenbusState.Initialising);
    } catch (error) {
      // In a driver domain that is for the toolstack to write.
      if (!(error instanceof StoreError)) throw error;
      this.#log.warn("its guest takes it for one that was detached: {reason}", { reason: error.message });
    }
  }

  #later(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.evaluate(), ms);
  }

  #readTransports(): StreamTransport[] {
    return this.streams.map((stream) => readTransport(this.services.store, this.#directoryOf(stream)));
  }

  async #connect(): Promise<void> {
    try {
      this.#attach();
    } catch (error) {
      if (isStoreLost(error)) throw error;
      if (error instanceof GrantError && error.isOutOfMemory) return await this.#tryAgain(error);
      await this.#refuse(error instanceof Error ? error.message : String(error));
      if (!isFrontends(error)) throw error;
      return;
    }
    switchState(this.services.store, this.paths.backend, XenbusState.Connected);
    this.#log.info("connected, {streams} streams", { streams: this.streams.length });
  }

  /** Connects all streams by what the frontend has published; after an error some may be. */
  #attach(): void {
    const transports = this.#readTransports();
    this.streams.forEach((stream, i) => stream.attach(transports[i]));
    this.#connected = true;
    this.#publishedAnew = this.#fresh = false;
  }

  /**
   * This host has no memory for the frontend's pages, or no engine for its streams, which is no fault of its: it finds the backend
   * still in InitWait.
   */
  async #tryAgain(error: Error): Promise<void> {
    this.#log.warn("not connected yet, tried again in {seconds} s: {reason}", {
      seconds: RETRY_MS / 1000,
      reason: error.message,
    });
    await this.#disconnect("");
    this.#later(RETRY_MS);
  }

  /** The frontend does not keep to the protocol: nothing is served until it starts over. */
  async #refuse(reason: string): Promise<void> {
    this.#log.error("not served until its frontend starts over: {reason}", { reason });
    this.#refused = true;
    await this.#disconnect(reason);
    switchState(this.services.store, this.paths.backend, XenbusState.Closing);
  }

  async #disconnect(reason: string): Promise<void> {
    clearTimeout(this.#timer);
    const wasConnected = this.#connected;
    this.#connected = false;
    await Promise.all(this.streams.map((stream) => stream.detach()));
    if (wasConnected) this.#log.info("disconnected: {reason}", { reason });
  }

  /**
   * Lets go of everything; the card itself stays. For a daemon that starts later (`leave`) a card that is connected keeps
   * its state, which the driver would take any change of for a reason to start over; another one is as provisioning left it.
   */
  async shutDown({ leave }: { leave: boolean }): Promise<void> {
    this.#shutDown = true;
    clearTimeout(this.#look);
    await this.#evaluating;
    const untouched = !leave || this.#connected;
    await this.#disconnect("the daemon ends");
    await Promise.all(this.streams.map((stream) => stream[Symbol.asyncDispose]()));
    try {
      if (untouched || this.#isBeingDetached()) return;
      switchState(this.services.store, this.paths.backend, XenbusState.Initialising);
    } catch (error) {
      // XenStore is lost, which may be why the daemon ends; the next one finds whatever state there is.
      if (!(error instanceof StoreError)) throw error;
      this.#log.warn("left in another state: {reason}", { reason: error.message });
    }
  }
}

/** Has `work` done for all streams at once; the first error, when all of it has ended. */
async function firstFailure(
  streams: readonly StreamControl[],
  work: (stream: StreamControl) => Promise<void>,
): Promise<Error | undefined> {
  const outcomes = await Promise.allSettled(streams.map(work));
  const failure = outcomes.find(({ status }) => status === "rejected") as PromiseRejectedResult | undefined;
  if (failure === undefined) return undefined;
  return failure.reason instanceof Error ? failure.reason : new Error(String(failure.reason));
}

/** Whether an error of connecting is about what the frontend has published. */
function isFrontends(error: unknown): boolean {
  if (isStoreLost(error)) return false;
  return [TransportError, GrantError, EventChannelError, StoreError, RangeError].some((kind) =>
    error instanceof kind
  );
}
