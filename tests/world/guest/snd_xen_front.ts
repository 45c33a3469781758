// SPDX-License-Identifier: MIT
/**
 * The driver of one card (sound/xen/xen_snd_front.c, `struct xen_snd_front_info`): what it does as its backend changes states, the
 * card that it registers with ALSA, and the end of that card.
 *
 * The driver's weaknesses stand here as they are. It registers its card at index 0 alone, so that a kernel has one such card at a
 * time. It starts over whenever it sees InitWait. If a program has a PCM open then, the end of the card frees memory that the
 * program's close(2) uses: the kernel oopses, and xenwatch waits for ever for the program to close (`snd_card_free`).
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import {
  type EventIdBehaviour,
  XENSND_FIELD_EVT_CHNL,
  XENSND_FIELD_EVT_EVT_CHNL,
  XENSND_FIELD_EVT_RING_REF,
  XENSND_FIELD_RING_REF,
} from "../../../lib/sndif/mod.ts";
import { placeInCard } from "../../../lib/stream/stream_name.ts";
import { type FrontendCard, readFrontendCard } from "../../../lib/vsnd/nodes/frontend_dir.ts";
import { stateName, XenbusState } from "../../../lib/xenbus/mod.ts";
import type { Direction } from "../../../lib/pcm/pcm.ts";
import { type GuestDomain, GuestStoreError } from "../xen/guest_domain.ts";
import type { StreamAccount } from "./account.ts";
import { ChannelPair } from "./channels.ts";
import { type BlockingStore, storeView } from "./blocking_store.ts";
import { XenStream } from "./stream_ops.ts";
import { type Blocking, type Tasks, WaitQueue } from "./tasks.ts";
import type { XenbusDevice, XenbusDriver } from "./xenbus.ts";

/** µs between two looks of `xen_drv_remove` at the backend's state, and how many looks there are. */
const REMOVE_POLL = 10_000;
const REMOVE_POLLS = 100;

/** What the driver needs of its kernel. */
export interface DriverKernel {
  readonly tasks: Tasks;
  readonly domain: GuestDomain;
  readonly store: BlockingStore;
  readonly generation: EventIdBehaviour;
  /** The account of the stream at `place` of the card, the same for good. */
  account(nodename: string, place: string, direction: Direction): StreamAccount;
  /** `snd_card_new`: false if the card's index is taken (EBUSY). */
  register(card: SoundCard): boolean;
  unregister(card: SoundCard): void;
}

/** `struct snd_card` of the driver's. */
export class SoundCard {
  readonly streams: XenStream[] = [];
  /** Whether programs get ENODEV for everything but close(2). */
  isShutdown = false;
  /** Files that programs have open. */
  #files = 0;
  readonly #closed = new WaitQueue();

  constructor(private readonly kernel: DriverKernel, readonly nodename: string) {}

  get files(): number {
    return this.#files;
  }

  fileOpened(): void {
    this.#files++;
  }

