// SPDX-License-Identifier: MIT
/** Files by real programs: the reader delivers them at the level of the source. */
import assert from "node:assert/strict";
import { formatByName } from "../../lib/sndif/mod.ts";
import { WavReader } from "../../lib/wav/mod.ts";
import { readAll, sameOctets, TempDir } from "./wav_kit.ts";

const RATE = 48000;
const FRAMES = 4800;
const SHAPE = ["-r", `${RATE}`, "-c", "2"];

async function run(command: string, args: string[], env: Record<string, string> = {}): Promise<Uint8Array> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, env }).output();
  assert(success, `${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return stdout;
}

const isMissing = async (command: string) => {
  try {
    return !(await new Deno.Command(command, { args: ["--version"] }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
};
const ignoreSox = await isMissing("sox");
const ignoreArecord = ignoreSox || await isMissing("arecord");

/** Two sines by sox, at half of full scale, as signed 32-bit samples. */
async function sines(path: string): Promise<Int32Array> {
  const raw = ["-e", "signed", "-b", "32", "-L", "-t", "raw", path];
  await run("sox", [
    "-V1",
    "-D",
    "-n",
    ...SHAPE,
    ...raw,
    "synth",
    "0.1",
    "sine",
    "1000",
    "sine",
    "440",
    "gain",
    "-6",
  ]);
  return new Int32Array(Deno.readFileSync(path).buffer);
}

/** Root mean square and peak of samples, as fractions of full scale. */
function levels(samples: Iterable<number>): { rms: number; peak: number } {
  let [squares, peak, count] = [0, 0, 0];
  for (const sample of samples) {
    squares += sample * sample;
    peak = Math.max(peak, Math.abs(sample));
    count++;
  }
  return { rms: Math.sqrt(squares / count), peak };
}

function* linear(samples: Int32Array) {
  for (const sample of samples) yield sample / 2 ** 31;
}

/** A file's samples, widened to signed 32 bits or to floats. */
function readWide(path: string): { wide: Int32Array | Float32Array; warnings: string[] } {
  const warnings: string[] = [];
  using reader = new WavReader(path, (warning) => warnings.push(warning));
  assert.deepEqual([reader.params.rate, reader.params.channels, reader.frames], [RATE, 2, FRAMES]);
  const isFloat = reader.params.format.kind === "float";
  reader.deliverAs(formatByName(isFloat ? "float_le" : "s32_le")!);
  const { buffer } = readAll(reader);
  return { wide: isFloat ? new Float32Array(buffer) : new Int32Array(buffer), warnings };
}

/** Asserts that the file at `path` has the level of `source`, to within the last of `bits` bits. Returns the warnings. */
function assertLevels(path: string, source: Int32Array, bits: number): string[] {
  const { wide, warnings } = readWide(path);
  const actual = levels(wide instanceof Int32Array ? linear(wide) : wide);
  const expected = levels(linear(source));
  assert(expected.rms > 0.3 && expected.peak > 0.4, "the source is loud");
  for (const key of ["rms", "peak"] as const) {
    assert(
      Math.abs(actual[key] - expected[key]) < 2 ** (1 - bits),
      `${key} ${actual[key]}, and not ${expected[key]}`,
    );
  }
  return warnings;
}

/** ALSA's formats, each with the samples of a raw file from which arecord records. */
const recorded: {
  format: string;
  bits: number;
  samples: (wide: Int32Array) => Uint8Array;
  warning?: RegExp;
}[] = [
  { format: "U8", bits: 8, samples: (wide) => Uint8Array.from(wide, (value) => (value >> 24) + 128) },
  {
    format: "S16_LE",
    bits: 16,
    samples: (wide) => new Uint8Array(Int16Array.from(wide, (v) => v >> 16).buffer),
  },
  {
    format: "S24_3LE",
    bits: 24,
    samples: (wide) => Uint8Array.from([...wide].flatMap((v) => [v >> 8, v >> 16, v >> 24])),
  },
  { format: "S32_LE", bits: 32, samples: (wide) => new Uint8Array(wide.slice().buffer) },
  {
    format: "S24_LE",
    bits: 24,
    samples: (wide) => new Uint8Array(wide.map((v) => v >> 8).buffer),
    warning: /the low 24 of 32 bits are played$/,
  },
  {
    format: "FLOAT_LE",
    bits: 24,
    samples: (wide) => new Uint8Array(Float32Array.from(wide, (v) => v / 2 ** 31).buffer),
  },
];

for (const { format, bits, samples, warning } of recorded) {
  Deno.test(
    { name: `WavReader reads what arecord -f ${format} writes, at its level`, ignore: ignoreArecord },
    async () => {
      using temp = new TempDir();
      const [heard, wav, config] = ["heard.raw", "a.wav", "asound.conf"].map((name) => temp.file(name));
      const source = await sines(temp.file("source.raw"));
      Deno.writeFileSync(heard!, samples(source));
      Deno.writeTextFileSync(
        config!,
        `pcm.silence { type null }
       pcm.heard { type file slave.pcm silence file "/dev/null" infile "${heard}" format "raw" }`,
      );
      const args = ["-q", "-D", "heard", "-f", format, ...SHAPE, "-s", `${FRAMES}`, wav!];
      await run("arecord", args, { ALSA_CONFIG_PATH: config! });
      const warnings = assertLevels(wav!, source, bits);
      assert.equal(warnings.length, warning === undefined ? 0 : 1, warnings.join("\n"));
      if (warning !== undefined) assert.match(warnings[0]!, warning);
    },
  );
}

/** File types and encodings, by sox's names. For files beyond 4 GiB sox has Wave64. */
const written: [type: string, encoding: string, bits: number][] = [
  ["wav", "unsigned", 8],
  ["wav", "signed", 16],
  ["wav", "signed", 24],
  ["wav", "signed", 32],
  ["wav", "float", 32],
  ["wavpcm", "signed", 24],
  ["w64", "signed", 16],
  ["w64", "signed", 24],
  ["w64", "signed", 32],
  ["w64", "float", 32],
];

for (const [type, encoding, bits] of written) {
  Deno.test({
    name: `WavReader reads what sox -t ${type} -e ${encoding} -b ${bits} writes, at its level`,
    ignore: ignoreSox,
  }, async () => {
    using temp = new TempDir();
    const [raw, file, pipe] = [temp.file("source.raw"), temp.file("a.wav"), temp.file("pipe.wav")];
    const source = await sines(raw);
    const from = ["-V1", "-D", ...SHAPE, "-e", "signed", "-b", "32", "-t", "raw", raw];
    const to = ["-e", encoding, "-b", `${bits}`, "-t", type];
    await run("sox", [...from, ...to, file]);
    assert.deepEqual(assertLevels(file, source, Math.min(bits, 24)), []);
    // sox writes Wave64 through libsndfile, which repeats the header at the end of a pipe.
    if (type === "w64") return;
    Deno.writeFileSync(pipe, await run("sox", [...from, ...to, "-"]));
    sameOctets(new Uint8Array(readWide(pipe).wide.buffer), new Uint8Array(readWide(file).wide.buffer));
  });
}

Deno.test(
  { name: "WavReader says of ADPCM what makes a WAV file of it that can be read", ignore: ignoreSox },
  async () => {
    using temp = new TempDir();
    const [raw, coded, plain] = [temp.file("source.raw"), temp.file("coded.wav"), temp.file("plain.wav")];
    await sines(raw);
    const from = ["-V1", "-D", ...SHAPE, "-e", "signed", "-b", "32", "-t", "raw", raw];
    for (const encoding of ["ms-adpcm", "ima-adpcm"] as const) {
      await run("sox", [...from, "-e", encoding, coded]);
      let message = "";
      try {
        using _reader = new WavReader(coded);
      } catch (error) {
        message = (error as Error).message;
      }
      const command = /`sox (FILE .* OUT\.wav)`$/.exec(message)?.[1];
      assert(command !== undefined, message);
      await run("sox", command.split(" ").map((word) => ({ FILE: coded, "OUT.wav": plain })[word] ?? word));
      using reader = new WavReader(plain);
      assert(reader.frames! >= FRAMES, `${reader.frames} frames`);
    }
  },
);
