// SPDX-License-Identifier: MIT
/**
 * Reads the container of a WAV file up to the first sample: RIFF, its variants with 64-bit sizes (RF64: EBU Tech 3306; BW64: ITU-R
 * BS.2088), and Sony Wave64, whose chunks are named by GUIDs.
 */
import { XsndError } from "../base/error.ts";
import type { InputFile } from "./file.ts";
import { FMT_MAX_OCTETS } from "./header.ts";

/** The contents of a header. */
export interface ContainerHeader {
  /** The "fmt " chunk's first {@link FMT_MAX_OCTETS} octets, or the whole chunk if it is shorter. */
  readonly fmt: Uint8Array;
  /** Octets of the whole file; Infinity if the header does not say. */
  readonly fileOctets: number;
  /** Octets of samples; Infinity if the header does not say. */
  readonly dataOctets: number;
  /** Whether another chunk follows a "data" chunk of 0 octets: then the file is really empty. */
  readonly isChunkNext: boolean;
  /** A sentence for each fault: the fault, and the value that is used instead. */
  readonly findings: readonly string[];
}

/** The shape of chunks in one kind of container. */
interface Layout {
  readonly headOctets: number;
  /** Chunks begin at multiples of this. */
  readonly align: number;
  /** The chunk's name, and the octets after its head; the name is undefined if `head` is no chunk's. */
  parse(head: Uint8Array): { id: string | undefined; octets: number };
}

/** A 32-bit size that means "unknown", or "see the ds64 chunk". */
const OPEN_SIZE = 0xffffffff;

const RIFF: Layout = {
  headOctets: 8,
  align: 2,
  parse: (head) => ({
    id: /^[ -~]{4}$/.test(text(head.subarray(0, 4))) ? text(head.subarray(0, 4)) : undefined,
    octets: sizeOf(uint32(head, 4)),
  }),
};

/** A Wave64 GUID is a name of four letters and this tail. The GUID "riff" has a tail of its own. */
const WAVE64_TAIL = "f3acd3118cd100c04f8edb8a";
const WAVE64_RIFF_TAIL = "2e91cf11a5d628db04c10000";

const WAVE64: Layout = {
  headOctets: 24,
  align: 8,
  // The size of a chunk includes its head.
  parse: (head) => ({
    id: head.subarray(4, 16).toHex() === WAVE64_TAIL ? text(head.subarray(0, 4)) : undefined,
    octets: uint64(head, 16) - 24,
  }),
};

/** More chunks before the samples than any writer makes. */
const MAX_CHUNKS = 1000;
/** Octets of a "ds64" chunk before its table: size of the file, size of the samples, number of frames. */
const DS64_OCTETS = 24;
/** Chunks that are recognized although the chunk before lacks its padding octet, or has a wrong length. */
const KNOWN_IDS = ["fmt ", "data", "fact", "LIST", "bext", "JUNK", "PEAK"];
/** The possible lengths of a "fmt " chunk of uncompressed samples. */
const FMT_OCTETS = [16, 18, FMT_MAX_OCTETS];

/** Reads `file` up to its first sample. Throws {@link XsndError} if there is no "data" chunk, or the file is no WAV file. */
export function readContainer(file: InputFile): ContainerHeader {
  const start = file.peek(40);
  const magic = text(start.subarray(0, 4));
  if (
    magic === "riff" && start.subarray(4, 16).toHex() === WAVE64_RIFF_TAIL &&
    text(start.subarray(24, 28)) === "wave"
  ) {
    file.skip(40);
    return new ChunkWalk(file, WAVE64, uint64(start, 16)).toSamples();
  }
  if (["RIFF", "RF64", "BW64"].includes(magic) && text(start.subarray(8, 12)) === "WAVE") {
    file.skip(12);
    return new ChunkWalk(file, RIFF, 8 + sizeOf(uint32(start, 4))).toSamples();
  }
  throw new XsndError(`cannot read ${file.name}: it is not a WAV file (${describe(start)})`);
}

/** Walks from chunk to chunk. */
class ChunkWalk {
  readonly #findings: string[] = [];
  #fmt: Uint8Array | undefined;
  /** Octets of samples by the "ds64" chunk. */
  #wideDataOctets: number | undefined;

  constructor(
    private readonly file: InputFile,
    private readonly layout: Layout,
    private fileOctets: number,
  ) {}

