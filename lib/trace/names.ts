// SPDX-License-Identifier: MIT
/** The names that sndif.h gives to the protocol's numbers. */
import * as sndif from "../sndif/mod.ts";

const OPERATIONS: Readonly<Record<number, string>> = {
  [sndif.XENSND_OP_OPEN]: "OPEN",
  [sndif.XENSND_OP_CLOSE]: "CLOSE",
  [sndif.XENSND_OP_READ]: "READ",
  [sndif.XENSND_OP_WRITE]: "WRITE",
  [sndif.XENSND_OP_SET_VOLUME]: "SET_VOLUME",
  [sndif.XENSND_OP_GET_VOLUME]: "GET_VOLUME",
  [sndif.XENSND_OP_MUTE]: "MUTE",
  [sndif.XENSND_OP_UNMUTE]: "UNMUTE",
  [sndif.XENSND_OP_TRIGGER]: "TRIGGER",
  [sndif.XENSND_OP_HW_PARAM_QUERY]: "HW_PARAM_QUERY",
};

const TRIGGERS: Readonly<Record<number, string>> = {
  [sndif.XENSND_OP_TRIGGER_START]: "START",
  [sndif.XENSND_OP_TRIGGER_PAUSE]: "PAUSE",
  [sndif.XENSND_OP_TRIGGER_STOP]: "STOP",
  [sndif.XENSND_OP_TRIGGER_RESUME]: "RESUME",
};

/** `WRITE`; `op 200` for an unknown operation. */
export function operationName(operation: number): string {
  return OPERATIONS[operation] ?? `op ${operation}`;
}

export function isOperation(operation: number): boolean {
  return operation in OPERATIONS;
}

/** `START`; `trigger 9` for an unknown trigger. */
export function triggerName(type: number): string {
  return TRIGGERS[type] ?? `trigger ${type}`;
}

/** `s16_le`; `format 99` for an unknown format. */
export function formatName(code: number): string {
  return sndif.formatByCode(code)?.name ?? `format ${code}`;
}
