// SPDX-License-Identifier: MIT
/**
 * The shared ring of requests and responses (`xen/io/ring.h` over `struct xensnd_req` and `struct xensnd_resp`).
 *
 * One page: req_prod, req_event, rsp_prod, rsp_event (uint32), padding up to octet 64, 32 slots of 64 octets (the largest power
 * of two that fits). A response takes over the slot of a request that was consumed. Indices count up for ever, modulo 2^32;
 * the slot of an index is its low 5 bits.
 *
 * Atomics alone touch the four words: each access is a full barrier, which is at least as much as xen_mb, xen_rmb and xen_wmb
 * ask for. Each end keeps its own indices in private memory, as int32, and never reads them back from the page, which the
 * other end can write. After construction nothing here allocates or throws.
 */
import { PACKET_SIZE } from "./constants.ts";
import type { RequestView } from "./request.ts";
import type { ResponseView } from "./response.ts";

/** Slots of a ring page: `__RING_SIZE(xen_sndif_sring, XEN_PAGE_SIZE)`. */
export const RING_SIZE = 32;
/** Octets before the first slot. */
export const RING_HEADER_SIZE = 64;
/** Octets of a ring page that are in use. */
export const RING_BYTES: number = RING_HEADER_SIZE + RING_SIZE * PACKET_SIZE;

/** Word indices of the shared header. */
const REQ_PROD = 0;
const REQ_EVENT = 1;
const RSP_PROD = 2;
const RSP_EVENT = 3;

/** The result of taking a packet off a ring. */
export const Taken = {
  /** The other end's producer index is impossible: more packets than the ring can hold. Disconnect that stream. */
  broken: -1,
  none: 0,
  one: 1,
} as const;

/** Octet offset, in the ring page, of the slot of `index`. */
function slotOffset(index: number): number {
  return RING_HEADER_SIZE + (index & (RING_SIZE - 1)) * PACKET_SIZE;
}

/** The check of `RING_PUSH_*_AND_CHECK_NOTIFY`: whether `event` lies in (published, now]. */
function mustNotify(published: number, now: number, event: number): boolean {
  return (now - event) >>> 0 < (now - published) >>> 0;
}

/**
 * `SHARED_RING_INIT`: initialises a page, before the frontend publishes the page's grant reference.
 *
 * @example
 * ```ts
 * import { FrontRing, initSharedRing, RING_BYTES, RING_SIZE } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const page = new ArrayBuffer(RING_BYTES);
 * initSharedRing(page);
 * assert.equal(new FrontRing(page).free, RING_SIZE);
 * ```
 */
export function initSharedRing(buffer: ArrayBuffer, byteOffset = 0): void {
  const words = new Int32Array(buffer, byteOffset, RING_BYTES / 4);
  words.fill(0);
  Atomics.store(words, REQ_EVENT, 1);
  Atomics.store(words, RSP_EVENT, 1);
}

/**
 * The backend's end. At each wake-up: {@link take} and answer until `Taken.none`; {@link pushResponses}, and notify if it returns
 * true; {@link finalCheckForRequests}, and begin anew if it returns true.
 *
 * @example
 * ```ts
 * import { BackRing, encodeResponse, encodeTriggerRequest, FrontRing, initSharedRing, RequestView, ResponseView, RING_BYTES, XENSND_OP_TRIGGER_START } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const page = new ArrayBuffer(RING_BYTES);
 * initSharedRing(page);
 * const front = new FrontRing(page);
 * const back = new BackRing(page);
 * encodeTriggerRequest(front.view, front.reserve(), 7, XENSND_OP_TRIGGER_START);
 * assert.equal(front.pushRequests(), true); // notify the backend
 *
 * const request = new RequestView();
 * while (back.take(request) > 0) {
 *   encodeResponse(back.view, back.reserve(), request.id, request.operation, 0);
 * }
 * assert.equal(back.pushResponses(), true); // notify the frontend
 *
 * const response = new ResponseView();
 * assert.equal(front.take(response), 1);
 * assert.deepEqual([response.id, response.status], [7, 0]);
 * ```
 */
