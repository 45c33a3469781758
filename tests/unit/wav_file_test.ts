// SPDX-License-Identifier: MIT
/** Whole WAV and raw files: reading inverts writing. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { XsndError } from "../../lib/base/error.ts";
import { formatByName, FORMATS, type SampleFormat } from "../../lib/sndif/mod.ts";
import {
  type AudioParams,
  copyFrames,
  RawReader,
  RawWriter,
  WavReader,
  WavWriter,
} from "../../lib/wav/mod.ts";
import { wavFormat } from "../../lib/wav/samples.ts";
import { FMT_S16, readAll, sameOctets, TempDir, text, wavOf } from "./wav_kit.ts";

const format = (name: string): SampleFormat => formatByName(name)!;
const s16 = (channels: number): AudioParams => ({ format: format("s16_le"), channels, rate: 48000 });

function refusal(path: string): XsndError {
  let caught: unknown;
  try {
    using reader = new WavReader(path);
    readAll(reader);
  } catch (error) {
    caught = error;
  }
  assert(caught instanceof XsndError, `${path} was read: ${caught}`);
  assert(caught.message.includes(path), caught.message);
  return caught;
}

const linear = FORMATS.filter((format) => wavFormat(format) !== undefined);

Deno.test("WavReader reads what WavWriter wrote, in every format, for any channels and in pieces of any size", () => {
  using temp = new TempDir();
  const path = temp.file("a.wav");
  const shape = fc.record({
    format: fc.constantFrom(...linear),
    channels: fc.integer({ min: 1, max: 9 }),
    rate: fc.constantFrom(8000, 44100, 48000, 192000),
    frames: fc.nat(300),
    seed: fc.nat(),
    writeFrames: fc.integer({ min: 1, max: 400 }),
    readFrames: fc.integer({ min: 1, max: 400 }),
  });
  fc.assert(
    fc.property(shape, ({ format, channels, rate, frames, seed, ...sizes }) => {
      const params = { format, channels, rate };
      const frameOctets = format.octets! * channels;
      const samples = Uint8Array.from(
        { length: frames * frameOctets },
        (_, i) => Math.imul(i + seed, 0x9e3779b1) >>> 24,
      );
      if (format.bits === 24) {
        clearPadding(format, samples);
      }
      {
        using writer = new WavWriter(path, params);
        const step = sizes.writeFrames * frameOctets;
        for (let at = 0; at < samples.length; at += step) writer.writeFrames(samples.subarray(at, at + step));
      }
      using reader = new WavReader(path);
      assert.equal(reader.params.format, wavFormat(format));
      assert.equal(reader.frames, frames);
      assert.deepEqual([reader.params.channels, reader.params.rate], [channels, rate]);
      reader.deliverAs(format);
      assert.deepEqual([reader.params.format, reader.frameOctets], [format, frameOctets]);
      sameOctets(readAll(reader, sizes.readFrames), samples);
      assert.equal(Deno.statSync(path).size % 2, 0, "chunks are of even length");
    }),
    { numRuns: 200 },
  );
});

/** Sets the unused octet of 24-bit samples to the sign extension. A WAV file does not store this octet. */
function clearPadding(format: SampleFormat, samples: Uint8Array): void {
  const [msb, padding] = format.endian === "be" ? [1, 0] : [2, 3];
  for (let at = 0; at < samples.length; at += 4) {
    samples[at + padding] = format.signed && samples[at + msb]! >= 0x80 ? 0xff : 0;
  }
}

Deno.test("WavWriter writes the headers that others write", () => {
  using temp = new TempDir();
  const header = (name: string, channels: number, rate: number, samples = "") => {
    {
      using writer = new WavWriter(temp.file("a.wav"), { format: format(name), channels, rate });
      writer.writeFrames(Uint8Array.fromHex(samples));
    }
    return Deno.readFileSync(temp.file("a.wav")).toHex();
  };
  assert.equal(header("s16_le", 2, 48000), wavOf([["fmt ", FMT_S16], ["data", ""]]).toHex());
  const subtype = "000000001000800000aa00389b71";
  assert.equal(
    header("s24_le", 2, 48000),
    wavOf([["fmt ", `feff020080bb000000650400060018001600180000000000${"0100"}${subtype}`], ["data", ""]])
      .toHex(),
  );
  assert.equal(
    header("float_le", 1, 44100, "0000803f000080bf"),
    wavOf([
      ["fmt ", `feff010044ac000010b10200040020001600200000000000${"0300"}${subtype}`],
      ["fact", "02000000"],
      ["data", "0000803f000080bf"],
    ]).toHex(),
  );
  assert.equal(
    header("a_law", 1, 8000, "d5d4d3"),
    wavOf([["fmt ", "06000100401f0000401f0000010008000000"], ["fact", "03000000"], ["data", "d5d4d3"]])
      .toHex(),
  );
});

