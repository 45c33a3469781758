// SPDX-License-Identifier: MIT
/** `struct xensnd_req`: what a frontend asks for. Offsets are those of the diagrams in sndif.h. */
import { XENSND_OP_CLOSE, XENSND_OP_HW_PARAM_QUERY, XENSND_OP_OPEN, XENSND_OP_TRIGGER } from "./constants.ts";
import { type HwParam, readHwParam, writeHwParam } from "./hw_param.ts";
import { beginPacket, PacketView } from "./packet.ts";

/**
 * One request, copied off the ring and decoded on demand. Reuse one for all requests: nothing here allocates.
 * Which getters mean anything depends on {@link operation}; every value is the guest's and still to be judged.
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
  readonly pcmRate: number;
  readonly pcmFormat: number;
  readonly pcmChannels: number;
  readonly bufferSz: number;
  readonly grefDirectory: number;
  readonly periodSz: number;
}

/** Writes XENSND_OP_OPEN at octet `at` of a ring page. */
export function encodeOpenRequest(view: DataView, at: number, id: number, open: OpenRequest): void {
  beginPacket(view, at, id, XENSND_OP_OPEN);
  view.setUint32(at + 8, open.pcmRate, true);
  view.setUint8(at + 12, open.pcmFormat);
  view.setUint8(at + 13, open.pcmChannels);
  view.setUint32(at + 16, open.bufferSz, true);
  view.setUint32(at + 20, open.grefDirectory, true);
  view.setUint32(at + 24, open.periodSz, true);
}

/** Writes XENSND_OP_CLOSE. */
export function encodeCloseRequest(view: DataView, at: number, id: number): void {
  beginPacket(view, at, id, XENSND_OP_CLOSE);
}

/** Writes a request with a `struct xensnd_rw_req`: READ, WRITE, SET_VOLUME, GET_VOLUME, MUTE or UNMUTE. */
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

/** Writes XENSND_OP_TRIGGER of `type`, `XENSND_OP_TRIGGER_*`. */
export function encodeTriggerRequest(view: DataView, at: number, id: number, type: number): void {
  beginPacket(view, at, id, XENSND_OP_TRIGGER);
  view.setUint8(at + 8, type);
}

/** Writes XENSND_OP_HW_PARAM_QUERY. */
export function encodeHwParamQuery(view: DataView, at: number, id: number, param: HwParam): void {
  beginPacket(view, at, id, XENSND_OP_HW_PARAM_QUERY);
  writeHwParam(view, at, param);
}
