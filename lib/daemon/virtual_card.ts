// SPDX-License-Identifier: MIT
/**
 * One virtual sound card, served: keeps the facts of the XenBus hand-shake, asks `nextAction` what they call for, and carries that
 * out. handshake.ts has the drawing. Everything in the frontend's directory is the guest's to write.
 */
import { getLogger, lazy } from "@logtape/logtape";
import { type CardPolicy, policyText } from "../vsnd/model/card.ts";
import { type CardAddress, type CardPaths, readState, switchState, XenbusState } from "../xenbus/mod.ts";
import { isStoreLost, StoreError } from "../xen/ports.ts";
import { FrontendWrites } from "./frontend_writes.ts";
import { type Action, type CardEnds, isReplaced, nextAction, type Phase } from "./handshake.ts";
import type { GuestDomain } from "./guest_domain.ts";
import { GuestView, hasNotBooted } from "./guest_view.ts";
import { OfferPause } from "./offer_pause.ts";
import { isFrontends, isOutOfMemory } from "./link/attach_errors.ts";
import type { StreamTransport } from "./link/published.ts";
import { type CardServices, CardStreams } from "./stream/card_streams.ts";
import type { StreamControl } from "./stream/stream_control.ts";

/**
 * How long a fresh card stays in InitWait at least. `xl vsnd-attach` gives up unless it sees that very state, and looks only when a
 * watch tells it to.
 */
const INIT_WAIT_MS = 300;
/** How long a card that the host could not connect waits for the next try. */
const RETRY_MS = 1000;

export class VirtualCard {
  readonly #log;
  readonly #streams: CardStreams;
  #phase: Phase;
  /** Whether the toolstack has just made the card, and the frontend has yet to find it. */
  #isFresh = false;
  #initWaitUntil = 0;
  readonly #writes: FrontendWrites;
  /** Whether the frontend has published rings since it was connected. */
  #hasPublishedAnew = false;
  readonly #pause = new OfferPause();
  /** Of a guest that does not see the backend's own state. */
  #view: GuestView | undefined;
  /** The requests that the frontend had sent when it was connected. */
  #requestsBefore = 0;
  /** The card's state as of the last look. */
  #seen: XenbusState | undefined;
  #isClosed = false;
  #isShutDown = false;
  /** Set while the card waits until it looks again. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #evaluating: Promise<void> | undefined;
  #again = false;

  /** @param phase the first phase of the handshake */
  constructor(
    private readonly domain: GuestDomain,
    readonly address: CardAddress,
    readonly paths: CardPaths,
    readonly policy: CardPolicy,
    private readonly services: CardServices,
    phase: Phase,
  ) {
    this.#phase = phase;
    this.#log = getLogger(["xsnd", "card"]).with({ card: lazy(() => this.name) });
    this.#streams = new CardStreams(this, paths, policy, services);
    const meant = [paths.frontend, `${paths.frontend}/state`, ...this.#streams.transportNodes];
    this.#writes = new FrontendWrites(new Set(meant), () => void this.evaluate());
  }

  /** `domU/0`. It changes with the domain's name. */
  get name(): string {
    return `${this.domain.name}/${this.address.card}`;
  }

  get domainHash(): number {
    return this.domain.hash;
  }

  get streams(): readonly StreamControl[] {
    return this.#streams.controls;
  }

  /** Whether the streams are connected to the frontend. */
  get connected(): boolean {
    return this.#phase === "connected";
  }

  /** Takes over of `policy` what can change under a connected frontend. The frontend has read the rest, and goes by that. */
  setPolicy(policy: CardPolicy): void {
    this.#streams.setPolicy(policy);
  }

  /** Whether `policy` is the one that the card was made by. */
  isMadeBy(policy: CardPolicy): boolean {
    return policyText(policy) === policyText(this.policy);
  }

  /** Whether the toolstack has put a new card in the place of this one. */
  get isReplaced(): boolean {
    return isReplaced(readState(this.services.store, this.paths.backend), this.#phase);
  }

  /** Whether the toolstack has detached the card: a card that takes its place is another one. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Takes the card over in whatever state it was left. */
  async start(): Promise<void> {
    const begun = Promise.withResolvers<void>();
    // Changes that come meanwhile are looked at afterwards.
    this.#evaluating = begun.promise;
    try {
      if (!await this.#getReady()) return;
      this.#view = GuestView.find(this.services.store, this.paths, this.address.domid);
      await this.#step();
    } finally {
      this.#evaluating = undefined;
      begun.resolve();
    }
    await this.evaluate();
  }

  /**
   * Gets the streams ready. Returns false if the host lacks what they need, or the guest may not have them: then this card is not
   * served, and others are.
   */
  async #getReady(): Promise<boolean> {
    const failure = await this.#streams.getReady();
    if (failure === undefined) return true;
    this.#log.error("it is not served: {reason}; start `xsnd serve` again when that is mended", {
      reason: failure.message,
    });
    this.#isShutDown = true;
    await this.#streams.giveUp();
    return false;
  }

