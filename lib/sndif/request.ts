// SPDX-License-Identifier: MIT
/** `struct xensnd_req`: the frontend's requests. Offsets are those of the diagrams in sndif.h. */
import { XENSND_OP_CLOSE, XENSND_OP_HW_PARAM_QUERY, XENSND_OP_OPEN, XENSND_OP_TRIGGER } from "./constants.ts";
import { type HwParam, readHwParam, writeHwParam } from "./hw_param.ts";
import { beginPacket, PacketView } from "./packet.ts";

/**
 * One request, copied off the ring and decoded on demand. Reuse one for all requests: nothing here allocates. The
 * {@link operation} decides which getters have a meaning. Every value is the guest's, unchecked.
 *
 * @example
 * ```ts
 * import { encodeOpenRequest, PACKET_SIZE, RequestView, XENSND_PCM_FORMAT_S16_LE } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const octets = new ArrayBuffer(PACKET_SIZE);
 * encodeOpenRequest(new DataView(octets), 0, 1, {
 *   pcmRate: 48000,
 *   pcmFormat: XENSND_PCM_FORMAT_S16_LE,
 *   pcmChannels: 2,
 *   bufferSz: 8192,
 *   grefDirectory: 8,
 *   periodSz: 2048,
 * });
 * const packet = new RequestView();
 * packet.copyFrom(new Int32Array(octets), 0);
 * assert.deepEqual([packet.pcmRate, packet.bufferSz], [48000, 8192]);
 * ```
 */
export class RequestView extends PacketView {
  /** `XENSND_OP_*`, or any other octet. */
  get operation(): number {
    return this.view.getUint8(2);
  }

  /** OPEN: `pcm_rate`, Hz. */
  get pcmRate(): number {
    return this.view.getUint32(8, true);
  }
  /** OPEN: `pcm_format`, `XENSND_PCM_FORMAT_*`. */
  get pcmFormat(): number {
    return this.view.getUint8(12);
  }
  /** OPEN: `pcm_channels`. */
  get pcmChannels(): number {
    return this.view.getUint8(13);
  }
  /** OPEN: `buffer_sz`, octets. */
  get bufferSz(): number {
    return this.view.getUint32(16, true);
  }
  /** OPEN: `gref_directory`, grant reference of the first directory page. */
  get grefDirectory(): number {
    return this.view.getUint32(20, true);
  }
  /** OPEN: `period_sz`, octets; 0 for no events. */
  get periodSz(): number {
    return this.view.getUint32(24, true);
  }

  /** READ, WRITE, SET_VOLUME, GET_VOLUME, MUTE, UNMUTE: offset into the shared buffer, octets. */
  get offset(): number {
    return this.view.getUint32(8, true);
  }
  /** READ, WRITE, SET_VOLUME, GET_VOLUME, MUTE, UNMUTE: octets. */
  get length(): number {
    return this.view.getUint32(12, true);
  }

  /** TRIGGER: `type`, `XENSND_OP_TRIGGER_*`. */
  get triggerType(): number {
    return this.view.getUint8(8);
  }

  /** HW_PARAM_QUERY: decodes the parameter space into `into`. */
  readHwParam(into: HwParam): void {
    readHwParam(this.view, into);
  }
}

/** `struct xensnd_open_req`; units as in {@link RequestView}. */
export interface OpenRequest {
  /** Hz. */
  readonly pcmRate: number;
  /** `XENSND_PCM_FORMAT_*`. */
  readonly pcmFormat: number;
  /** Samples in a frame. */
  readonly pcmChannels: number;
  /** Octets of the shared buffer. */
  readonly bufferSz: number;
  /** Grant reference of the first page of the page directory. */
  readonly grefDirectory: number;
  /** Octets of a period; 0: the frontend wants no events. */
  readonly periodSz: number;
}

/**
 * Writes XENSND_OP_OPEN at octet `at` of a ring page.
 *
 * @example
 * ```ts
 * import { encodeOpenRequest, PACKET_SIZE, RequestView, XENSND_PCM_FORMAT_U8 } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const octets = new ArrayBuffer(PACKET_SIZE);
 * const open = { pcmRate: 8000, pcmFormat: XENSND_PCM_FORMAT_U8, pcmChannels: 1, bufferSz: 4096 };
 * encodeOpenRequest(new DataView(octets), 0, 1, { ...open, grefDirectory: 8, periodSz: 1024 });
 * const packet = new RequestView();
 * packet.copyFrom(new Int32Array(octets), 0);
 * assert.deepEqual([packet.pcmRate, packet.periodSz], [8000, 1024]);
 * ```
 */
