// SPDX-License-Identifier: MIT
/** Mapping the sample buffer that an OPEN names, page by page as its directory, which the guest writes, has them. */
import { PcmError } from "../../pcm/pcm_error.ts";
import { type Direction, STAGING_BYTES } from "../../pcm/pcm.ts";
import { bufferPages, type OpenRequest, walkPageDirectory } from "../../sndif/mod.ts";
import { GrantError, type Mapping, XEN_PAGE_SIZE } from "../../xen/ports.ts";
import { sharing } from "../policy/guest_limits.ts";
import type { LinkServices } from "./frontend_link.ts";

/**
 * Octets that are held for a stream with a buffer of `bufferSz` octets, while it is open: the guest's pages; the ring of a dummy card,
 * which any card may have to give way to; what was captured and has not been read; staging.
 */
export function heldBytes(bufferSz: number, direction: Direction): number {
  const copies = direction === "capture" ? 2 : 1;
  return bufferPages(bufferSz) * XEN_PAGE_SIZE + copies * bufferSz + 2 * STAGING_BYTES;
}

/**
 * Maps the buffer, once its guest may have {@link heldBytes}.
 *
 * @param most octets that it may have. Throws {@link PcmError}, {@link GrantError} or {@link LimitError}, with nothing left mapped.
 */
export function mapBuffer(
  domid: number,
  { bufferSz, grefDirectory }: OpenRequest,
  direction: Direction,
  most: number,
  { grants, guests }: LinkServices,
): Mapping {
  using stack = new DisposableStack();
  const share = stack.use(guests.memory(domid, heldBytes(bufferSz, direction)));
  const readPage = (gref: number, words: Uint32Array): boolean => {
    try {
      using page = grants.map(domid, [gref], "read");
      words.set(new Uint32Array(page.buffer));
      return true;
    } catch (error) {
      if (error instanceof GrantError && !error.isOutOfMemory) return false;
      throw error;
    }
  };
  const walk = walkPageDirectory(bufferSz, grefDirectory, readPage, most);
  if ("reason" in walk) throw new PcmError(`OPEN refused: ${walk.reason}`, walk.errno);
  const buffer = sharing(grants.map(domid, walk.grefs, "write"), share);
  stack.move();
  return buffer;
}
