// SPDX-License-Identifier: MIT
/** One stream's pages and ports in the hands of a guest that may do anything with them. No rule is kept here. */
import {
  bufferPages,
  directoryPages,
  initSharedRing,
  PACKET_SIZE,
  RING_HEADER_SIZE,
  RING_SIZE,
  writePageDirectory,
} from "../../../lib/sndif/mod.ts";
import type { GuestDomain, SharedRam } from "../xen/guest_domain.ts";

export class RawStream {
  ring: SharedRam;
  events: SharedRam;
  ports: [number, number];
  buffer: SharedRam | undefined;
  directory: SharedRam | undefined;
  #reqProd = 0;
  #id = 0;

  /** @param onPut called with each request that is put on the ring */
  constructor(
    readonly domain: GuestDomain,
    readonly place: string,
    backendDomid: number,
    private readonly onPut: () => void,
  ) {
    this.ring = domain.share(1, backendDomid);
    this.events = domain.share(1, backendDomid);
    initSharedRing(this.ring.buffer);
    this.ports = [domain.bindUnbound(backendDomid, () => {}), domain.bindUnbound(backendDomid, () => {})];
  }

  /** The words of a page; none once its grant has been revoked. */
  static words(ram: SharedRam | undefined): Int32Array {
    return ram === undefined || ram.buffer.detached ? new Int32Array() : new Int32Array(ram.buffer);
  }

  /** The backend's producer index; undefined once the ring is gone. */
  get answers(): number | undefined {
    return RawStream.words(this.ring)[2];
  }

  /** Puts a producer index on the ring that cannot be. */
  breakRing(): void {
    const words = RawStream.words(this.ring);
    if (words.length > 0) words[0] = words[0]! + 2 * RING_SIZE;
    this.domain.notify(this.ports[0]);
  }

  /** How many requests the ring has room for; negative: somebody has put something else there. */
  get room(): number {
    const { answers } = this;
    const open = answers === undefined ? -1 : this.#reqProd - answers | 0;
    return open < 0 ? -1 : RING_SIZE - open;
  }

  /** The status in the place of the last request: of its answer, if that has come. */
  get lastStatus(): number {
    const at = RING_HEADER_SIZE + (this.#reqProd - 1 & RING_SIZE - 1) * PACKET_SIZE;
    return RawStream.words(this.ring)[at + 4 >> 2] ?? -1;
  }

  /** Puts a request on the ring as a driver does, whether there is room or not. */
  put(encode: (view: DataView, at: number, id: number) => void): void {
    if (this.ring.buffer.detached) return;
    const at = RING_HEADER_SIZE + (this.#reqProd & RING_SIZE - 1) * PACKET_SIZE;
    encode(new DataView(this.ring.buffer), at, this.#id++ & 0xffff);
    this.#reqProd = this.#reqProd + 1 | 0;
    this.onPut();
    Atomics.store(RawStream.words(this.ring), 0, this.#reqProd);
    this.domain.notify(this.ports[0]);
  }

  /** Shares a buffer with its directory, in the place of the former ones. */
  share(bytes: number, backendDomid: number): void {
    this.revokeBuffer();
    const pages = bufferPages(bytes);
    this.buffer = this.domain.share(pages, backendDomid);
    this.directory = this.domain.share(directoryPages(pages), backendDomid);
    writePageDirectory(new Uint32Array(this.directory.buffer), this.directory.grefs, this.buffer.grefs);
  }

  revokeBuffer(): void {
    this.buffer?.revoke();
    this.directory?.revoke();
    this.buffer = this.directory = undefined;
  }

  end(): void {
    this.revokeBuffer();
    this.ring.revoke();
    this.events.revoke();
    for (const port of this.ports) this.domain.closePort(port);
  }
}