Deno.test("WavReader takes the variants of a header that are about", () => {
  using temp = new TempDir();
  const path = temp.file("a.wav");
  const delivered = (octets: Uint8Array) => {
    Deno.writeFileSync(path, octets);
    using reader = new WavReader(path);
    return { ...reader.params, format: reader.params.format.name, samples: readAll(reader).toHex() };
  };
  const expected = { format: "s16_le", channels: 2, rate: 48000, samples: "0102030405060708" };
  const data: [string, string] = ["data", "0102030405060708"];
  assert.deepEqual(delivered(wavOf([["fmt ", FMT_S16], data])), expected);
  assert.deepEqual(delivered(wavOf([["fmt ", FMT_S16 + "0000"], data])), expected, "with cbSize");
  assert.deepEqual(
    delivered(
      wavOf([["LIST", "aabbcc"], ["fmt ", FMT_S16], ["junk", "00".repeat(70_001)], data, ["id3 ", "ff"]]),
    ),
    expected,
    "with other chunks, some of odd length",
  );
  assert.deepEqual(
    delivered(
      wavOf([
        ["fmt ", "feff020080bb000000ee02000400100016001000030000000100000000001000800000aa00389b71"],
        data,
      ]),
    ),
    expected,
    "WAVE_FORMAT_EXTENSIBLE",
  );
  assert.deepEqual(
    delivered(wavOf([["fmt ", "0100010080bb000000650400030014001234"], ["data", "0000f0ffff7f"]])),
    { format: "s24_le", channels: 1, rate: 48000, samples: "0000f0ffffff7f00" },
    "20 bits in three octets",
  );
});

Deno.test("WavReader believes a size near 2 GiB if that much is there", () => {
  using temp = new TempDir();
  const path = temp.file("a.wav");
  const wav = wavOf([["fmt ", FMT_S16], ["data", "", 0x7fff0000]]);
  Deno.writeFileSync(path, wav);
  Deno.truncateSync(path, wav.length + 0x7fff0000 + 64); // sparse
  using reader = new WavReader(path);
  assert.equal(reader.frames, 0x7fff0000 / 4);
});

Deno.test("WavReader and WavWriter do with pipes", async () => {
  using temp = new TempDir();
  const path = temp.file("pipe");
  const samples = Uint8Array.from({ length: 40_000 }, (_, i) => i * 7);
  const through = async (octets: Uint8Array, read: (reader: WavReader) => void) => {
    await new Deno.Command("mkfifo", { args: [path] }).output();
    Deno.writeFileSync(temp.file("source"), octets);
    const cat = new Deno.Command("sh", { args: ["-c", 'cat "$1" > "$2"', "sh", temp.file("source"), path] })
      .spawn();
    {
      using reader = new WavReader(path);
      read(reader);
    }
    await cat.status;
    Deno.removeSync(path);
  };
  const known = wavOf([["fmt ", FMT_S16], ["data", samples.toHex()], ["LIST", "0000"]]);
  await through(known, (reader) => {
    assert.equal(reader.frames, 10_000);
    sameOctets(readAll(reader, 333), samples);
  });
  await through(
    known.subarray(0, 20_044),
    (reader) => sameOctets(readAll(reader, 333), samples.subarray(0, 20_000)),
  );

  const intoPipe = async (params: AudioParams, samples: Uint8Array) => {
    await new Deno.Command("mkfifo", { args: [path] }).output();
    const cat = new Deno.Command("cat", { args: [path], stdout: "piped" }).spawn();
    {
      using writer = new WavWriter(path, params);
      writer.writeFrames(samples);
    }
    const { stdout } = await cat.output();
    Deno.removeSync(path);
    return stdout;
  };
  const written = await intoPipe({ ...s16(2), format: format("s24_be") }, samples);
  await through(written, (reader) => {
    assert.equal(reader.frames, undefined);
    reader.deliverAs(format("s24_be"));
    const expected = samples.slice();
    clearPadding(format("s24_be"), expected);
    sameOctets(readAll(reader, 333), expected);
  });
  // An odd number of octets. A pad octet would read as one more frame.
  await through(await intoPipe({ ...s16(1), format: format("u8") }, samples.subarray(0, 99)), (reader) => {
    sameOctets(readAll(reader, 333), samples.subarray(0, 99));
  });
});