export function encodeOpenRequest(view: DataView, at: number, id: number, open: OpenRequest): void {
  beginPacket(view, at, id, XENSND_OP_OPEN);
  view.setUint32(at + 8, open.pcmRate, true);
  view.setUint8(at + 12, open.pcmFormat);
  view.setUint8(at + 13, open.pcmChannels);
  view.setUint32(at + 16, open.bufferSz, true);
  view.setUint32(at + 20, open.grefDirectory, true);
  view.setUint32(at + 24, open.periodSz, true);
}

/**
 * Writes XENSND_OP_CLOSE.
 *
 * @example
 * ```ts
 * import { encodeCloseRequest, PACKET_SIZE, RequestView, XENSND_OP_CLOSE } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const octets = new ArrayBuffer(PACKET_SIZE);
 * encodeCloseRequest(new DataView(octets), 0, 1);
 * const packet = new RequestView();
 * packet.copyFrom(new Int32Array(octets), 0);
 * assert.equal(packet.operation, XENSND_OP_CLOSE);
 * ```
 */
export function encodeCloseRequest(view: DataView, at: number, id: number): void {
  beginPacket(view, at, id, XENSND_OP_CLOSE);
}

/**
 * Writes a request with a `struct xensnd_rw_req`: READ, WRITE, SET_VOLUME, GET_VOLUME, MUTE or UNMUTE.
 *
 * @example
 * ```ts
 * import { encodeRwRequest, PACKET_SIZE, RequestView, XENSND_OP_WRITE } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const octets = new ArrayBuffer(PACKET_SIZE);
 * encodeRwRequest(new DataView(octets), 0, 1, XENSND_OP_WRITE, 4096, 2048);
 * const packet = new RequestView();
 * packet.copyFrom(new Int32Array(octets), 0);
 * assert.deepEqual([packet.offset, packet.length], [4096, 2048]);
 * ```
 */
export function encodeRwRequest(
  view: DataView,
  at: number,
  id: number,
  operation: number,
  offset: number,
  length: number,
): void {
  beginPacket(view, at, id, operation);
  view.setUint32(at + 8, offset, true);
  view.setUint32(at + 12, length, true);
}

/**
 * Writes XENSND_OP_TRIGGER of `type`, `XENSND_OP_TRIGGER_*`.
 *
 * @example
 * ```ts
 * import { encodeTriggerRequest, PACKET_SIZE, RequestView, XENSND_OP_TRIGGER_START } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const octets = new ArrayBuffer(PACKET_SIZE);
 * encodeTriggerRequest(new DataView(octets), 0, 1, XENSND_OP_TRIGGER_START);
 * const packet = new RequestView();
 * packet.copyFrom(new Int32Array(octets), 0);
 * assert.equal(packet.triggerType, XENSND_OP_TRIGGER_START);
 * ```
 */
export function encodeTriggerRequest(view: DataView, at: number, id: number, type: number): void {
  beginPacket(view, at, id, XENSND_OP_TRIGGER);
  view.setUint8(at + 8, type);
}

/**
 * Writes XENSND_OP_HW_PARAM_QUERY.
 *
 * @example
 * ```ts
 * import { encodeHwParamQuery, HwParam, PACKET_SIZE, RequestView } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const octets = new ArrayBuffer(PACKET_SIZE);
 * const asked = new HwParam();
 * asked.rates.max = 48000;
 * encodeHwParamQuery(new DataView(octets), 0, 1, asked);
 * const packet = new RequestView();
 * packet.copyFrom(new Int32Array(octets), 0);
 * const read = new HwParam();
 * packet.readHwParam(read);
 * assert.equal(read.rates.max, 48000);
 * ```
 */
export function encodeHwParamQuery(view: DataView, at: number, id: number, param: HwParam): void {
  beginPacket(view, at, id, XENSND_OP_HW_PARAM_QUERY);
  writeHwParam(view, at, param);
}
