// SPDX-License-Identifier: MIT
/** WAV files by other programs: the reader delivers all samples present, and reports every fault. */
import assert from "node:assert/strict";
import { WavReader } from "../../lib/wav/mod.ts";
import { type Chunk, FMT_S16, hex, readAll, TempDir, uint32, uint64, wave64Of, wavOf } from "./wav_kit.ts";

const SAMPLES = "0102030405060708";
/** "fmt " chunk of 24 bits in three octets, as ffmpeg and sox write it: WAVE_FORMAT_EXTENSIBLE. */
const FMT_S24 = "feff020080bb000000650400060018001600180003000000" + "0100000000001000800000aa00389b71";
const LIST = "494e464f495346540e0000004c61766635392e32372e31303000";
const ALL_ONES = 0xffffffff;

/** The result of reading a file: its samples, and the warnings without the file's name. */
interface Reading {
  readonly samples: string;
  readonly frames: number | undefined;
  readonly warnings: string[];
}

function read(path: string): Reading {
  const warnings: string[] = [];
  using reader = new WavReader(path, (warning) => {
    assert(warning.startsWith(`${path}: `), warning);
    warnings.push(warning.slice(path.length + 2));
  });
  const samples = readAll(reader, 3).toHex();
  return { samples, frames: reader.frames, warnings };
}

function readFile(octets: Uint8Array): Reading {
  using temp = new TempDir();
  Deno.writeFileSync(temp.file("a.wav"), octets);
  return read(temp.file("a.wav"));
}

async function readPipe(octets: Uint8Array): Promise<Reading> {
  using temp = new TempDir();
  const [file, pipe] = [temp.file("a.wav"), temp.file("pipe")];
  Deno.writeFileSync(file, octets);
  await new Deno.Command("mkfifo", { args: [pipe] }).output();
  const cat = new Deno.Command("sh", { args: ["-c", 'cat "$1" > "$2"', "sh", file, pipe], stderr: "null" })
    .spawn();
  try {
    return read(pipe);
  } finally {
    await cat.status;
  }
}

/** A file, and the warnings on it. Read through a pipe, the file gets no warning that needs the file's end. */
interface Case {
  readonly name: string;
  readonly octets: Uint8Array;
  readonly samples?: string;
  readonly file: RegExp[];
  readonly pipe: RegExp[];
}

const data: Chunk = ["data", SAMPLES];
const cut = (octets: Uint8Array, count: number) => octets.subarray(0, octets.length - count);
const ds64 = (file: number, samples: number): Chunk => [
  "ds64",
  hex([...uint64(file), ...uint64(samples), ...uint64(2), ...uint32(0)]),
];