Deno.test("- is standard input and standard output", async () => {
  const mod = new URL("../../lib/wav/mod.ts", import.meta.url).href;
  const script = `import { copyFrames, WavReader, WavWriter } from ${JSON.stringify(mod)};
    using reader = new WavReader("-", console.error), writer = new WavWriter("-", reader.params);
    copyFrames(reader, writer);`;
  const run = async (octets: Uint8Array) => {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", `data:text/typescript,${encodeURIComponent(script)}`],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const input = child.stdin.getWriter();
    await input.write(octets);
    await input.close();
    return await child.output();
  };
  const samples = "0102030405060708";
  const { stdout } = await run(wavOf([["fmt ", FMT_S16], ["data", samples]]));
  assert.equal(stdout.toHex(), wavOf([["fmt ", FMT_S16], ["data", samples, 0xffffffff]], 0xffffffff).toHex());
  const { stderr } = await run(wavOf([["fmt ", FMT_S16], ["data", samples, 16]]));
  assert.equal(
    new TextDecoder().decode(stderr),
    "standard input: the samples end 8 octets early; all before are played\n",
  );
});

Deno.test("WavReader says why a file cannot be read, where, and what to do", () => {
  using temp = new TempDir();
  const path = temp.file("a.wav");
  const whole = wavOf([["fmt ", FMT_S16], ["data", "00".repeat(400)]]);
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array(), /not a WAV file \(it is empty\)/],
    [
      Uint8Array.from(text("GIF8\0\x02 and mre")),
      /not a WAV file \(it begins with "GIF8\\u0000\\u0002 and m"; .*--raw\)/,
    ],
    [Uint8Array.from(text("RIFF")), /not a WAV file/],
    [
      Uint8Array.from(text("fLaC\0\0\0\x22 and more")),
      /not a WAV file \(it is FLAC; convert it: `sox FILE OUT.wav`\)/,
    ],
    [whole.subarray(0, 12), /has no "data" chunk/],
    [
      whole.subarray(0, 17),
      /ends before its samples: 3 octets are missing from a chunk's header at octet 12;/,
    ],
    [
      whole.subarray(0, 30),
      /ends before its samples: 6 octets are missing from the chunk "fmt " at octet 12;/,
    ],
    [whole.subarray(0, 36), /has no "data" chunk/],
    [wavOf([["LIST", "00", 0xffffffff], ["data", ""]]), /the chunk "LIST" at octet 12 has no length/],
    [wavOf(Array(1001).fill(["JUNK", ""])), /1000 chunks come before its samples/],
    [wavOf([["data", ""]]), /no "fmt " chunk before its samples/],
    [wavOf([["fmt ", "010002"], ["data", ""]]), /"fmt " chunk has 3 octets/],
    [wavOf([["fmt ", "0100000080bb000000ee020004001000"], ["data", ""]]), /0 channels at 48000 Hz/],
    [wavOf([["fmt ", "010002000000000000ee020004001000"], ["data", ""]]), /2 channels at 0 Hz/],
    [
      wavOf([["fmt ", "1100010044ac00003756000000020400"], ["data", ""]]),
      /its samples are IMA ADPCM; .*convert it: `sox FILE -e signed -b 16 OUT.wav`$/,
    ],
    [wavOf([["fmt ", "5500020044ac0000803e000001000000"], ["data", ""]]), /MP3/],
    [
      wavOf([["fmt ", "0100020080bb000000ee020010004000"], ["data", ""]]),
      /format 0x1 of 64 bits; .*`ffmpeg -i/,
    ],
    [wavOf([["fmt ", "0100020080bb000000ee020000000000"], ["data", ""]]), /format 0x1 of 0 bits/],
    [wavOf([["fmt ", "feff020080bb000000ee020004001000"], ["data", ""]]), /takes 40 octets, and has 16/],
    [
      wavOf([["fmt ", "feff020080bb000000ee02000400100016001000030000000100000000001000800000aa00389b72"], [
        "data",
        "",
      ]]),
      /SubFormat 0100000000001000800000aa00389b72/,
    ],
  ];
  for (const [octets, expected] of cases) {
    Deno.writeFileSync(path, octets);
    assert.match(refusal(path).message, expected);
  }
  assert.match(refusal(temp.file("none.wav")).message, /cannot open .*none.wav: no such file or directory/);
  assert.match(refusal(temp.path).message, /it is a directory/);
});

Deno.test("WavReader never crashes on a mangled file: samples or an XsndError", () => {
  using temp = new TempDir();
  const path = temp.file("a.wav");
  const whole = wavOf([["LIST", "aabb"], ["fmt ", FMT_S16 + "0000"], ["data", "00".repeat(64)]]);
  const edit = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 6 }), fc.nat(whole.length), (edits, length) => {
      const mangled = whole.slice(0, length);
      for (const [at, octet] of edits) mangled[at] = octet;
      Deno.writeFileSync(path, mangled);
      try {
        using reader = new WavReader(path);
        assert(readAll(reader, 4).length <= 8 * mangled.length);
      } catch (error) {
        assert(error instanceof XsndError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("WavWriter leaves a readable file when it is killed", () => {
  using temp = new TempDir();
  const path = temp.file("a.wav");
  const second = new Uint8Array(48000 * 4).fill(7);
  const writer = new WavWriter(path, s16(2));
  const framesNow = () => {
    using reader = new WavReader(path);
    return reader.frames;
  };
  assert.equal(framesNow(), 0);
  writer.writeFrames(second.subarray(0, 4000));
  assert.equal(framesNow(), 1000, "what a header of 0 has behind it");
  writer.writeFrames(second);
  assert.equal(framesNow(), 49000, "put right after a second");
  writer.writeFrames(second.subarray(4));
  assert.equal(framesNow(), 49000);
  writer[Symbol.dispose]();
  assert.equal(framesNow(), 49000 + 47999);
});

Deno.test("WavWriter refuses what it cannot do, and makes no file for it", () => {
  using temp = new TempDir();
  const path = temp.file("a.wav");
  for (const name of ["mpeg", "gsm", "ima_adpcm", "iec958_subframe_le"]) {
    assert.throws(
      () => new WavWriter(path, { ...s16(2), format: format(name) }),
      new RegExp(`cannot hold ${name}; write raw`),
    );
  }
  assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
  assert.throws(
    () => new WavWriter(temp.file("none/a.wav"), s16(2)),
    /cannot create .*none\/a.wav: no such file or directory/,
  );
  using writer = new WavWriter(path, s16(2));
  assert.throws(() => writer.writeFrames(new Uint8Array(7)), RangeError);
});

Deno.test("WavReader.deliverAs() refuses a format that would lose something", () => {
  using temp = new TempDir();
  new WavWriter(temp.file("a.wav"), s16(1))[Symbol.dispose]();
  using reader = new WavReader(temp.file("a.wav"));
  for (const name of ["u8", "float_le", "a_law"]) {
    assert.throws(() => reader.deliverAs(format(name)), RangeError);
  }
  assert.throws(() => reader.readFrames(new Uint8Array(1)), RangeError);
});

Deno.test("RawReader and RawWriter carry octets as they are", () => {
  using temp = new TempDir();
  const path = temp.file("a.raw");
  const params = { format: format("u24_be"), channels: 3, rate: 44100 };
  const samples = Uint8Array.from({ length: 12 * 1000 }, (_, i) => i * 13);
  {
    using writer = new RawWriter(path, params);
    writer.writeFrames(samples);
    assert.throws(() => writer.writeFrames(new Uint8Array(13)), RangeError);
  }
  using reader = new RawReader(path, params);
  assert.deepEqual([reader.frames, reader.frameOctets, reader.formats], [1000, 12, [params.format]]);
  sameOctets(readAll(reader, 77), samples);
  assert.throws(() => reader.deliverAs(format("s16_le")), RangeError);
  const warnings: string[] = [];
  using odd = new RawReader(path, { ...params, channels: 7 }, (warning) => warnings.push(warning));
  assert.equal(odd.frames, 428);
  sameOctets(readAll(odd, 77), samples.subarray(0, 428 * 28));
  assert.equal(warnings.length, 1);
  assert.match(
    warnings[0]!,
    /^\/.*a\.raw: the samples end 16 octets into a frame of 28 \(7 channels of u24_be\)/,
  );
  assert.throws(() => new RawReader(path, { ...params, format: format("gsm") }), RangeError);
});

Deno.test("copyFrames() copies all there is", () => {
  using temp = new TempDir();
  const params = { format: format("s24_le"), channels: 5, rate: 96000 };
  const samples = Uint8Array.from({ length: 20 * 10_000 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24);
  clearPadding(params.format, samples);
  Deno.writeFileSync(temp.file("a.raw"), samples);
  {
    using reader = new RawReader(temp.file("a.raw"), params),
      writer = new WavWriter(temp.file("a.wav"), params);
    assert.equal(copyFrames(reader, writer), 10_000);
  }
  {
    using reader = new WavReader(temp.file("a.wav")), writer = new RawWriter(temp.file("b.raw"), params);
    assert.equal(copyFrames(reader, writer), 10_000);
  }
  sameOctets(Deno.readFileSync(temp.file("b.raw")), samples);
});

Deno.test("fixtures/melody.wav is what tests/tools/make_melody.ts makes", async () => {
  using temp = new TempDir();
  const script = new URL("../tools/make_melody.ts", import.meta.url).pathname;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-read", "--allow-write", script, temp.file("melody.wav")],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const fixture = Deno.readFileSync(new URL("../../fixtures/melody.wav", import.meta.url));
  sameOctets(Deno.readFileSync(temp.file("melody.wav")), fixture);
  assert(fixture.length < 600_000);
});
