/** Mapping the sample buffer that an OPEN names, page by page as its directory, which the guest writes, has them. */
import { PcmError } from "../pcm/device.ts";
import { type OpenRequest, walkPageDirectory } from "../sndif/mod.ts";
import { GrantError, type GrantTable, type Mapping } from "../xen/ports.ts";
import { type GuestUse, sharing } from "./guest_limits.ts";

/** @param most octets that it may have. Throws {@link PcmError}, {@link GrantError} or {@link LimitError}, with nothing left mapped. */
export function mapBuffer(
  domid: number,
  { bufferSz, grefDirectory }: OpenRequest,
  most: number,
  { grants, guests }: { readonly grants: GrantTable; readonly guests: GuestUse },
): Mapping {
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
  using stack = new DisposableStack();
  const share = stack.use(guests.pages(domid, walk.grefs.length));
  const buffer = sharing(grants.map(domid, walk.grefs, "write"), share);
  stack.move();
  return buffer;
}
