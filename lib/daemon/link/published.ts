// SPDX-License-Identifier: MIT
/** Reads the nodes in which a frontend publishes a stream's rings and event channels. Every value is the guest's, and checked here. */
import {
  XENSND_FIELD_EVT_CHNL,
  XENSND_FIELD_EVT_EVT_CHNL,
  XENSND_FIELD_EVT_RING_REF,
  XENSND_FIELD_RING_REF,
} from "../../sndif/mod.ts";
import { printable } from "../../base/text.ts";
import type { StoreView } from "../../xen/ports.ts";

/** A stream's transport parameters: grant references and event channel ports, 32-bit numbers. */
export interface StreamTransport {
  readonly ringRef: number;
  readonly eventChannel: number;
  readonly evtRingRef: number;
  readonly evtEventChannel: number;
}

/** A frontend's directory lacks a transport parameter, or holds an invalid one. */
export class TransportError extends Error {
  override name = "TransportError";
  constructor(message: string) {
    super(printable(message));
  }
}

const FIELDS: readonly string[] = [
  XENSND_FIELD_RING_REF,
  XENSND_FIELD_EVT_CHNL,
  XENSND_FIELD_EVT_RING_REF,
  XENSND_FIELD_EVT_EVT_CHNL,
];

/** The paths of the nodes that {@link readTransport} reads in `directory`. */
export function transportNodes(directory: string): string[] {
  return FIELDS.map((field) => `${directory}/${field}`);
}

/** Whether `path` is one of the nodes that {@link readTransport} reads. */
export function isTransportNode(path: string): boolean {
  return FIELDS.includes(path.slice(path.lastIndexOf("/") + 1));
}

/** The transport parameters in a stream's frontend directory. Throws {@link TransportError} or StoreError. */
export function readTransport(view: StoreView, directory: string): StreamTransport {
  const number = (field: string): number => {
    const value = view.read(`${directory}/${field}`);
    if (value === undefined) throw new TransportError(`${directory}/${field} is missing`);
    if (!/^\d{1,10}$/.test(value) || Number(value) > 0xffffffff) {
      throw new TransportError(
        `${directory}/${field} is no 32-bit number: ${JSON.stringify(value.slice(0, 40))}`,
      );
    }
    return Number(value);
  };
  return {
    ringRef: number(XENSND_FIELD_RING_REF),
    eventChannel: number(XENSND_FIELD_EVT_CHNL),
    evtRingRef: number(XENSND_FIELD_EVT_RING_REF),
    evtEventChannel: number(XENSND_FIELD_EVT_EVT_CHNL),
  };
}
