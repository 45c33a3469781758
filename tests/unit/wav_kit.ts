// SPDX-License-Identifier: MIT
/** Test helpers: handmade WAV files, and comparison of samples. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { AudioReader } from "../../lib/wav/mod.ts";

/** A temporary directory, removed at the end of the test. */
export class TempDir implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "xsnd-wav-" });
  file(name: string): string {
    return `${this.path}/${name}`;
  }
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Reads `reader` to its end, `frames` frames at a time. */
export function readAll(reader: AudioReader, frames = 1000): Uint8Array {
  const chunks: Uint8Array[] = [];
  const into = new Uint8Array(frames * reader.frameOctets);
  for (let count; (count = reader.readFrames(into)) > 0;) {
    chunks.push(into.slice(0, count * reader.frameOctets));
  }
  assert.equal(reader.readFrames(into), 0, "the end stays the end");
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
}

/** A RIFF chunk: its id, its body in hex, and the size in its header if other than the body's. */
export type Chunk = [id: string, hex: string, size?: number];

/** A WAV file of these chunks. */
export function wavOf(chunks: readonly Chunk[], riffSize?: number, magic = "RIFF"): Uint8Array {
  const octets = chunks.flatMap(([id, hex, size]) => {
    const body = [...Uint8Array.fromHex(hex)];
    return [...text(id), ...uint32(size ?? body.length), ...body, ...(body.length % 2 ? [0] : [])];
  });
  return Uint8Array.from([
    ...text(magic),
    ...uint32(riffSize ?? octets.length + 4),
    ...text("WAVE"),
    ...octets,
  ]);
}

/** A Sony Wave64 file of these chunks. Sizes include the headers, as the format has it. */
export function wave64Of(chunks: readonly Chunk[], fileSize?: number): Uint8Array {
  const octets = chunks.flatMap(([id, hex, size]) => {
    const body = [...Uint8Array.fromHex(hex)];
    const padding = Array((8 - body.length % 8) % 8).fill(0);
    return [...text(id), ...WAVE64_TAIL, ...uint64(size ?? body.length + 24), ...body, ...padding];
  });
  return Uint8Array.from([
    ...text("riff"),
    ...Uint8Array.fromHex("2e91cf11a5d628db04c10000"),
    ...uint64(fileSize ?? octets.length + 40),
    ...text("wave"),
    ...WAVE64_TAIL,
    ...octets,
  ]);
}

const WAVE64_TAIL = Uint8Array.fromHex("f3acd3118cd100c04f8edb8a");

export const text = (characters: string) => [...new TextEncoder().encode(characters)];
export const uint32 = (value: number) => [...new Uint8Array(new Uint32Array([value]).buffer)];
export const uint64 = (value: number) => [...new Uint8Array(new BigUint64Array([BigInt(value)]).buffer)];
export const hex = (octets: number[]) => Uint8Array.from(octets).toHex();

/** Body of the "fmt " chunk of s16_le, stereo, 48 kHz. */
export const FMT_S16 = "0100020080bb000000ee020004001000";

/** Fails at the first difference. For long files `deepEqual` would take minutes to write its message. */
export function sameOctets(actual: Uint8Array, expected: Uint8Array, what = ""): void {
  if (Buffer.from(actual).equals(expected)) return;
  const at = actual.findIndex((octet, i) => octet !== expected[i]);
  assert.fail(`${what} ${actual.length} octets for ${expected.length}, different from octet ${at} on`);
}
