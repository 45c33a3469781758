// SPDX-License-Identifier: MIT
/** `struct xensnd_evt`: the backend's events. */
import { XENSND_EVT_CUR_POS } from "./constants.ts";
import { beginPacket, PacketView } from "./packet.ts";

const TWO_POW_32 = 2 ** 32;

/**
 * One event, copied off the event page and decoded on demand. Reuse one for all events.
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
export class EventView extends PacketView {
  /** `XENSND_EVT_*`. */
  get type(): number {
    return this.view.getUint8(2);
  }

  /** CUR_POS: octets played or captured since OPEN. Exact up to 2^53, some thousand years of sound. */
  get position(): number {
    return this.view.getUint32(12, true) * TWO_POW_32 + this.view.getUint32(8, true);
  }
}

/**
 * The low half of a position (octets since OPEN, a safe integer), as the int32 of the same bits.
 *
 * @example
 * ```ts
 * import { positionHigh, positionLow } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const octets = 2 ** 32 + 5;
 * assert.deepEqual([positionLow(octets), positionHigh(octets)], [5, 1]);
 * ```
 */
export function positionLow(position: number): number {
  return position | 0;
}

/**
 * The high half of a position.
 *
 * @example
 * ```ts
 * import { positionHigh } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * assert.equal(positionHigh(3 * 2 ** 32 + 5), 3);
 * ```
 */
export function positionHigh(position: number): number {
  return position / TWO_POW_32 | 0;
}

/**
 * Writes XENSND_EVT_CUR_POS at octet `at` of an event page. The position comes in halves: V8 boxes, that is allocates, a number
 * beyond 2^31 that passes from function to function.
 *
 * @example
 * ```ts
 * import { encodeCurPosEvent, EventView, PACKET_SIZE } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const octets = new ArrayBuffer(PACKET_SIZE);
 * encodeCurPosEvent(new DataView(octets), 0, 3, 4096, 0);
 * const packet = new EventView();
 * packet.copyFrom(new Int32Array(octets), 0);
 * assert.deepEqual([packet.id, packet.position], [3, 4096]);
 * ```
 */
export function encodeCurPosEvent(view: DataView, at: number, id: number, low: number, high: number): void {
  beginPacket(view, at, id, XENSND_EVT_CUR_POS);
  view.setInt32(at + 8, low, true);
  view.setInt32(at + 12, high, true);
}