const cases: Case[] = [
  { name: "an honest one", octets: wavOf([["fmt ", FMT_S16], data]), file: [], pipe: [] },
  {
    name: "chunks before the samples, one of them of odd length, and one behind",
    octets: wavOf([
      ["JUNK", "00".repeat(70_001)],
      ["bext", "00".repeat(602)],
      ["fmt ", FMT_S16 + "0000"],
      ["LIST", LIST],
      data,
      ["id3 ", "ff"],
    ]),
    file: [],
    pipe: [],
  },
  {
    name: "an odd chunk without the octet that makes it even",
    octets: (() => {
      const wav = wavOf([["LIST", "aabbcc"], ["fmt ", FMT_S16], data]);
      return Uint8Array.from([...wav.subarray(0, 23), ...wav.subarray(24)]);
    })(),
    file: [],
    pipe: [],
  },
  {
    name: "a longer fmt chunk than its format takes",
    octets: wavOf([["fmt ", FMT_S16 + "00".repeat(50)], data]),
    file: [],
    pipe: [],
  },
  {
    name: "a fmt chunk that says it is longer than the file",
    octets: wavOf([["fmt ", FMT_S16, 0x10000], data]),
    file: [/^the "fmt " chunk claims 65536 octets and has 16, which are used$/],
    pipe: [/65536/],
  },
  {
    name: "a size of 0 with samples behind it, from a writer that was killed",
    octets: wavOf([["fmt ", FMT_S16], ["data", SAMPLES, 0]], 36),
    file: [/^the header says 0 octets of samples; the 8 octets after it are played$/],
    pipe: [],
  },
  {
    name: "no sizes at all",
    octets: wavOf([["fmt ", FMT_S16], ["data", SAMPLES, 0]], 0),
    file: [/says 0 octets of samples; the 8 octets/],
    pipe: [],
  },
  {
    name: "no samples, and a chunk behind: a size of 0 that is true",
    octets: wavOf([["fmt ", FMT_S16], ["data", ""], ["LIST", LIST]]),
    samples: "",
    file: [],
    pipe: [],
  },
  {
    name: "what ffmpeg writes into a pipe",
    octets: wavOf([["fmt ", FMT_S16], ["LIST", LIST], ["data", SAMPLES, ALL_ONES]], ALL_ONES),
    file: [/^the header gives no length; the 8 octets up to the end are played$/],
    pipe: [],
  },
  ...[[0x7ffff024, 0x7ffff000], [0x7ffff044, 0x7fffeffc], [0x80000024, 0x80000000], [0x7fffff24, 0x7fffff00]]
    .map(
      ([riff, size]): Case => ({
        name: `what sox or arecord write into a pipe, or when killed: ${size} octets`,
        octets: wavOf([["fmt ", FMT_S16], ["data", SAMPLES, size]], riff),
        file: [
          new RegExp(`^the header says ${size} octets of samples, the file has 8; these are played$`),
        ],
        pipe: [],
      }),
    ),
  {
    name: "a file that was cut short",
    octets: wavOf([["fmt ", FMT_S16], ["data", SAMPLES, 16]]),
    file: [/^the header says 16 octets of samples, the file has 8; these are played$/],
    pipe: [/^the samples end 8 octets early; all before are played$/],
  },
  {
    name: "a file that was cut short within a frame",
    octets: cut(wavOf([["fmt ", FMT_S16], ["data", SAMPLES + "0102", 16]]), 1),
    file: [
      /^the header says 16 octets of samples, the file has 9;/,
      /^the samples end 1 octet into a frame of 4;/,
    ],
    pipe: [
      /^the samples end 7 octets early/,
      /^the samples end 1 octet into a frame of 4; the whole frames are played$/,
    ],
  },
  {
    name: "stray octets after whole frames",
    octets: wavOf([["fmt ", FMT_S16], ["data", SAMPLES + "090a"]]),
    file: [/^the samples end 2 octets into a frame of 4; the whole frames are played$/],
    pipe: [/^the samples end 2 octets into a frame of 4;/],
  },
  {
    name: "a stray octet at the end of a stream",
    octets: cut(wavOf([["fmt ", FMT_S16], ["data", SAMPLES + "09", ALL_ONES]], ALL_ONES), 1),
    file: [/gives no length/, /^the samples end 1 octet into a frame of 4;/],
    pipe: [/^the samples end 1 octet into a frame of 4;/],
  },
  {
    name: "a file that the header says is longer, with all of its samples",
    octets: wavOf([["fmt ", FMT_S16], data], 1000),
    file: [
      /^the header says 1008 octets for the whole file, which has 52; all samples are there and are played$/,
    ],
    pipe: [],
  },
  {
    name: "a file size that counts its own eight octets",
    octets: wavOf([["fmt ", FMT_S16], data], 52),
    file: [],
    pipe: [],
  },
  {
    name: "frames of another length than its samples make",
    octets: wavOf([["fmt ", "0100020080bb000000ee020003001000"], data]),
    file: [/^the header says 16 bits in frames of 3 octets for 2 channels; frames of 4 octets are played$/],
    pipe: [/frames of 4 octets are played/],
  },
  // As ffmpeg -rf64 always writes it (libavformat 59): riffenc's ds64 with an empty table, and LIST before the samples.
  {
    name: "RF64",
    octets: wavOf(
      [ds64(94, 8), ["fmt ", FMT_S16], ["LIST", LIST], ["data", SAMPLES, ALL_ONES]],
      ALL_ONES,
      "RF64",
    ),
    file: [],
    pipe: [],
  },
  {
    name: "RF64 into a pipe",
    octets: wavOf([ds64(0, 0), ["fmt ", FMT_S16], ["data", SAMPLES, ALL_ONES]], ALL_ONES, "RF64"),
    file: [/says 0 octets of samples; the 8 octets/],
    pipe: [],
  },
  {
    name: "BW64, with a chunk behind its samples",
    octets: wavOf(
      [ds64(88, 8), ["fmt ", FMT_S16], ["data", SAMPLES, ALL_ONES], ["chna", "0000"]],
      ALL_ONES,
      "BW64",
    ),
    file: [],
    pipe: [],
  },
  {
    name: "RF64 that was cut short",
    octets: wavOf(
      [ds64(10_000_000_080, 10_000_000_000), ["fmt ", FMT_S16], ["data", SAMPLES, ALL_ONES]],
      ALL_ONES,
      "RF64",
    ),
    file: [/^the header says 10000000000 octets of samples, the file has 8; these are played$/],
    pipe: [/^the samples end 9999999992 octets early/],
  },
  {
    name: "RF64 without its ds64 chunk",
    octets: wavOf([["fmt ", FMT_S16], ["data", SAMPLES, ALL_ONES]], ALL_ONES, "RF64"),
    file: [/gives no length/],
    pipe: [],
  },
  {
    name: "Wave64, with chunks before and behind its samples",
    octets: wave64Of([["fact", "0200000000000000"], ["fmt ", FMT_S16 + "0000"], data, [
      "list",
      "00".repeat(9),
    ]]),
    file: [],
    pipe: [],
  },
  {
    name: "Wave64 as sox writes it into a pipe",
    octets: wave64Of([["fmt ", FMT_S16], ["data", SAMPLES, 0]], 0),
    file: [/says 0 octets of samples; the 8 octets/],
    pipe: [],
  },
  {
    name: "Wave64 as ffmpeg writes it into a pipe (libavformat 59, w64_write_header())",
    octets: wave64Of([["fmt ", FMT_S16], ["data", SAMPLES, 2 ** 63]], 2 ** 63),
    file: [/gives no length; the 8 octets/],
    pipe: [],
  },
];

