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

/** Writes XENSND_EVT_CUR_POS at octet `at` of an event page; `position` is a safe integer, octets since OPEN. */
export function encodeCurPosEvent(view: DataView, at: number, id: number, position: number): void {
  beginPacket(view, at, id, XENSND_EVT_CUR_POS);
  view.setUint32(at + 8, position, true); // takes it modulo 2^32
  view.setUint32(at + 12, Math.floor(position / TWO_POW_32), true);
}
