// SPDX-License-Identifier: MIT
/** lib/sndif/formats.ts against alsa-lib's properties of the same formats. */
import assert from "node:assert/strict";
import {
  fillSilence,
  formatByCode,
  formatByName,
  FORMATS,
  formatsToMask,
  maskToFormats,
} from "../../lib/sndif/formats.ts";
import * as sndif from "../../lib/sndif/constants.ts";

const symbols = {
  snd_pcm_format_value: { parameters: ["buffer"], result: "i32" },
  snd_pcm_format_width: { parameters: ["i32"], result: "i32" },
  snd_pcm_format_physical_width: { parameters: ["i32"], result: "i32" },
  snd_pcm_format_signed: { parameters: ["i32"], result: "i32" },
  snd_pcm_format_linear: { parameters: ["i32"], result: "i32" },
  snd_pcm_format_float: { parameters: ["i32"], result: "i32" },
  snd_pcm_format_little_endian: { parameters: ["i32"], result: "i32" },
  snd_pcm_format_silence_64: { parameters: ["i32"], result: "u64" },
} as const satisfies Deno.ForeignLibraryInterface;

function openAlsa() {
  try {
    return Deno.dlopen("libasound.so.2", symbols);
  } catch {
    return undefined;
  }
}

const alsa = openAlsa();
addEventListener("unload", () => alsa?.close());

Deno.test({
  name: "FORMATS agrees with alsa-lib on numbers, widths, signs, ends and silence",
  ignore: alsa === undefined,
  fn: () => {
    const lib = alsa!.symbols;
    for (const format of FORMATS) {
      const { name, alsaFormat } = format;
      const alsaName = name.toUpperCase() + "\0";
      assert.equal(lib.snd_pcm_format_value(new TextEncoder().encode(alsaName)), alsaFormat, name);
      assert.equal(lib.snd_pcm_format_linear(alsaFormat) === 1, format.kind === "linear", name);
      assert.equal(lib.snd_pcm_format_float(alsaFormat) === 1, format.kind === "float", name);
      if (format.kind === "linear") {
        assert.equal(lib.snd_pcm_format_signed(alsaFormat) === 1, format.signed, name);
      }
      if (format.octets === undefined) continue;
      assert.equal(lib.snd_pcm_format_physical_width(alsaFormat), format.octets * 8, name);
      assert.equal(lib.snd_pcm_format_width(alsaFormat), format.bits, name);
      if (format.endian !== undefined && format.kind !== "iec958") {
        assert.equal(lib.snd_pcm_format_little_endian(alsaFormat) === 1, format.endian === "le", name);
      }
      const silence = new Uint8Array(new BigUint64Array([lib.snd_pcm_format_silence_64(alsaFormat)]).buffer);
      assert.deepEqual(format.silence, Array.from(silence.subarray(0, format.octets)), name);
    }
  },
});

Deno.test("FORMATS has every XENSND_PCM_FORMAT_* under its code, and its name is the _STR", () => {
  const codes = Object.entries(sndif).filter(([name]) => /^XENSND_PCM_FORMAT_.*(?<!_STR)$/.test(name));
  assert.equal(codes.length, 25);
  assert.equal(FORMATS.length, 25);
  for (const [name, code] of codes) {
    const format = formatByCode(code as number);
    assert.equal(format?.code, code);
    assert.equal(format?.name, sndif[`${name}_STR` as keyof typeof sndif]);
    assert.equal(formatByName(format!.name), format);
    assert(format!.name.length <= sndif.XENSND_SAMPLE_FORMAT_MAX_LEN);
  }
});

Deno.test("formatByCode() and formatByName() know nothing else", () => {
  for (const code of [-1, 25, 255, 1.5, NaN]) assert.equal(formatByCode(code), undefined);
  for (const name of ["", "S16_LE", "s24_3le", "toString"]) assert.equal(formatByName(name), undefined);
});

Deno.test("formatsToMask() and maskToFormats() undo each other", () => {
  for (const format of FORMATS) assert.deepEqual(maskToFormats(formatsToMask([format.code])), [format]);
  const all = formatsToMask(FORMATS.map(({ code }) => code));
  assert.equal(all, 0x1ffffff);
  assert.deepEqual(maskToFormats(all), FORMATS);
  assert.deepEqual(maskToFormats(0xfe000000), [], "bits of unknown formats");
});

Deno.test("fillSilence() fills whole samples and nothing around them", () => {
  for (const format of FORMATS) {
    const octets = new Uint8Array(64).fill(0xaa);
    fillSilence(format, octets, 9, 41);
    const expected = new Uint8Array(64).fill(0xaa);
    if (format.silence !== undefined) {
      for (let at = 9; at < 41; at += format.silence.length) expected.set(format.silence, at);
    }
    assert.deepEqual(octets, expected, format.name);
  }
});