  fileClosed(): void {
    if (--this.#files === 0) this.#closed.wakeAll();
  }

  /**
   * `snd_card_free`: returns as soon as no program has the card open any more.
   * @param cause of the card's end, for whoever looks into an oops
   * @param isBackends whether the backend has chosen that
   */
  *free(cause: string, isBackends: boolean): Blocking<void> {
    this.isShutdown = true;
    this.kernel.unregister(this);
    for (const { substream } of this.streams) yield* substream.disconnect();
    // device_del: the streams' memory belongs to the card's device.
    for (const stream of this.streams) stream.freeMemory(cause, isBackends);
    while (this.#files > 0) yield* this.kernel.tasks.sleep(this.#closed, Infinity, false);
  }
}

interface Stream {
  readonly place: string;
  readonly pair: ChannelPair;
}

export class XenSndFront implements XenbusDriver {
  #config: FrontendCard | undefined;
  #streams: Stream[] = [];
  #card: SoundCard | undefined;

  constructor(private readonly kernel: DriverKernel, private readonly device: XenbusDevice) {}

  /** `xen_drv_probe`. */
  probe(): Blocking<void> {
    return this.device.switchState(XenbusState.Initialising);
  }

  /** `sndback_changed`. */
  *otherendChanged(state: XenbusState): Blocking<void> {
    const { device } = this;
    switch (state) {
      case XenbusState.Initialising:
        return yield* this.#disconnect(state);
      case XenbusState.InitWait: {
        yield* this.#disconnect(state);
        const error = yield* this.#initWait();
        if (error < 0) return yield* device.fatal(error, "initializing frontend");
        return yield* device.switchState(XenbusState.Initialised);
      }
      case XenbusState.Connected: {
        if (device.state !== XenbusState.Initialised) return;
        const error = this.#connect();
        if (error < 0) return yield* device.fatal(error, "initializing frontend");
        return yield* device.switchState(XenbusState.Connected);
      }
      case XenbusState.Unknown:
      case XenbusState.Closed:
        if (device.state !== XenbusState.Closed) yield* this.#disconnect(state);
    }
  }

  /** `sndback_disconnect`. */
  *#disconnect(state: XenbusState): Blocking<void> {
    // A backend writes that of its own accord, unless the card is another one by now: the toolstack removes and replaces cards.
    const isAnew = state === XenbusState.InitWait || state === XenbusState.Initialising;
    const isBackends = this.#card !== undefined && isAnew && this.#isSameCard();
    yield* this.#end(`its backend is ${stateName(state)}`, isBackends);
    yield* this.device.switchState(XenbusState.Initialising);
  }

  /** Whether the card's nodes are those that the driver has published in. The driver does not look; the account does. */
  #isSameCard(): boolean {
    const { kernel: { domain }, device: { nodename } } = this;
    const path = (place: string) => `${nodename}/${place}/${XENSND_FIELD_RING_REF}`;
    try {
      return this.#streams.every(({ place, pair }) =>
        domain.store.read(path(place)) === String(pair.ringRef)
      );
    } catch (error) {
      if (!(error instanceof GuestStoreError)) throw error;
      return false; // XenStore is away, or the card is
    }
  }

  /** `xen_snd_drv_fini`. */
  *#end(cause: string, isBackends: boolean): Blocking<void> {
    const card = this.#card;
    this.#card = undefined;
    if (card !== undefined) yield* card.free(cause, isBackends);
    const streams = this.#streams;
    this.#streams = [];
    for (const { pair } of streams) yield* pair.free();
  }

  /** `sndback_initwait`: 0 or -errno. */
  *#initWait(): Blocking<number> {
    const { kernel, device } = this;
    const config = yield* kernel.store.attempt((view) => readFrontendCard(storeView(view), device.nodename));
    // xen_snd_front_cfg_card
    if (config.pcms.length === 0) return -ERRNO.ENODEV;
    if (config.pcms.some(({ streams }) => streams.some(({ type }) => type === undefined))) {
      return -ERRNO.EINVAL;
    }
    this.#config = config;
    if (!this.#createChannels(config)) return -ERRNO.ENOMEM;
    return yield* this.#publish();
  }

  /** `xen_snd_front_evtchnl_create_all`. Returns false if there are no pages or ports left. */
  #createChannels({ pcms }: FrontendCard): boolean {
    const { tasks, domain, generation } = this.kernel;
    const { nodename, otherendId } = this.device;
    for (const [p, { streams }] of pcms.entries()) {
      for (const [s, { type }] of streams.entries()) {
        const place = placeInCard(p, s);
        const account = this.kernel.account(nodename, place, type!);
        try {
          const pair = new ChannelPair(tasks, domain, otherendId, account, generation);
          this.#streams.push({ place, pair });
        } catch (error) {
          account.incident(tasks.clock.now, "no memory", String(error));
          return false;
        }
      }
    }
    return true;
  }

  /** `xen_snd_front_evtchnl_publish_all`. */
  *#publish(): Blocking<number> {
    const { kernel, device } = this;
    const error = yield* kernel.store.transaction((view) => {
      for (const { place, pair } of this.#streams) {
        const path = `${device.nodename}/${place}`;
        view.write(`${path}/${XENSND_FIELD_RING_REF}`, String(pair.ringRef));
        view.write(`${path}/${XENSND_FIELD_EVT_CHNL}`, String(pair.requestPort));
        view.write(`${path}/${XENSND_FIELD_EVT_RING_REF}`, String(pair.eventRingRef));
        view.write(`${path}/${XENSND_FIELD_EVT_EVT_CHNL}`, String(pair.eventPort));
      }
    });
    if (error < 0) yield* device.fatal(error, "writing XenStore");
    return error;
  }

  /** `xen_snd_front_alsa_init`: 0 or -errno. */
  #connect(): number {
    const { kernel, device } = this;
    const card = new SoundCard(kernel, device.nodename);
    if (!kernel.register(card)) return -ERRNO.EBUSY;
    const specs = this.#config!.pcms.flatMap(({ streams }) => streams);
    this.#streams.forEach(({ place, pair }, index) => {
      const { tasks, domain, generation } = kernel;
      const { type, effective } = specs[index]!;
      const { otherendId } = device;
      card.streams.push(
        new XenStream(tasks, domain, otherendId, pair, generation, place, type!, effective, card),
      );
    });
    this.#card = card;
    return 0;
  }

  /** `xen_drv_remove`. */
  *remove(): Blocking<void> {
    const { kernel, device } = this;
    yield* device.switchState(XenbusState.Closing);
    const { otherend } = device;
    for (let i = 1; i < REMOVE_POLLS && otherend !== undefined; i++) {
      if ((yield* kernel.store.state(otherend)) === XenbusState.InitWait) break;
      yield* kernel.tasks.sleep(undefined, REMOVE_POLL, false);
    }
    yield* this.#end("the driver is removed", false);
    // xenbus_frontend_closed
    yield* device.switchState(XenbusState.Closed);
  }
}
