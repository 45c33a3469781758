// SPDX-License-Identifier: MIT
/**
 * The event page (`struct xensnd_event_page`): in_cons, in_prod (uint32), padding up to octet 64, 63 slots of 64 octets. The
 * backend produces, the frontend consumes.
 *
 * The slot of an index is `index % 63` of the *uint32*, as in XENSND_IN_RING_REF. 2^32 is not a multiple of 63: indices 2^32-4
 * to 2^32-1 have the same slots as 0 to 3. Where the index wraps, the producer must see the former consumed before it fills
 * the latter.
 *
 * Event ids. Linux drops an event whose id is not the expected one, and expects the next id all the same. The id expected at
 * index i depends on the driver's age (sound/xen/xen_snd_front_evtchnl.c):
 *
 *     linux-6.1   i                mod 2^16   counted from when the page was made
 *     linux-7.2   i - base         mod 2^16   counted from index `base`, where the stream's last OPEN found it
 *
 * When base mod 2^16 is 0 both agree. Otherwise each position is published twice, in neighbouring slots p and p+1, with ids p
 * and p+1-base: each driver takes exactly one of the two.
 */
import { PACKET_SIZE, XENSND_EVENT_PAGE_SIZE, XENSND_IN_RING_LEN, XENSND_IN_RING_OFFS } from "./constants.ts";
import { encodeCurPosEvent, type EventView } from "./event.ts";
import { Taken } from "./ring.ts";

/** Word indices of the header. */
const IN_CONS = 0;
const IN_PROD = 1;

/** How many slots come round too early where the index wraps: 2^32 mod 63. */
const EARLY_SLOTS = 2 ** 32 % XENSND_IN_RING_LEN;

/**
 * Octet offset, in the event page, of the slot of `index`: `XENSND_IN_RING_REF(page, index)`.
 *
 * @example
 * ```ts
 * import { eventSlotOffset } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual([eventSlotOffset(0), eventSlotOffset(1), eventSlotOffset(63)], [64, 128, 64]);
 * ```
 */
export function eventSlotOffset(index: number): number {
  return XENSND_IN_RING_OFFS + (index >>> 0) % XENSND_IN_RING_LEN * PACKET_SIZE;
}

/**
 * The backend's end. After construction nothing here allocates, or throws, whatever the guest writes.
 *
 * @example
 * ```ts
 * import { EventPageConsumer, EventPageProducer, EventView, positionHigh, positionLow, XENSND_EVENT_PAGE_SIZE } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const page = new ArrayBuffer(XENSND_EVENT_PAGE_SIZE);
 * const backend = new EventPageProducer(page);
 * const frontend = new EventPageConsumer(page, 0, "linux-6.1");
 * assert.equal(backend.publishCurPos(positionLow(4096), positionHigh(4096)), true); // notify the frontend
 *
 * const event = new EventView();
 * assert.equal(frontend.take(event), 1);
 * assert.equal(event.position, 4096);
 * ```
 */
export class EventPageProducer {
  readonly #view: DataView;
  readonly #words: Int32Array;
  #inProd: number;
  #base: number;
  #frontendBroken = false;

  /**
   * Goes on where the in_prod of the page at `byteOffset` of `buffer` stands: at 0 on a new page, beyond when another backend
   * has published before. (The page is the guest's, and a guest that changes in_prod harms itself alone.)
   */
  constructor(buffer: ArrayBuffer, byteOffset = 0) {
    this.#view = new DataView(buffer, byteOffset, XENSND_EVENT_PAGE_SIZE);
    this.#words = new Int32Array(buffer, byteOffset, XENSND_EVENT_PAGE_SIZE / 4);
    this.#inProd = Atomics.load(this.#words, IN_PROD);
    this.#base = this.#inProd;
  }

  /** Index of the next event, uint32. */
  get inProd(): number {
    return this.#inProd >>> 0;
  }

  /** Index at the stream's last OPEN, uint32. */
  get base(): number {
    return this.#base >>> 0;
  }

  /** Whether in_cons, when last read, could not be true: ahead of in_prod, or more than a page behind. */
  get frontendBroken(): boolean {
    return this.#frontendBroken;
  }

  /** Call this at each OPEN: newer drivers count events from here. */
  opened(): void {
    this.#base = this.#inProd;
  }