  /** The node at `path` in the frontend's directory has changed. The guest writes there what it likes, as often as it likes. */
  frontendChanged(path: string): void {
    if (!this.#writes.changed(path)) return;
    if (this.#phase === "refused") this.#phase = "waiting";
    this.#hasPublishedAnew = true;
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
      // With XenStore away there is nothing to look at; when it comes back all cards are looked at.
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

  /** Looks once, and carries out what that calls for; sets #again if the action calls for another look. */
  async #step(): Promise<void> {
    // Also of a card that is not served, for want of what its guest may have: the next daemon serves it.
    for (const { operator } of this.streams) operator.keepAgain();
    if (this.#isShutDown) return;
    const ends = this.#readEnds();
    this.#seen = ends.backend;
    const now = performance.now();
    const dwellMs = Math.max(this.#initWaitUntil, this.#writes.quietAt) - now;
    const offerMs = this.#pause.remaining(now);
    const action = nextAction(ends, {
      phase: this.#phase,
      isFresh: this.#isFresh,
      hasPublishedAnew: this.#hasPublishedAnew,
      dwellMs,
      offerMs,
    });
    await this.#carryOut(action, ends, ends.backend === XenbusState.InitWait ? dwellMs : offerMs);
  }

  #readEnds(): CardEnds {
    const { services: { store }, paths } = this;
    const backend = readState(store, paths.backend);
    if (backend === undefined) return { backend, frontend: undefined, isOffline: false };
    return { backend, isOffline: this.#isOffline(), frontend: readState(store, paths.frontend) };
  }

  #isOffline(): boolean {
    return this.services.store.read(`${this.paths.backend}/online`) === "0";
  }

  async #carryOut(action: Action, ends: CardEnds, waitMs: number): Promise<void> {
    switch (action) {
      case "none":
        return;
      case "removed":
        return await this.#disconnect("the toolstack has removed the card");
      case "replaced":
        return await this.#disconnect("the toolstack has put another card in its place");
      case "close":
        await this.#disconnect("the toolstack detaches the card", { next: "waiting" });
        this.#writeState(XenbusState.Closed);
        this.#isClosed = true;
        return;
      case "adopt":
        return await this.#adopt(ends.backend);
      case "initWait":
        this.#enterInitWait(ends.backend);
        this.#again = true;
        return;
      case "restate":
        this.#writeState(XenbusState.Connected);
        this.#again = true;
        return;
      case "startOver":
        await this.#disconnect("the frontend is gone or starts over", { isOpen: false });
        if (this.#isToPause(ends.frontend)) this.#writeState(XenbusState.Closing);
        else this.#enterInitWait(XenbusState.Connected);
        this.#again = true;
        return;
      case "remind":
        return this.#remindFrontend();
      case "forgive":
        this.#phase = "waiting";
        this.#again = true;
        return;
      case "wait":
        return this.#evaluateIn(waitMs);
      case "connect":
        return await this.#connect();
    }
  }

  /** The frontend has left. Whether the card is offered later: the frontend has left soon, and unused, again and again. */
  #isToPause(frontend: XenbusState | undefined): boolean {
    // A frontend that publishes its rings anew does not leave.
    if (frontend !== XenbusState.Closing && frontend !== XenbusState.Closed) return false;
    const wasUsed = this.#streams.requests > this.#requestsBefore;
    const pauseMs = this.#pause.left(performance.now(), wasUsed);
    if (pauseMs === 0) return false;
    this.#log.warn(
      "its frontend leaves as soon as it is connected, {times} times in a row; it is offered again in {seconds} s " +
        "(snd_xen_front can have one card in a guest)",
      { times: this.#pause.shortConnections, seconds: pauseMs / 1000 },
    );
    return true;
  }

  /** Writes the card's state, unless the toolstack has put another card in its place since the card was looked at. */
  #writeState(state: XenbusState): void {
    const isOurs = (present: XenbusState) =>
      present !== XenbusState.Initialising || this.#seen === XenbusState.Initialising;
    switchState(this.services.store, this.paths.backend, state, isOurs, this.#view?.mirror);
  }

  /**
   * Goes on with the rings of a frontend that was connected to a former daemon. If the rings are no good, the frontend starts over. If
   * this host lacks what that takes, the frontend waits: a kernel whose driver starts over with its PCM open may crash.
   */
  async #adopt(from: XenbusState | undefined): Promise<void> {
    const failure = await this.#streams.takeSeats();
    if (failure !== undefined) return await this.#tryAgain(failure);
    if (this.#isShutDown) return;
    try {
      this.#attach(this.#streams.readTransports(), true);
    } catch (error) {
      if (isOutOfMemory(error)) return await this.#tryAgain(error);
      if (!isFrontends(error)) throw error;
      this.#log.info("its frontend is to start over: {reason}", { reason: (error as Error).message });
      await this.#disconnect("");
      return this.#enterInitWait(from);
    }
    this.#writeState(XenbusState.Connected);
    this.#log.info("taken over, {streams} streams", { streams: this.streams.length });
  }

  #enterInitWait(from: XenbusState | undefined): void {
    // Only at the toolstack's fresh card does somebody wait to see InitWait.
    if (from === XenbusState.Initialising) {
      this.#initWaitUntil = performance.now() + INIT_WAIT_MS;
      this.#isFresh = true;
      if (this.#mayHaveOpenPcm()) {
        this.#view ??= GuestView.begin(this.services.store, this.paths, this.address.domid);
      }
    }
    this.#writeState(XenbusState.InitWait);
    this.#phase = "waiting";
  }

  /** Whether the guest may have been restored with a PCM open that is a former card's. */
  #mayHaveOpenPcm(): boolean {
    const { domain, services: { openAtEnd, store } } = this;
    return openAtEnd?.mayBeOpen(domain) === true && hasNotBooted(store, domain.domid);
  }

