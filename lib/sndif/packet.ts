// SPDX-License-Identifier: MIT
/**
 * The common part of requests, responses and events: 64 octets, little-endian, an id in front.
 *
 * Xen's rings are in the machine's byte order. Every architecture that this runs on is little-endian: the codecs pass `true` to
 * each DataView call, and their octets compare with a C program's.
 */
import { PACKET_SIZE } from "./constants.ts";

/** Words of a packet: ring pages are copied in words. */
const PACKET_WORDS = PACKET_SIZE / Int32Array.BYTES_PER_ELEMENT;

/**
 * A private copy of one packet: {@link copyFrom} fills it, and the subclasses' getters decode it. Whatever the other end writes
 * on the ring after the copy changes nothing here (XSA-155). Reuse one object for all packets.
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

  /** Copies the packet that starts at `words[index]`, reading each word of the ring once. Allocates nothing. */
  copyFrom(words: Int32Array, index: number): void {
    for (let i = 0; i < PACKET_WORDS; i++) this.#words[i] = words[index + i]!;
  }

  /** Copies the packet to the words from `words[index]` on. Allocates nothing. */
  copyTo(words: Int32Array, index: number): void {
    for (let i = 0; i < PACKET_WORDS; i++) words[index + i] = this.#words[i]!;
  }

  /** The packet's id; a response has that of its request. */
  get id(): number {
    return this.view.getUint16(0, true);
  }
}

/** Zeroes the packet at octet `at`, and writes its id and the octet after the id (operation or type). */
export function beginPacket(view: DataView, at: number, id: number, kind: number): void {
  // Reserved fields must be 0, and nothing of the slot's former packet may reach the next reader.
  for (let offset = 4; offset < PACKET_SIZE; offset += 4) view.setInt32(at + offset, 0, true);
  view.setInt32(at, (id & 0xffff) | (kind & 0xff) << 16, true);
}
