// SPDX-License-Identifier: MIT
/** Maps the sample buffer of an OPEN: the pages that the guest's page directory lists. */
import { PcmError } from "../../pcm/pcm_error.ts";
import { type Direction, STAGING_BYTES } from "../../pcm/pcm.ts";
import { bufferPages, type OpenRequest, walkPageDirectory } from "../../sndif/mod.ts";
import { GrantError, type Mapping, XEN_PAGE_SIZE } from "../../xen/ports.ts";
import { sharing } from "../policy/guest_limits.ts";
import type { LinkServices } from "./frontend_link.ts";

/**
 * Octets that the daemon holds for an open stream with a buffer of `bufferSz` octets: the guest's pages; the ring of a dummy device,
 * which may stand in for any device; for capture, a second copy with what the guest has not read; staging.
 */
export function heldBytes(bufferSz: number, direction: Direction): number {
  const copies = direction === "capture" ? 2 : 1;
  return bufferPages(bufferSz) * XEN_PAGE_SIZE + copies * bufferSz + 2 * STAGING_BYTES;
}

/**
 * Maps the buffer, if the guest's limit leaves room for {@link heldBytes}. Throws {@link PcmError}, {@link GrantError} or
 * {@link LimitError}, with nothing left mapped.
 *
 * @param most the greatest buffer that the policy allows, in octets
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
