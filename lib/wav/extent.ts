// SPDX-License-Identifier: MIT
/** Finds how much of a file is sound, by the header's sizes and the file's own. All existing samples are played. */
import { count } from "../base/text.ts";

/** The samples of a file. */
export interface Extent {
  /** Octets of whole frames to read; Infinity: until the stream ends. */
  readonly octets: number;
  /** A sentence for each fault: the fault, and the samples that are played. */
  readonly findings: readonly string[];
}

/** The header's sizes. */
export interface Claim {
  /** Octets of the file and of its samples; Infinity for a size that the header does not say. */
  readonly fileOctets: number;
  readonly dataOctets: number;
  /** Whether another chunk is in the samples' place. */
  readonly isChunkNext: boolean;
}

/**
 * Whether a size is a placeholder. A writer to a pipe cannot correct its header afterwards: ffmpeg writes all ones, sox and
 * arecord write whole frames up to 2 GiB.
 */
function isPlaceholder(octets: number): boolean {
  return octets >= 0xffff0000 && octets <= 0xffffffff || octets === Infinity ||
    octets >= 0x7fff0000 && octets <= 0x80000000;
}

/** The extent of a stream, whose header normally has no size: that is no fault. */
export function streamExtent({ dataOctets, isChunkNext }: Claim, frameOctets: number): Extent {
  if (dataOctets === 0 ? !isChunkNext : isPlaceholder(dataOctets)) return { octets: Infinity, findings: [] };
  return wholeFrames(dataOctets, frameOctets, false, []);
}

/** The extent in a file of `size` octets whose samples begin at octet `dataAt`. */
export function fileExtent(claim: Claim, size: number, dataAt: number, frameOctets: number): Extent {
  const { fileOctets, dataOctets, isChunkNext } = claim;
  const present = size - dataAt;
  const toEnd = (finding: string) => wholeFrames(present, frameOctets, true, [`the header ${finding}`]);
  if (dataOctets === Infinity) {
    return toEnd(`gives no length; the ${octets(present)} up to the end are played`);
  }
  if (dataOctets === 0 && present > 0 && !isChunkNext) {
    return toEnd(`says 0 octets of samples; the ${octets(present)} after it are played`);
  }
  if (dataOctets > present) {
    const there = present === 0 ? "none" : `${present}; these are played`;
    return toEnd(`says ${octets(dataOctets)} of samples, the file has ${there}`);
  }
  const findings: string[] = [];
  // Many writers wrongly count the eight octets before the size, too.
  if (!isPlaceholder(fileOctets - 8) && fileOctets > size + 8) {
    findings.push(
      `the header says ${
        octets(fileOctets)
      } for the whole file, which has ${size}; all samples are there and are played`,
    );
  }
  return wholeFrames(dataOctets, frameOctets, false, findings);
}

/**
 * The fault of `total` octets of samples that are not whole frames; undefined if there is none.
 * @param mayBePadded at the end of a stream: one more octet, which makes the number even, is no fault
 */
export function strayFinding(total: number, frameOctets: number, mayBePadded: boolean): string | undefined {
  const stray = total % frameOctets;
  if (stray === 0 || mayBePadded && stray === 1 && total % 2 === 0) return undefined;
  return `the samples end ${octets(stray)} into a frame of ${frameOctets}; the whole frames are played`;
}

function wholeFrames(total: number, frameOctets: number, mayBePadded: boolean, findings: string[]): Extent {
  const stray = strayFinding(total, frameOctets, mayBePadded);
  return {
    octets: total - total % frameOctets,
    findings: stray === undefined ? findings : [...findings, stray],
  };
}

const octets = (number: number) => count(number, "octet");
