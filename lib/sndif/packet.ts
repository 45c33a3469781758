// SPDX-License-Identifier: MIT
/**
 * What requests, responses and events have in common: 64 octets, little-endian, an id in front.
 *
 * Xen's rings are in the machine's byte order and every architecture that this runs on is little-endian, so the
 * codecs say `true` to each DataView call and octets can be compared with a C program's.
 */
import { PACKET_SIZE } from "./constants.ts";

/** Ring pages are copied in words: one packet is this many. */
const PACKET_WORDS = PACKET_SIZE / Int32Array.BYTES_PER_ELEMENT;

/**
 * A private copy of one packet, to be reused: {@link copyFrom} fills it and the getters of the subclasses decode it.
 * The other end can scribble over the ring after the copy and change nothing here (XSA-155).
 *
 * @example
 * ```ts
 * import { encodeResponse, PACKET_SIZE, ResponseView, XENSND_OP_CLOSE } from "@xsnd/xsnd/sndif";
 * import assert from "node:assert/strict";
 *
 * const octets = new ArrayBuffer(PACKET_SIZE);
 * encodeResponse(new DataView(octets), 0, 9, XENSND_OP_CLOSE, 0);
 * const packet = new ResponseView();
 * packet.copyFrom(new Int32Array(octets), 0);
 * assert.equal(packet.id, 9);
 * ```
 */
export class PacketView {
  readonly #words = new Int32Array(PACKET_WORDS);
  /** The copy, for the getters of the subclasses. */
  protected readonly view: DataView = new DataView(this.#words.buffer);

  /** Copies the packet that starts at `words[index]`; each word of the ring is read once. Allocates nothing. */
  copyFrom(words: Int32Array, index: number): void {
    for (let i = 0; i < PACKET_WORDS; i++) this.#words[i] = words[index + i];
  }

  /** Copies the packet to `words[index]` and on. Allocates nothing. */
  copyTo(words: Int32Array, index: number): void {
    for (let i = 0; i < PACKET_WORDS; i++) words[index + i] = this.#words[i];
  }

  /** The packet's id; a response has that of its request. */
  get id(): number {
    return this.view.getUint16(0, true);
  }
}

/** Zeroes the packet at octet `at` and writes its id and the octet that follows it (operation or type). */
export function beginPacket(view: DataView, at: number, id: number, kind: number): void {
  // All of it: reserved fields must be 0, and a slot's last packet is no business of the next reader's.
  for (let offset = 4; offset < PACKET_SIZE; offset += 4) view.setInt32(at + offset, 0, true);
  view.setInt32(at, (id & 0xffff) | (kind & 0xff) << 16, true);
}