export class BackRing {
  /** The ring page, for {@link encodeResponse}. */
  readonly view: DataView;
  readonly #words: Int32Array;
  #reqCons: number;
  #rspProdPvt: number;
  #rspProdPublished: number;

  /** `BACK_RING_ATTACH` at `index`, which is 0 for a new ring. `buffer` holds the page at `byteOffset`. */
  constructor(buffer: ArrayBuffer, byteOffset = 0, index = 0) {
    this.view = new DataView(buffer, byteOffset, RING_BYTES);
    this.#words = new Int32Array(buffer, byteOffset, RING_BYTES / 4);
    this.#reqCons = this.#rspProdPvt = this.#rspProdPublished = index | 0;
  }

  /**
   * Attaches to a ring in use, as a restarted backend does: at the last response that its predecessor published. A request that
   * was taken and never answered is taken again. That is harmless for queries, volume, mute and CLOSE. A WRITE may be heard
   * twice, which is better than a frontend that waits out its timeout. (A response that was written and not pushed has taken
   * the request's slot, and reads as the same operation with other arguments: so write and push in one go.) The guest can
   * write the index, but slots are masked, and {@link take} refuses a req_prod that does not fit the index.
   */
  static attach(buffer: ArrayBuffer, byteOffset = 0): BackRing {
    const words = new Int32Array(buffer, byteOffset, RING_BYTES / 4);
    return new BackRing(buffer, byteOffset, Atomics.load(words, RSP_PROD));
  }