  /**
   * A guest's kernel takes a second to give up a detached card. If another is attached before, the kernel writes the end of the
   * former, Closed, to the new one, and ignores the new one then, as it ignores all cards that are not Initialising.
   */
  #remindFrontend(): void {
    this.#isFresh = false;
    try {
      switchState(this.services.store, this.paths.frontend, XenbusState.Initialising);
    } catch (error) {
      // In a driver domain only the toolstack may write that.
      if (!(error instanceof StoreError)) throw error;
      this.#log.warn("its guest takes it for one that was detached: {reason}", { reason: error.message });
    }
  }

  #evaluateIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.evaluate(), ms);
  }

  /** Takes the frontend's rings, unless the frontend writes meanwhile: then another look is due already. */
  async #connect(): Promise<void> {
    const { writtenAt } = this.#writes;
    const isOver = () => this.#writes.writtenAt !== writtenAt || this.#isShutDown;
    const failure = await this.#streams.takeSeats();
    if (failure !== undefined) return await this.#tryAgain(failure);
    try {
      const transports = await this.#readTransports();
      if (isOver()) return;
      this.#attach(transports, false);
    } catch (error) {
      if (isStoreLost(error)) throw error;
      if (isOver()) return;
      if (isOutOfMemory(error)) return await this.#tryAgain(error);
      // A frontend that starts over ends its grants first, and this host may not have heard of that yet.
      await this.services.store.settled();
      if (isOver()) return;
      await this.#refuse(error instanceof Error ? error.message : String(error));
      if (!isFrontends(error)) throw error;
      return;
    }
    this.#writeState(XenbusState.Connected);
    this.#log.info("connected, {streams} streams", { streams: this.streams.length });
  }

  /**
   * Reads the frontend's rings, and waits until all changes from before have been heard of. A busy host hears of changes long after it
   * can read them. A change that is heard of later than that is a new start of the frontend.
   */
  async #readTransports(): Promise<StreamTransport[]> {
    try {
      return this.#streams.readTransports();
    } finally {
      await this.services.store.settled();
    }
  }

  #attach(transports: readonly StreamTransport[], resumes: boolean): void {
    this.#streams.attach(transports, resumes);
    this.#phase = "connected";
    this.#pause.connected(performance.now());
    this.#requestsBefore = this.#streams.requests;
    this.#hasPublishedAnew = this.#isFresh = false;
    this.services.openAtEnd?.began(this.domain);
  }

  /**
   * This host has no memory for the frontend's pages, or no engine for its streams. That is no fault of the frontend, which sees no
   * change.
   */
  async #tryAgain(error: Error): Promise<void> {
    this.#log.warn("not connected yet, tried again in {seconds} s: {reason}", {
      seconds: RETRY_MS / 1000,
      reason: error.message,
    });
    await this.#disconnect("");
    this.#evaluateIn(RETRY_MS);
  }

  /** The frontend does not keep to the protocol: nothing is served until it starts over. */
  async #refuse(reason: string): Promise<void> {
    this.#log.error("not served until its frontend starts over: {reason}", { reason });
    await this.#disconnect(reason, { next: "refused" });
    this.#writeState(XenbusState.Closing);
  }

  /**
   * @param leaves whether the next daemon is to go on with what the guest has open
   * @param isOpen whether the guest's kernel has a PCM open for which the card is gone
   */
  async #disconnect(
    reason: string,
    { next, leaves = false, isOpen = this.#streams.anyIsOpen }: {
      next?: Phase;
      leaves?: boolean;
      isOpen?: boolean;
    } = {},
  ): Promise<void> {
    clearTimeout(this.#timer);
    const wasConnected = this.connected;
    // A driver that goes by itself leaves nothing open.
    if (wasConnected && !leaves) this.services.openAtEnd?.ended(this.domain, isOpen);
    this.#phase = next ?? (wasConnected ? "waiting" : this.#phase);
    await this.#streams.detach(leaves);
    if (wasConnected) this.#log.info("disconnected: {reason}", { reason });
  }

  /**
   * Lets go of everything; the card itself stays. For a daemon that starts later (`leave`) a connected card keeps its state, and so does
   * one that this daemon had yet to take over: the driver would start over at any change. Another card is left as provisioning made it.
   */
  async shutDown({ leave }: { leave: boolean }): Promise<void> {
    this.#isShutDown = true;
    this.#writes[Symbol.dispose]();
    this.#view?.[Symbol.dispose]();
    await this.#evaluating;
    const isUntouched = !leave || this.connected || this.#phase === "found";
    await this.#disconnect("the daemon ends", { leaves: leave });
    await this.#streams.giveUp();
    try {
      if (isUntouched || this.#isOffline()) return;
      this.#writeState(XenbusState.Initialising);
    } catch (error) {
      // XenStore is lost, which may be why the daemon ends; the next one finds whatever state there is.
      if (!(error instanceof StoreError)) throw error;
      this.#log.warn("left in another state: {reason}", { reason: error.message });
    }
  }
}
