// SPDX-License-Identifier: MIT
/** `struct xensnd_evt`: what a backend tells without being asked. */
import { XENSND_EVT_CUR_POS } from "./constants.ts";
import { beginPacket, PacketView } from "./packet.ts";

const TWO_POW_32 = 2 ** 32;

/** One event, copied off the event page and decoded on demand; to be reused. */
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

/** Low half of a position (a safe integer, octets since OPEN), as the int32 with its bits. */
export function positionLow(position: number): number {
  return position | 0;
}

/** High half of a position. */
export function positionHigh(position: number): number {
  return position / TWO_POW_32 | 0;
}

/**
 * Writes XENSND_EVT_CUR_POS at octet `at` of an event page. The position comes in its halves because a number beyond
 * 2^31 is boxed, that is allocated, when it is handed from function to function.
 */
export function encodeCurPosEvent(view: DataView, at: number, id: number, low: number, high: number): void {
  beginPacket(view, at, id, XENSND_EVT_CUR_POS);
  view.setInt32(at + 8, low, true);
  view.setInt32(at + 12, high, true);
}
