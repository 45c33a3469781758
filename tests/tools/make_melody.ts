// SPDX-License-Identifier: MIT
/**
 * Makes fixtures/melody.wav: three seconds of music, s16_le, stereo, 48 kHz. Every run makes the same octets.
 *
 *     deno run --allow-read --allow-write tests/tools/make_melody.ts fixtures/melody.wav
 */
import { formatByName } from "../../lib/sndif/mod.ts";
import { WavWriter } from "../../lib/wav/mod.ts";

const RATE = 48000;
const SECONDS = 3;

/** A note: its start in seconds, its pitch, its level, and its place (-1 left, 1 right). */
interface Note {
  readonly start: number;
  readonly hertz: number;
  readonly level: number;
  readonly pan: number;
}

const midi = (key: number) => 440 * 2 ** ((key - 69) / 12);

// A broken chord over a bass: C major, A minor, D minor seventh, and home by way of G.
const chords = [[48, 60, 64, 67, 72], [45, 57, 60, 64, 69], [50, 60, 62, 65, 69], [43, 59, 62, 65, 71]];
const EIGHTH = 0.1625;
const notes: Note[] = chords.flatMap(([bass, ...keys], bar) => [
  { start: bar * 4 * EIGHTH, hertz: midi(bass!), level: 0.3, pan: 0 },
  ...keys.map((key, i) => ({
    start: (bar * 4 + i) * EIGHTH,
    hertz: midi(key),
    level: 0.22,
    pan: i / 2 - 0.75,
  })),
]);
notes.push(
  ...[48, 60, 64, 72].map((key, i) => ({ start: 2.6, hertz: midi(key), level: 0.2, pan: i / 2 - 0.75 })),
);

/** The sound of a struck string: a higher partial is weaker at first and fades sooner. */
function tone(hertz: number, age: number): number {
  let sum = 0;
  for (let partial = 1; partial <= 5; partial++) {
    sum += Math.sin(2 * Math.PI * hertz * partial * age) * Math.exp(-age * (1.5 + partial)) / partial ** 1.5;
  }
  return sum * Math.min(1, age * 400);
}

const frames = new Int16Array(RATE * SECONDS * 2);
for (let frame = 0; frame < RATE * SECONDS; frame++) {
  const time = frame / RATE;
  // The end fades, so that a loop of the file does not click.
  const gain = 32767 * Math.min(1, (SECONDS - time) * 20);
  let left = 0, right = 0;
  for (const { start, hertz, level, pan } of notes) {
    if (time < start) continue;
    const sample = level * tone(hertz, time - start);
    left += sample * Math.sqrt((1 - pan) / 2);
    right += sample * Math.sqrt((1 + pan) / 2);
  }
  frames[2 * frame] = Math.round(left * gain);
  frames[2 * frame + 1] = Math.round(right * gain);
}

using writer = new WavWriter(Deno.args[0]!, { format: formatByName("s16_le")!, channels: 2, rate: RATE });
writer.writeFrames(new Uint8Array(frames.buffer));
