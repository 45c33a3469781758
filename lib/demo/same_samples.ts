// SPDX-License-Identifier: MIT
/** Compares what was played or recorded with what should have been. */
import { WavReader } from "../wav/mod.ts";

const BLOCK_FRAMES = 4096;

/**
 * Where the samples of the WAV file `heard` differ from those of `expected`, in words; undefined if nowhere. With `begins`, `expected`
 * may go on after the last sample of `heard`.
 */
export function difference(expected: string, heard: string, { begins = false } = {}): string | undefined {
  using left = new WavReader(expected);
  using right = new WavReader(heard);
  const common = left.formats.find((format) => right.formats.includes(format));
  if (common === undefined) return "the formats are not the same";
  left.deliverAs(common);
  right.deliverAs(common);
  const [a, b] = [left.params, right.params];
  if (a.rate !== b.rate || a.channels !== b.channels) {
    return `${b.rate} Hz and ${b.channels} channels, not ${a.rate} and ${a.channels}`;
  }
  const size = left.frameOctets;
  const one = new Uint8Array(BLOCK_FRAMES * size);
  const other = new Uint8Array(one.length);
  for (let frames = 0;; frames += BLOCK_FRAMES) {
    const [n, m] = [left.readFrames(one), right.readFrames(other)];
    const both = one.subarray(0, Math.min(n, m) * size);
    const at = both.findIndex((octet, i) => octet !== other[i]);
    if (at >= 0) return `another sample in frame ${frames + Math.floor(at / size)}`;
    if (n > m) return begins ? undefined : `${frames + m} frames, and more were to come`;
    if (n < m) return `more than ${frames + n} frames`;
    if (n === 0) return undefined;
  }
}
