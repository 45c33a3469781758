// SPDX-License-Identifier: MIT
/**
 * The frontend of a card, in the steps of `snd_xen_front` (`xen_snd_front.c`): reads the configuration from XenStore, waits for
 * InitWait, makes rings and event channels for each stream, publishes them, and waits for Connected.
 */
import { ERRNO } from "../../ffi/libc/errno.ts";
import { clearErrno, errno } from "../../ffi/libc/failed_call.ts";
import { libc } from "../../ffi/libc/libc.ts";
import { Exit, XsndError } from "../base/error.ts";
import {
  XENSND_FIELD_EVT_CHNL,
  XENSND_FIELD_EVT_EVT_CHNL,
  XENSND_FIELD_EVT_RING_REF,
  XENSND_FIELD_RING_REF,
} from "../sndif/mod.ts";
import { placeInCard } from "../stream/stream_name.ts";
import { type FrontendCard, readFrontendCard } from "../vsnd/nodes/frontend_dir.ts";
import {
  frontendPath,
  readState,
  stateName,
  StateTimeoutError,
  switchState,
  waitForState,
} from "../xenbus/mod.ts";
import { XenbusState } from "../xenbus/mod.ts";
import type { EventChannels, GrantSharer, StoreView, Xen } from "../xen/ports.ts";
import { StreamFrontend, type StreamFrontendOptions } from "./stream_frontend.ts";

/** How long the backend may take for each step of the hand-shake. */
const HANDSHAKE_MS = 10_000;
/** `xen_drv_remove` waits 100 times 10 ms for the backend to leave Connected. */
const REMOVE_MS = 1000;

/** The node with the process that acts as the frontend: a dead process leaves the card free. */
const FIELD_PID = "xsnd-pid";

export class CardFrontend implements AsyncDisposable {
  readonly streams = new Map<string, StreamFrontend>();
  readonly backendDomid: number;
  readonly config: FrontendCard;
  readonly #path: string;
  readonly #backend: string;
  readonly sharer: GrantSharer;
  readonly #channels: EventChannels;
  #claimed = false;

  private constructor(
    private readonly xen: Xen,
    domain: string,
    card: number,
    private readonly options: StreamFrontendOptions,
  ) {
    const { store } = xen;
    this.#path = frontendPath(xen.domid, card);
    const backend = store.read(`${this.#path}/backend`);
    if (backend === undefined) {
      throw new XsndError(
        `domain ${domain} has no sound card ${card}; \`xsnd provision ${domain}\` gives it one`,
      );
    }
    this.#backend = backend;
    this.backendDomid = Number(store.read(`${this.#path}/backend-id`));
    this.config = readFrontendCard(store, this.#path);
    this.sharer = xen.openGrantSharer();
    this.#channels = xen.openEventChannels();
  }

  /**
   * Connects as the frontend of `card`; `domain` is for messages. Throws {@link XsndError}: exit 1 if there is no such card, or if
   * another frontend has it; 124 if the backend is too slow.
   */
  static async connect(
    xen: Xen,
    domain: string,
    card: number,
    options: StreamFrontendOptions,
  ): Promise<CardFrontend> {
    const frontend = new CardFrontend(xen, domain, card, options);
    try {
      await frontend.#handShake(`${domain}/${card}`);
      return frontend;
    } catch (error) {
      await frontend[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #handShake(name: string): Promise<void> {
    const { store } = this.xen;
    store.transaction((view) => this.#claim(view, name));
    this.#claimed = true;
    switchState(store, this.#path, XenbusState.Initialising);
    await this.#await(name, XenbusState.InitWait);
    const byEventPort = new Map<number, StreamFrontend>();
    this.config.pcms.forEach((pcm, p) =>
      pcm.streams.forEach((_, s) => {
        const stream = new StreamFrontend(
          `${name}/${placeInCard(p, s)}`,
          this.#channels,
          this.sharer,
          this.backendDomid,
          this.options,
          byEventPort,
        );
        this.streams.set(placeInCard(p, s), stream);
      })
    );
    store.transaction((view) => {
      for (const [key, stream] of this.streams) {
        view.write(`${this.#path}/${key}/${XENSND_FIELD_RING_REF}`, String(stream.ringRef));
        view.write(`${this.#path}/${key}/${XENSND_FIELD_EVT_CHNL}`, String(stream.requestPort));
        view.write(`${this.#path}/${key}/${XENSND_FIELD_EVT_RING_REF}`, String(stream.eventRingRef));
        view.write(`${this.#path}/${key}/${XENSND_FIELD_EVT_EVT_CHNL}`, String(stream.eventPort));
      }
    });
    switchState(store, this.#path, XenbusState.Initialised);
    await this.#await(name, XenbusState.Connected);
    switchState(store, this.#path, XenbusState.Connected);
  }

  /** Claims the card. A card has one frontend. */
  #claim(view: StoreView, name: string): void {
    const pid = view.read(`${this.#path}/${FIELD_PID}`);
    const state = readState(view, this.#path);
    if (pid !== undefined && /^\d+$/.test(pid) && Number(pid) !== Deno.pid && isAlive(Number(pid))) {
      throw new XsndError(
        `card ${name} is in use: process ${pid} is its frontend (${
          stateName(state)
        }); wait for it, or end it`,
      );
    }
    if (pid === undefined && (state === XenbusState.Connected || state === XenbusState.Initialised)) {
      throw new XsndError(
        `card ${name} is in use: the domain's own driver is its frontend (${stateName(state)})`,
      );
    }
    view.write(`${this.#path}/${FIELD_PID}`, String(Deno.pid));
  }

  async #await(name: string, wanted: XenbusState): Promise<void> {
    try {
      await waitForState(this.xen.store, this.#backend, (state) => state === wanted, HANDSHAKE_MS);
    } catch (error) {
      if (!(error instanceof StateTimeoutError)) throw error;
      throw new XsndError(
        `waited ${HANDSHAKE_MS / 1000} s for the backend of card ${name} to become ${
          stateName(wanted)
        }, and it is ` +
          `${stateName(error.state)}; is \`xsnd serve\` running, and what does its log say?`,
        Exit.timedOut,
      );
    }
  }

  /** As `rmmod snd_xen_front`: Closing, wait until the backend leaves Connected, free the rings, Closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#claimed) await this.#remove();
    this.#channels[Symbol.dispose]();
    this.sharer[Symbol.dispose]();
  }

  async #remove(): Promise<void> {
    const { store } = this.xen;
    switchState(store, this.#path, XenbusState.Closing);
    try {
      const gone = (state: XenbusState | undefined) => state !== XenbusState.Connected;
      await waitForState(store, this.#backend, gone, REMOVE_MS);
    } catch (error) {
      if (!(error instanceof StateTimeoutError)) throw error;
    }
    for (const stream of this.streams.values()) stream[Symbol.dispose]();
    store.remove(`${this.#path}/${FIELD_PID}`);
    switchState(store, this.#path, XenbusState.Closed);
  }
}

/** Whether the process exists: kill(2) with signal 0 asks. EPERM: the process is another user's. */
function isAlive(pid: number): boolean {
  clearErrno();
  return libc().kill(pid, 0) === 0 || errno() === ERRNO.EPERM;
}
