// SPDX-License-Identifier: MIT
/**
 * XenStore's wire protocol (`xen/io/xs_wire.h`, docs/misc/xenstore.txt): messages of a 16-octet header and up to 4096 octets of
 * payload, in the machine's byte order, which is little-endian on all of Xen's architectures.
 */

/** `enum xsd_sockmsg_type`. */
export const Xs = {
  CONTROL: 0,
  DIRECTORY: 1,
  READ: 2,
  GET_PERMS: 3,
  WATCH: 4,
  UNWATCH: 5,
  TRANSACTION_START: 6,
  TRANSACTION_END: 7,
  INTRODUCE: 8,
  RELEASE: 9,
  GET_DOMAIN_PATH: 10,
  WRITE: 11,
  MKDIR: 12,
  RM: 13,
  SET_PERMS: 14,
  WATCH_EVENT: 15,
  ERROR: 16,
  IS_DOMAIN_INTRODUCED: 17,
  RESUME: 18,
  SET_TARGET: 19,
  RESET_WATCHES: 21,
  DIRECTORY_PART: 22,
} as const;

/** `sizeof(struct xsd_sockmsg)`: type, req_id, tx_id, len. */
export const HEADER_BYTES = 16;
export const XENSTORE_PAYLOAD_MAX = 4096;

/** The errors that a reply can name (`xsd_errors`). */
export type XsErrorCode =
  | "EINVAL"
  | "EACCES"
  | "EEXIST"
  | "ENOENT"
  | "ENOSPC"
  | "ENOSYS"
  | "EBUSY"
  | "EAGAIN"
  | "E2BIG"
  | "EPERM";

/** The refusal of a request. The reply carries the code. */
export class XsError extends Error {
  override name = "XsError";
  constructor(readonly code: XsErrorCode) {
    super(code);
  }
}

/** A message of impossible length. The connection must be closed, since the next message cannot be found. */
export class FramingError extends Error {
  override name = "FramingError";
}

export interface Message {
  readonly type: number;
  /** Echoed in the reply. */
  readonly reqId: number;
  /** 0 outside of a transaction. */
  readonly txId: number;
  readonly payload: Uint8Array;
}

/** The octets of one message. */
export function encodeMessage({ type, reqId, txId, payload }: Message): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, reqId, true);
  view.setUint32(8, txId, true);
  view.setUint32(12, payload.length, true);
  out.set(payload, HEADER_BYTES);
  return out;
}

/** Cuts a stream of octets, in chunks of any size, into messages. Buffers at most one message. */
export class MessageReader {
  readonly #partial = new Uint8Array(HEADER_BYTES + XENSTORE_PAYLOAD_MAX);
  readonly #header = new DataView(this.#partial.buffer);
  #used = 0;

  /** Yields each message that `chunk` completes. Throws {@link FramingError} on a length above 4096. */
  *push(chunk: Uint8Array): Generator<Message> {
    for (let at = 0; at < chunk.length;) {
      const take = Math.min(this.#wanted() - this.#used, chunk.length - at);
      this.#partial.set(chunk.subarray(at, at + take), this.#used);
      this.#used += take;
      at += take;
      if (this.#used < HEADER_BYTES || this.#used < this.#wanted()) continue;
      const view = this.#header;
      const message = {
        type: view.getUint32(0, true),
        reqId: view.getUint32(4, true),
        txId: view.getUint32(8, true),
        payload: this.#partial.slice(HEADER_BYTES, this.#used),
      };
      this.#used = 0;
      yield message;
    }
  }

  /** How many octets the buffered part needs to be complete: a header, or a header and its payload. */
  #wanted(): number {
    if (this.#used < HEADER_BYTES) return HEADER_BYTES;
    const length = this.#header.getUint32(12, true);
    if (length > XENSTORE_PAYLOAD_MAX) {
      throw new FramingError(`a message of ${length} octets; the most is ${XENSTORE_PAYLOAD_MAX}`);
    }
    return HEADER_BYTES + length;
  }
}

/** A string with a character for each octet, so that all octets survive a round trip. */
export function fromOctets(octets: Uint8Array): string {
  return String.fromCharCode(...octets);
}

/** The inverse of {@link fromOctets}. */
export function toOctets(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** `a|b|` on the wire: each string followed by a NUL. */
export function nulTerminated(strings: Iterable<string>): Uint8Array<ArrayBuffer> {
  let text = "";
  for (const string of strings) text += string + "\0";
  return toOctets(text);
}

/** The NUL-terminated strings of a payload. Like xenstored, ignores octets after the last NUL. */
export function splitStrings(payload: Uint8Array): string[] {
  return fromOctets(payload).split("\0").slice(0, -1);
}

/** The string of a payload that must be one NUL-terminated string. Throws EINVAL otherwise. */
export function onlyString(payload: Uint8Array): string {
  if (payload.length === 0 || payload.indexOf(0) !== payload.length - 1) throw new XsError("EINVAL");
  return fromOctets(payload.subarray(0, -1));
}
