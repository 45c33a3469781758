// SPDX-License-Identifier: MIT
/**
 * The event page (`struct xensnd_event_page`): in_cons, in_prod (uint32), padding up to octet 64, 63 slots of 64
 * octets. The backend produces, the frontend consumes.
 *
 * The slot of an index is `index % 63` of the *uint32*, as in XENSND_IN_RING_REF. 2^32 is not a multiple of 63, so
 * where the index wraps, slots 0 to 3 come round again at once: indices 2^32-4 to 2^32-1 have the same slots as 0
 * to 3. The producer must see the former consumed before it fills the latter.
 *
 * Event ids. Linux takes an event only if its id is the one expected, and expects the next one all the same. What is
 * expected of the event at index i depends on the driver's age (sound/xen/xen_snd_front_evtchnl.c):
 *
 *     linux-6.1   i                mod 2^16   counted from when the page was made
 *     linux-7.2   i - base         mod 2^16   counted from index `base`, where the stream's last OPEN found it
 *
 * When base mod 2^16 is 0 both agree. Else each position is published twice, in neighbouring slots p and p+1, with
 * ids p and p+1-base: each driver takes exactly one of them.
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
 * The backend's end. Allocates nothing after construction, and throws nothing whatever the guest writes.
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
   * Takes over the page at `byteOffset` of `buffer` where its in_prod stands: 0 when it is new, more when another
   * backend published on it before. (It is the guest's page, and only the guest suffers if it changed that.)
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

  /** Whether in_cons could not be true when it was last looked at: ahead of in_prod, or more than a page behind. */
  get frontendBroken(): boolean {
    return this.#frontendBroken;
  }

  /** To be called at each OPEN: newer drivers count events from here. */
  opened(): void {
    this.#base = this.#inProd;
  }

  /**
   * Publishes XENSND_EVT_CUR_POS with the position, octets since OPEN, whose halves {@link positionLow} and
   * {@link positionHigh} give. Returns true if it was published (then notify the event channel), false if there was
   * no room for all of it; no id is used up then, and since positions are cumulative the next call makes up for it.
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
    // Both at once: the frontend never sees half of the pair.
    Atomics.store(this.#words, IN_PROD, this.#inProd);
    return true;
  }
}

/** Whether the slot of `index` holds no event that a frontend at `inCons` has still to read. */
function isFree(index: number, inCons: number): boolean {
  const ahead = (index - inCons) >>> 0;
  return ahead < XENSND_IN_RING_LEN && !(index >>> 0 < EARLY_SLOTS && ahead >= EARLY_SLOTS);
}

/** Whose way of expecting ids a frontend follows; see the top of this file. */
export type EventIdBehaviour = "linux-6.1" | "linux-7.2";

/**
 * The frontend's end, in the manner of `evtchnl_interrupt_evt`.
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

  /** Events passed over because their id was not the one expected. */
  get dropped(): number {
    return this.#dropped;
  }

  /** To be called when the PCM is opened, before OPEN: newer drivers start afresh here. */
  pcmOpened(): void {
    if (this.behaviour === "linux-6.1") return;
    this.#expectedId = 0;
    this.#inCons = Atomics.load(this.#words, IN_PROD);
    Atomics.store(this.#words, IN_CONS, this.#inCons);
  }

  /**
   * Copies the next event with the expected id into `event`; returns one of {@link Taken}, "broken" being about the
   * backend. Call it until `Taken.none`: only then is the consumption of the batch confirmed to the backend.
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