  toSamples(): ContainerHeader {
    const { file, layout } = this;
    for (let chunks = 0; chunks < MAX_CHUNKS; chunks++) {
      const at = file.position;
      const head = new Uint8Array(layout.headOctets);
      const count = file.read(head);
      if (count === 0) throw this.#bad('it has no "data" chunk');
      if (count < head.length) throw this.#cutShort(head.length - count, `a chunk's header at octet ${at}`);
      const { id, octets } = layout.parse(head);
      // sox leaves a size of 0 in a Wave64 that it writes into a pipe.
      if (id === "data") return this.#header(Math.max(0, octets));
      if (octets < 0) {
        throw this.#bad(
          `the chunk ${JSON.stringify(id ?? "?")} at octet ${at} is shorter than its own header`,
        );
      }
      if (octets === Infinity) {
        throw this.#bad(
          `the chunk ${JSON.stringify(id ?? "?")} at octet ${at} has no length`,
        );
      }
      this.#pass(id, octets, at);
    }
    throw this.#bad(`${MAX_CHUNKS} chunks come before its samples`);
  }

  #header(octets: number): ContainerHeader {
    const fmt = this.#fmt;
    if (fmt === undefined) throw this.#bad('it has no "fmt " chunk before its samples');
    const dataOctets = octets === Infinity ? this.#wideDataOctets ?? Infinity : octets;
    const { fileOctets } = this;
    return {
      fmt,
      fileOctets,
      dataOctets,
      isChunkNext: dataOctets === 0 && this.#isChunkNext(),
      findings: this.#findings,
    };
  }

  /** Whether the next octets are the head of a chunk that fits into the file. */
  #isChunkNext(): boolean {
    const { file, layout } = this;
    const head = file.peek(layout.headOctets);
    if (head.length < layout.headOctets) return false;
    const { id, octets } = layout.parse(head);
    const end = file.position + layout.headOctets + octets;
    return id !== undefined && end <= (file.size ?? Infinity);
  }

  /** Skips a chunk; keeps the contents of "fmt " and "ds64". */
  #pass(id: string | undefined, octets: number, at: number): void {
    const { file } = this;
    let wanted = 0;
    if (id === "fmt ") {
      octets = this.#fmtOctets(octets);
      wanted = FMT_MAX_OCTETS;
    } else if (id === "ds64") wanted = DS64_OCTETS;
    const kept = new Uint8Array(Math.min(octets, wanted));
    const missing = kept.length - file.read(kept) + octets - kept.length - file.skip(octets - kept.length);
    if (missing > 0) throw this.#cutShort(missing, `the chunk ${JSON.stringify(id ?? "?")} at octet ${at}`);
    this.#align(octets);
    if (id === "fmt ") this.#fmt = kept;
    else if (id === "ds64" && kept.length === DS64_OCTETS) {
      this.fileOctets = 8 + uint64(kept, 0);
      this.#wideDataOctets = uint64(kept, 8);
    }
  }

  /** The length of a "fmt " chunk: less than `claimed` if another chunk begins where a shorter chunk would end. */
  #fmtOctets(claimed: number): number {
    const ahead = this.file.peek(FMT_MAX_OCTETS + 4);
    const real = FMT_OCTETS.find((octets) =>
      octets < claimed && KNOWN_IDS.includes(text(ahead.subarray(octets, octets + 4)))
    );
    if (real === undefined) return claimed;
    this.#findings.push(
      `the "fmt " chunk claims ${claimed} octets and has ${real}, which are used`,
    );
    return real;
  }

  /** Skips the padding of a chunk, unless the writer has left it out. */
  #align(octets: number): void {
    const padding = (this.layout.align - octets % this.layout.align) % this.layout.align;
    if (padding > 0 && !KNOWN_IDS.includes(text(this.file.peek(4)))) this.file.skip(padding);
  }

  #bad(what: string): XsndError {
    return new XsndError(`cannot read ${this.file.name}: ${what}`);
  }

  #cutShort(missing: number, what: string): XsndError {
    const octets = missing === 1 ? "1 octet is" : `${missing} octets are`;
    return new XsndError(
      `cannot read ${this.file.name}: it ends before its samples: ${octets} missing from ${what}; get a complete copy`,
    );
  }
}

function uint32(octets: Uint8Array, at: number): number {
  return new DataView(octets.buffer, octets.byteOffset).getUint32(at, true);
}

/** A 64-bit size; Infinity for a size too large for a file, as writers to pipes leave it. */
function uint64(octets: Uint8Array, at: number): number {
  const value = uint32(octets, at + 4) * 2 ** 32 + uint32(octets, at);
  return value <= Number.MAX_SAFE_INTEGER ? value : Infinity;
}

function sizeOf(size: number): number {
  return size === OPEN_SIZE ? Infinity : size;
}

function text(octets: Uint8Array): string {
  return String.fromCharCode(...octets);
}

/** The first octets of other sound files. */
const OTHERS: readonly [start: string, name: string][] = [
  ["RIFX", "big-endian WAV"],
  ["OggS", "Ogg"],
  ["fLaC", "FLAC"],
  ["FORM", "AIFF"],
  [".snd", "Sun audio"],
  ["ID3", "MP3"],
];

/** The kind of a file that is no WAV file, and the remedy. */
function describe(start: Uint8Array): string {
  if (start.length === 0) return "it is empty";
  const begins = text(start.subarray(0, 12));
  const other = OTHERS.find(([magic]) => begins.startsWith(magic));
  return other === undefined
    ? `it begins with ${JSON.stringify(begins)}; samples without a header take --raw`
    : `it is ${other[1]}; convert it: \`sox FILE OUT.wav\``;
}