  /** How many requests on the ring were not taken; -1 if req_prod is impossible. */
  #unconsumed(): number {
    const unconsumed = (Atomics.load(this.#words, REQ_PROD) - this.#reqCons) >>> 0;
    // An unanswered request keeps its slot: the frontend cannot have queued more than there are free slots.
    const free = RING_SIZE - ((this.#reqCons - this.#rspProdPvt) >>> 0);
    return unconsumed <= free ? unconsumed : -1;
  }

  /** Copies the next request into `request` (`RING_COPY_REQUEST`). Returns one of {@link Taken}. */
  take(request: RequestView): number {
    const unconsumed = this.#unconsumed();
    if (unconsumed <= 0) return unconsumed;
    request.copyFrom(this.#words, slotOffset(this.#reqCons) >> 2);
    this.#reqCons = this.#reqCons + 1 | 0;
    return Taken.one;
  }

  /**
   * Reserves the slot of the next response, and returns its octet offset in {@link view}. Returns -1 if each request that was
   * taken has its response.
   */
  reserve(): number {
    if (this.#rspProdPvt === this.#reqCons) return -1;
    const offset = slotOffset(this.#rspProdPvt);
    this.#rspProdPvt = this.#rspProdPvt + 1 | 0;
    return offset;
  }

  /** How many responses were reserved and not pushed. */
  get unpublished(): number {
    return (this.#rspProdPvt - this.#rspProdPublished) >>> 0;
  }

  /** `RING_PUSH_RESPONSES_AND_CHECK_NOTIFY`: publishes the reserved responses. Returns true if the frontend wants a notification. */
  pushResponses(): boolean {
    const published = this.#rspProdPublished;
    this.#rspProdPublished = this.#rspProdPvt;
    Atomics.store(this.#words, RSP_PROD, this.#rspProdPvt);
    return mustNotify(published, this.#rspProdPvt, Atomics.load(this.#words, RSP_EVENT));
  }

  /**
   * `RING_FINAL_CHECK_FOR_REQUESTS`: asks for a notification of the next request. Returns true if {@link take} has something to
   * return already (a request, or `Taken.broken`): then do not sleep.
   */
  finalCheckForRequests(): boolean {
    if (this.#unconsumed() !== 0) return true;
    Atomics.store(this.#words, REQ_EVENT, this.#reqCons + 1 | 0);
    return this.#unconsumed() !== 0;
  }
}

/**
 * The frontend's end of a page that {@link initSharedRing} has initialised.
 *
 * @example
 * ```ts
 * import { BackRing, encodeResponse, encodeTriggerRequest, FrontRing, initSharedRing, RequestView, ResponseView, RING_BYTES, XENSND_OP_TRIGGER_START } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const page = new ArrayBuffer(RING_BYTES);
 * initSharedRing(page);
 * const front = new FrontRing(page);
 * const back = new BackRing(page);
 * encodeTriggerRequest(front.view, front.reserve(), 7, XENSND_OP_TRIGGER_START);
 * assert.equal(front.pushRequests(), true); // notify the backend
 *
 * const request = new RequestView();
 * while (back.take(request) > 0) {
 *   encodeResponse(back.view, back.reserve(), request.id, request.operation, 0);
 * }
 * assert.equal(back.pushResponses(), true); // notify the frontend
 *
 * const response = new ResponseView();
 * assert.equal(front.take(response), 1);
 * assert.deepEqual([response.id, response.status], [7, 0]);
 * ```
 */
export class FrontRing {
  /** The ring page, for the request encoders. */
  readonly view: DataView;
  readonly #words: Int32Array;
  #reqProdPvt: number;
  #reqProdPublished: number;
  #rspCons: number;

  /** `FRONT_RING_ATTACH` at `index`, which is 0 for a new ring. */
  constructor(buffer: ArrayBuffer, byteOffset = 0, index = 0) {
    this.view = new DataView(buffer, byteOffset, RING_BYTES);
    this.#words = new Int32Array(buffer, byteOffset, RING_BYTES / 4);
    this.#reqProdPvt = this.#reqProdPublished = this.#rspCons = index | 0;
  }

  /** How many requests can be queued now (`RING_FREE_REQUESTS`). */
  get free(): number {
    return RING_SIZE - ((this.#reqProdPvt - this.#rspCons) >>> 0);
  }

  /** Reserves the slot of the next request, and returns its octet offset in {@link view}; -1 if the ring is full. */
  reserve(): number {
    if (this.free === 0) return -1;
    const offset = slotOffset(this.#reqProdPvt);
    this.#reqProdPvt = this.#reqProdPvt + 1 | 0;
    return offset;
  }

  /** `RING_PUSH_REQUESTS_AND_CHECK_NOTIFY`: publishes the reserved requests. Returns true if the backend wants a notification. */
  pushRequests(): boolean {
    const published = this.#reqProdPublished;
    this.#reqProdPublished = this.#reqProdPvt;
    Atomics.store(this.#words, REQ_PROD, this.#reqProdPvt);
    return mustNotify(published, this.#reqProdPvt, Atomics.load(this.#words, REQ_EVENT));
  }

  /** How many responses were not taken; -1 if rsp_prod is impossible: more responses than requests. */
  #unconsumed(): number {
    const unconsumed = (Atomics.load(this.#words, RSP_PROD) - this.#rspCons) >>> 0;
    const outstanding = (this.#reqProdPublished - this.#rspCons) >>> 0;
    return unconsumed <= outstanding ? unconsumed : -1;
  }

  /** Copies the next response into `response`. Returns one of {@link Taken}; "broken" is about the backend here. */
  take(response: ResponseView): number {
    const unconsumed = this.#unconsumed();
    if (unconsumed <= 0) return unconsumed;
    response.copyFrom(this.#words, slotOffset(this.#rspCons) >> 2);
    this.#rspCons = this.#rspCons + 1 | 0;
    return Taken.one;
  }

  /** `RING_FINAL_CHECK_FOR_RESPONSES`: as {@link BackRing.finalCheckForRequests}. */
  finalCheckForResponses(): boolean {
    if (this.#unconsumed() !== 0) return true;
    Atomics.store(this.#words, RSP_EVENT, this.#rspCons + 1 | 0);
    return this.#unconsumed() !== 0;
  }
}
