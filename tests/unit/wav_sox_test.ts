// SPDX-License-Identifier: MIT
/** lib/wav against sox's independent implementation: each reads the other's files, with equal samples. */
import assert from "node:assert/strict";
import { formatByName } from "../../lib/sndif/mod.ts";
import { copyFrames, RawReader, RawWriter, WavReader, WavWriter } from "../../lib/wav/mod.ts";

async function sox(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("sox", { args: ["-V1", "-D", ...args] }).output();
  assert(success, `sox ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

const ignore = await new Deno.Command("sox", { args: ["--version"] }).output().then(
  () => false,
  (error) => {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  },
);

/** Our format's name, sox's options for a WAV file of it, our delivered format, and sox's options for a raw file of that. */
const encodings: [name: string, wav: string[], deliverAs: string, raw: string[]][] = [
  ["u8", ["-e", "unsigned", "-b", "8"], "u8", ["-e", "unsigned", "-b", "8"]],
  ["s16_le", ["-e", "signed", "-b", "16"], "s16_le", ["-e", "signed", "-b", "16"]],
  ["s24_le", ["-e", "signed", "-b", "24"], "s32_le", ["-e", "signed", "-b", "32"]],
  ["s32_le", ["-e", "signed", "-b", "32"], "s32_le", ["-e", "signed", "-b", "32"]],
  ["float_le", ["-e", "float", "-b", "32"], "float_le", ["-e", "float", "-b", "32"]],
  ["float64_le", ["-e", "float", "-b", "64"], "float64_le", ["-e", "float", "-b", "64"]],
  ["a_law", ["-e", "a-law"], "a_law", ["-e", "a-law"]],
  ["mu_law", ["-e", "mu-law"], "mu_law", ["-e", "mu-law"]],
];

for (const [name, wav, deliverAs, raw] of encodings) {
  for (const channels of [1, 2, 6]) {
    Deno.test(
      { name: `WavReader and WavWriter agree with sox on ${name}, ${channels} channels`, ignore },
      async () => {
        const directory = await Deno.makeTempDir({ prefix: "xsnd-sox-" });
        const file = (name: string) => `${directory}/${name}`;
        const format = formatByName(deliverAs)!;
        try {
          const shape = ["-r", "44100", "-c", `${channels}`];
          const made = ["synth", "0.1", "sine", "300:3000", "gain", "-6"];
          await sox("-n", ...shape, ...wav, file("sox.wav"), ...made);
          await sox(file("sox.wav"), ...raw, "-L", "-t", "raw", file("sox.raw"));
          {
            using reader = new WavReader(file("sox.wav"));
            assert.equal(reader.params.format.name, name);
            assert.deepEqual([reader.params.channels, reader.params.rate, reader.frames], [
              channels,
              44100,
              4410,
            ]);
            reader.deliverAs(format);
            using writer = new RawWriter(file("ours.raw"), reader.params);
            copyFrames(reader, writer);
          }
          assert.deepEqual(
            Deno.readFileSync(file("ours.raw")),
            Deno.readFileSync(file("sox.raw")),
            "sox to us",
          );
          {
            using reader = new RawReader(file("ours.raw"), { format, channels, rate: 44100 });
            using writer = new WavWriter(file("ours.wav"), reader.params);
            copyFrames(reader, writer);
          }
          await sox(file("ours.wav"), ...raw, "-L", "-t", "raw", file("back.raw"));
          assert.deepEqual(
            Deno.readFileSync(file("back.raw")),
            Deno.readFileSync(file("sox.raw")),
            "us to sox",
          );
        } finally {
          await Deno.remove(directory, { recursive: true });
        }
      },
    );
  }
}
