// SPDX-License-Identifier: MIT
/** lib/wav/samples.ts: every conversion keeps the samples' values. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { formatByName, FORMATS, type SampleFormat } from "../../lib/sndif/mod.ts";
import { deliverableFormats, SampleMap, wavFormat, wavOctets } from "../../lib/wav/samples.ts";

/** The value of a linear sample of `format`: a signed fraction of full scale, in steps of 2^-31. */
function linearValue(format: SampleFormat, octets: Uint8Array): number {
  const ordered = format.endian === "be" ? octets.toReversed() : octets;
  const bits = format.bits!;
  let value = 0;
  for (let i = bits / 8 - 1; i >= 0; i--) value = value * 256 + ordered[i]!;
  if (!format.signed) value -= 2 ** (bits - 1);
  else if (value >= 2 ** (bits - 1)) value -= 2 ** bits;
  return value * 2 ** (32 - bits);
}

/** The value of a sample in a WAV file, in the same steps. */
function wavValue(octets: Uint8Array): number {
  return linearValue(formatByName(["u8", "s16_le", "", "s32_le"][octets.length - 1]!) ?? packed24, octets);
}
const packed24 = { ...formatByName("s24_le")!, octets: 3 };

const held = FORMATS.filter((format) => wavOctets(format) !== undefined);

Deno.test("wavOctets() and wavFormat() of every format", () => {
  assert.deepEqual(
    Object.fromEntries(FORMATS.map((format) => [format.name, [wavOctets(format), wavFormat(format)?.name]])),
    {
      s8: [1, "u8"],
      u8: [1, "u8"],
      s16_le: [2, "s16_le"],
      s16_be: [2, "s16_le"],
      u16_le: [2, "s16_le"],
      u16_be: [2, "s16_le"],
      s24_le: [3, "s24_le"],
      s24_be: [3, "s24_le"],
      u24_le: [3, "s24_le"],
      u24_be: [3, "s24_le"],
      s32_le: [4, "s32_le"],
      s32_be: [4, "s32_le"],
      u32_le: [4, "s32_le"],
      u32_be: [4, "s32_le"],
      float_le: [4, "float_le"],
      float_be: [4, "float_le"],
      float64_le: [8, "float64_le"],
      float64_be: [8, "float64_le"],
      iec958_subframe_le: [undefined, undefined],
      iec958_subframe_be: [undefined, undefined],
      mu_law: [1, "mu_law"],
      a_law: [1, "a_law"],
      ima_adpcm: [undefined, undefined],
      mpeg: [undefined, undefined],
      gsm: [undefined, undefined],
    },
  );
});

Deno.test("deliverableFormats() begins with the file's own, and then goes from narrow to wide", () => {
  const names = (native: string) => deliverableFormats(formatByName(native)!).map(({ name }) => name);
  assert.deepEqual(names("s24_le"), [
    "s24_le",
    "u24_le",
    "s24_be",
    "u24_be",
    "s32_le",
    "u32_le",
    "s32_be",
    "u32_be",
  ]);
  assert.deepEqual(names("u8").slice(0, 3), ["u8", "s8", "s16_le"]);
  assert.deepEqual(names("float_le"), ["float_le", "float_be"]);
  assert.deepEqual(names("a_law"), ["a_law"]);
});

Deno.test("SampleMap.expand() keeps every value, in every format that can hold it", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("u8", "s16_le", "s24_le", "s32_le"),
      fc.uint8Array({ size: "max", maxLength: 96 }),
      (name, data) => {
        const native = formatByName(name)!;
        for (const format of deliverableFormats(native)) {
          const map = new SampleMap(native, format);
          const count = Math.floor(data.length / map.wavOctets);
          const samples = new Uint8Array(count * map.octets);
          samples.set(data.subarray(0, count * map.wavOctets), count * (map.octets - map.wavOctets));
          map.expand(samples, count);
          for (let i = 0; i < count; i++) {
            const sample = samples.slice(i * map.octets, (i + 1) * map.octets);
            const expected = wavValue(data.slice(i * map.wavOctets, (i + 1) * map.wavOctets));
            assert.equal(linearValue(format, sample), expected, `${name} as ${format.name}`);
            if (format.bits === 24) {
              const padding = format.endian === "be" ? sample[0] : sample[3];
              assert.equal(padding, format.signed && expected < 0 ? 0xff : 0, "padding of 24 bits in 32");
            }
          }
        }
      },
    ),
  );
});

Deno.test("SampleMap.expand() takes 24 bits in the low end of four octets for the same in three", () => {
  const packed = Uint8Array.fromHex("563412" + "000080" + "ffff7f" + "ffffff");
  // The fourth octet is the sign extension, as by arecord, or arbitrary.
  const wide = Uint8Array.fromHex("563412aa" + "00008000" + "ffff7fff" + "ffffffff");
  const native = formatByName("s24_le")!;
  for (const format of deliverableFormats(native)) {
    const expected = new Uint8Array(16);
    expected.set(packed, 4);
    new SampleMap(native, format).expand(expected, 4);
    const samples = wide.slice();
    const map = new SampleMap(native, format, 4);
    assert.equal(map.identity, false);
    map.expand(samples, 4);
    assert.equal(samples.toHex(), expected.toHex(), format.name);
  }
});

Deno.test("SampleMap.pack() undoes expand(), octet for octet", () => {
  fc.assert(
    fc.property(fc.constantFrom(...held), fc.uint8Array({ size: "max", maxLength: 96 }), (format, data) => {
      const map = new SampleMap(wavFormat(format)!, format);
      const count = Math.floor(data.length / map.wavOctets);
      const packed = data.slice(0, count * map.wavOctets);
      const samples = new Uint8Array(count * map.octets);
      samples.set(packed, count * (map.octets - map.wavOctets));
      map.expand(samples, count);
      const again = new Uint8Array(packed.length);
      map.pack(samples, again, count);
      assert.deepEqual(again, packed, format.name);
    }),
  );
});

Deno.test("SampleMap.pack() ignores what is above 24 bits, as ALSA does", () => {
  for (const [name, sample] of [["s24_le", "563412aa"], ["s24_be", "aa123456"]] as const) {
    const format = formatByName(name)!;
    const packed = new Uint8Array(3);
    new SampleMap(wavFormat(format)!, format).pack(Uint8Array.fromHex(sample), packed, 1);
    assert.equal(packed.toHex(), "563412", name);
  }
});

Deno.test("SampleMap.identity is true where nothing changes, only there", () => {
  const identical = held.filter((format) => new SampleMap(wavFormat(format)!, format).identity);
  assert.deepEqual(identical.map(({ name }) => name), [
    "u8",
    "s16_le",
    "s32_le",
    "float_le",
    "float64_le",
    "mu_law",
    "a_law",
  ]);
});