  /** Goes on with an OPEN of a former backend's, which found the page at the index `base`. */
  resumed(base: number): void {
    this.#base = base | 0;
  }

  /**
   * Publishes XENSND_EVT_CUR_POS with a position, octets since OPEN, in the halves of {@link positionLow} and
   * {@link positionHigh}. Returns true if the position was published: then notify the event channel. Returns false if the page
   * has no room: no id is used up, and the next call makes up for it, since positions are cumulative.
   */
  publishCurPos(low: number, high: number): boolean {
    const first = this.#inProd;
    const twice = (this.#base & 0xffff) !== 0;
    const last = twice ? first + 1 | 0 : first;
    const inCons = Atomics.load(this.#words, IN_CONS);
    this.#frontendBroken = (first - inCons) >>> 0 > XENSND_IN_RING_LEN;
    if (!isFree(first, inCons) || !isFree(last, inCons)) return false;

    encodeCurPosEvent(this.#view, eventSlotOffset(first), first, low, high);
    if (twice) encodeCurPosEvent(this.#view, eventSlotOffset(last), last - this.#base, low, high);
    this.#inProd = last + 1 | 0;
    // One store for both events: the frontend never sees half of the pair.
    Atomics.store(this.#words, IN_PROD, this.#inProd);
    return true;
  }
}

/** Whether the slot of `index` is free: it holds no event that a frontend at `inCons` has yet to read. */
function isFree(index: number, inCons: number): boolean {
  const ahead = (index - inCons) >>> 0;
  return ahead < XENSND_IN_RING_LEN && !(index >>> 0 < EARLY_SLOTS && ahead >= EARLY_SLOTS);
}

/** The driver whose ids a frontend expects; see the top of this file. */
export type EventIdBehaviour = "linux-6.1" | "linux-7.2";

/**
 * The frontend's end, after `evtchnl_interrupt_evt`.
 *
 * @example
 * ```ts
 * import { EventPageConsumer, EventPageProducer, EventView, positionHigh, positionLow, XENSND_EVENT_PAGE_SIZE } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const page = new ArrayBuffer(XENSND_EVENT_PAGE_SIZE);
 * const backend = new EventPageProducer(page);
 * const frontend = new EventPageConsumer(page, 0, "linux-6.1");
 * assert.equal(backend.publishCurPos(positionLow(4096), positionHigh(4096)), true); // notify the frontend
 *
 * const event = new EventView();
 * assert.equal(frontend.take(event), 1);
 * assert.equal(event.position, 4096);
 * ```
 */
export class EventPageConsumer {
  readonly #words: Int32Array;
  #inCons: number;
  #expectedId = 0;
  #dropped = 0;

  /** `buffer` holds the page, new and zeroed, at `byteOffset`. */
  constructor(buffer: ArrayBuffer, byteOffset: number, readonly behaviour: EventIdBehaviour) {
    this.#words = new Int32Array(buffer, byteOffset, XENSND_EVENT_PAGE_SIZE / 4);
    this.#inCons = Atomics.load(this.#words, IN_CONS);
  }

  /** How many events were dropped because their id was not the expected one. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Call this when the PCM is opened, before OPEN: newer drivers start afresh here. */
  pcmOpened(): void {
    if (this.behaviour === "linux-6.1") return;
    this.#expectedId = 0;
    this.#inCons = Atomics.load(this.#words, IN_PROD);
    Atomics.store(this.#words, IN_CONS, this.#inCons);
  }

  /**
   * Copies the next event with the expected id into `event`. Returns one of {@link Taken}; "broken" is about the backend. Call
   * this until `Taken.none`: that call confirms to the backend that the batch is consumed.
   */
  take(event: EventView): number {
    const inProd = Atomics.load(this.#words, IN_PROD);
    if ((inProd - this.#inCons) >>> 0 > XENSND_IN_RING_LEN) return Taken.broken;
    while (this.#inCons !== inProd) {
      event.copyFrom(this.#words, eventSlotOffset(this.#inCons) >> 2);
      const expected = this.#expectedId;
      this.#expectedId = expected + 1 & 0xffff;
      this.#inCons = this.#inCons + 1 | 0;
      if (event.id === expected) return Taken.one;
      this.#dropped++;
    }
    Atomics.store(this.#words, IN_CONS, inProd);
    return Taken.none;
  }
}