for (const { name, octets, samples = SAMPLES, file, pipe } of cases) {
  Deno.test(`WavReader reads ${name}, from a file and from a pipe`, async () => {
    for (const [reading, expected] of [[readFile(octets), file], [await readPipe(octets), pipe]] as const) {
      assert.equal(reading.samples, samples);
      const { warnings } = reading;
      assert.equal(warnings.length, expected.length, warnings.join("\n"));
      expected.forEach((regExp, i) => assert.match(warnings[i]!, regExp));
    }
    const { frames } = readFile(octets);
    assert.equal(frames, samples.length / 8, "a file's length is known beforehand");
  });
}

Deno.test("WavReader takes an octet that makes an unknown length even for what it is", async () => {
  // One mono frame of three octets, and a pad octet.
  const fmt = "0100010080bb0000b032020003001800";
  const wav = wavOf([["fmt ", fmt], ["data", "010203", ALL_ONES]], ALL_ONES);
  assert.deepEqual(await readPipe(wav), { samples: "01020300", frames: undefined, warnings: [] });
  assert.equal(readFile(wav).samples, "01020300");
});

Deno.test("WavReader finds 24 bits where their writers put them into four octets", () => {
  const fmt = (tag: string, blockAlign: string, bits: string) =>
    `${tag}010080bb000000ee0200${blockAlign}${bits}`;
  const extension = "1600180004000000" + "0100000000001000800000aa00389b71";
  const reading = (fmt: string) => readFile(wavOf([["fmt ", fmt], ["data", "563412ff" + "000080aa"]]));
  const low = { samples: "56341200" + "000080ff", frames: 2 };
  const warnings = (bits: number, octets: number) => [
    `the header says ${bits} bits in frames of ${octets} octets for 1 channel, as arecord writes S24_LE; ` +
    "the low 24 of 32 bits are played",
  ];
  assert.deepEqual(reading(fmt("0100", "0400", "1800")), { ...low, warnings: warnings(24, 4) });
  // begin_wave() of alsa-utils 1.2.15 and 1.2.16 swaps the two widths of S24_LE.
  assert.deepEqual(reading(fmt("0100", "0300", "2000")), { ...low, warnings: warnings(32, 3) });
  // In WAVE_FORMAT_EXTENSIBLE the valid bits are the high bits (mmreg.h, wValidBitsPerSample).
  const high = { samples: "563412ff" + "000080aa", frames: 2, warnings: [] };
  assert.deepEqual(reading(fmt("feff", "0400", "2000") + extension), high);
  assert.deepEqual(readFile(wavOf([["fmt ", FMT_S24], ["data", "563412000080"]])), {
    samples: "56341200" + "000080ff",
    frames: 1,
    warnings: [],
  });
});

Deno.test("WavReader counts frames beyond 4 GiB, and begins there if need be", () => {
  using temp = new TempDir();
  const path = temp.file("large.wav");
  const octets = 6 * 2 ** 30;
  const sparse = (header: Uint8Array, length: number) => {
    Deno.writeFileSync(path, header);
    Deno.truncateSync(path, length);
  };
  const first = () => {
    const warnings: string[] = [];
    using reader = new WavReader(path, (warning) => warnings.push(warning));
    const frame = new Uint8Array(4);
    assert.equal(reader.readFrames(frame), 1);
    return [reader.frames, frame.toHex(), ...warnings];
  };
  const rf64 = wavOf(
    [ds64(octets + 72, octets), ["fmt ", FMT_S16], ["data", SAMPLES, ALL_ONES]],
    ALL_ONES,
    "RF64",
  );
  sparse(rf64, rf64.length - 8 + octets);
  assert.deepEqual(first(), [octets / 4, "01020304"]);
  const wave64 = wave64Of([["fmt ", FMT_S16], ["data", SAMPLES, octets + 24]], octets + 104);
  sparse(wave64, wave64.length - 8 + octets);
  assert.deepEqual(first(), [octets / 4, "01020304"]);
  // The samples follow a chunk of 6 GiB, which the reader skips.
  const rest = wave64Of([["fmt ", FMT_S16], data]).subarray(40);
  const junk = (length: number) => wave64Of([["junk", "", octets + 24]], length);
  const at = junk(0).length + octets;
  sparse(junk(at + rest.length), at);
  Deno.writeFileSync(path, rest, { append: true });
  assert.deepEqual(first(), [2, "01020304"]);
});
