// SPDX-License-Identifier: MIT
/** Under a real daemon each callback of an ALSA plugin fails in turn. */
import assert from "node:assert/strict";
import { ERRORS, EVER, type Fault, FaultyCards } from "./faulty_cards.ts";
import { assertSameSamples, inBox, makeWav, samplesOf } from "./harness.ts";

const SOUND = { format: "s16_le", channels: 2, rate: 48000 };
/** Guests that meet faults at the same time, one each. */
const GUESTS = ["domU", "domV", "domW"];

const of = (...names: (keyof typeof ERRORS)[]) => names.map((name) => ERRORS[name]);
const FAULTS: readonly Fault[] = [
  ...["open", "hw_params", "sw_params", "prepare", "stop", "hw_free", "close"].flatMap((callback) =>
    of("ENODEV", "EPIPE", "ENOMEM").map((result): Fault => [callback, result, 0, 1])
  ),
  ...of("ENODEV", "EIO", "EPIPE", "ESTRPIPE").map((result): Fault => ["start", result, 0, 1]),
  ["start", ERRORS.EIO, 0, EVER],
  ["prepare", ERRORS.EIO, 1, EVER],
  ...of("ENODEV", "EIO", "EPIPE", "ESTRPIPE", "EAGAIN").flatMap((result): Fault[] => [
    ["pointer", result, 0, EVER],
    ["pointer", result, 4, 2],
  ]),
  // A pointer that stands still, and a pointer outside of the buffer.
  ["pointer", 1, 3, EVER],
  ["pointer", 1 << 30, 3, 3],
  ...[...of("ENODEV", "EIO", "EPIPE", "EAGAIN"), 0].flatMap((result): Fault[] => [
    ["transfer", result, 0, EVER],
    ["transfer", result, 2, 2],
  ]),
];

Deno.test("each callback of an ALSA plugin fails in turn: its guest has an answer, the next OPEN plays, others lose no sample", () =>
  inBox(
    async (box) => {
      const cards = new FaultyCards(box, GUESTS);
      for (const guest of GUESTS) await box.provision(guest, [{ type: "playback", device: guest }]);
      await box.provision("witness", [{ type: "playback", device: `dummy:${box.path("witness.wav")}` }]);
      const daemon = await box.serveWith(cards.environment);
      const wav = makeWav(box.path("short.wav"), { ...SOUND, frames: 7200 });
      const long = makeWav(box.path("long.wav"), { ...SOUND, frames: 15 * 48000 });
      const witness = box.spawn("play", long, "witness");
      await box.untilStream("witness/0/0/0", ({ state }) => state === "running");
      const play = (guest: string) => box.run("play", wav, guest, "--buffer-frames", "4800");
      const left = [...FAULTS];
      const lane = async (guest: string) => {
        for (let fault; (fault = left.shift()) !== undefined;) {
          const where = fault.join(" ");
          cards.fail(guest, fault);
          const { code, stderr } = await play(guest);
          assert(!daemon.ended, `${where}:`);
          assert(code === 0 || code === 1 && /^xsnd: [^\n]+\n$/.test(stderr), `${where}: ${code}, ${stderr}`);
          cards.mend(guest);
          const next = await play(guest);
          assert.equal(next.code, 0, `after ${where}: ${next.stderr}`);
        }
      };
      await Promise.all(GUESTS.map(lane));
      assert.equal((await witness.result).code, 0, witness.stderr);
      assertSameSamples(samplesOf(box.path("witness.wav")), samplesOf(long));
      assert(!/^\s+at /m.test(daemon.stderr), `a defect's trace in the log:`);
      const said = [/cannot open .*ENODEV/, /cannot set up .*ENOMEM/, /is lost \(EIO\)/, /closing .*EPIPE/];
      for (const text of said) assert.match(daemon.stderr, text, "the faults came to pass");
    },
    ...GUESTS,
    "witness",
  ));
