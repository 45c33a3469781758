// SPDX-License-Identifier: MIT
/** `struct xensnd_resp`: the backend's answers. */
import { XENSND_OP_HW_PARAM_QUERY } from "./constants.ts";
import { type HwParam, readHwParam, writeHwParam } from "./hw_param.ts";
import { beginPacket, PacketView } from "./packet.ts";

/**
 * One response, copied off the ring and decoded on demand. Reuse one for all responses.
 *
 * @example
 * ```ts
 * import { encodeResponse, PACKET_SIZE, ResponseView, XEN_EINVAL, XENSND_OP_OPEN } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const octets = new ArrayBuffer(PACKET_SIZE);
 * encodeResponse(new DataView(octets), 0, 1, XENSND_OP_OPEN, -XEN_EINVAL);
 * const packet = new ResponseView();
 * packet.copyFrom(new Int32Array(octets), 0);
 * assert.deepEqual([packet.operation, packet.status], [XENSND_OP_OPEN, -22]);
 * ```
 */
export class ResponseView extends PacketView {
  /** `XENSND_OP_*` of the answered request. */
  get operation(): number {
    return this.view.getUint8(2);
  }

  /** 0, or -XEN_E*. */
  get status(): number {
    return this.view.getInt32(4, true);
  }

  /** HW_PARAM_QUERY: decodes the narrowed parameter space into `into`. */
  readHwParam(into: HwParam): void {
    readHwParam(this.view, into);
  }
}

/**
 * Writes the answer to request `id` at octet `at` of a ring page; `status` is 0 or -XEN_E*. Allocates nothing.
 *
 * @example
 * ```ts
 * import { encodeResponse, PACKET_SIZE, ResponseView, XENSND_OP_CLOSE } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const octets = new ArrayBuffer(PACKET_SIZE);
 * encodeResponse(new DataView(octets), 0, 1, XENSND_OP_CLOSE, 0);
 * const packet = new ResponseView();
 * packet.copyFrom(new Int32Array(octets), 0);
 * assert.deepEqual([packet.id, packet.status], [1, 0]);
 * ```
 */
export function encodeResponse(
  view: DataView,
  at: number,
  id: number,
  operation: number,
  status: number,
): void {
  beginPacket(view, at, id, operation);
  view.setInt32(at + 4, status, true);
}

/**
 * Writes a successful answer to XENSND_OP_HW_PARAM_QUERY.
 *
 * @example
 * ```ts
 * import { encodeHwParamResponse, HwParam, PACKET_SIZE, ResponseView } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const octets = new ArrayBuffer(PACKET_SIZE);
 * const offered = new HwParam();
 * offered.channels.max = 2;
 * encodeHwParamResponse(new DataView(octets), 0, 1, offered);
 * const packet = new ResponseView();
 * packet.copyFrom(new Int32Array(octets), 0);
 * const read = new HwParam();
 * packet.readHwParam(read);
 * assert.equal(read.channels.max, 2);
 * ```
 */
export function encodeHwParamResponse(view: DataView, at: number, id: number, param: HwParam): void {
  beginPacket(view, at, id, XENSND_OP_HW_PARAM_QUERY);
  writeHwParam(view, at, param);
}
