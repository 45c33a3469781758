/** An ALSA configuration with a plugin that misbehaves (faulty_plugin.c): each of its callbacks fails in turn, under a real daemon. */
import assert from "node:assert/strict";
import { assertSameSamples, type Box, inBox, makeWav, type Process, samplesOf } from "./harness.ts";

const ERRORS = { ENODEV: -19, EIO: -5, EPIPE: -32, ESTRPIPE: -86, EAGAIN: -11, ENOMEM: -12 };
const SOUND = { format: "s16_le", channels: 2, rate: 48000 };
/** Guests that meet a fault each at a time. */
const GUESTS = ["domU", "domV", "domW"];
/** Until the PCM is closed. */
const EVER = 1_000_000;

/** A line of a fault's file: callback, result, which call is the first to fail, how many do. */
type Fault = readonly [callback: string, result: number, nth: number, times: number];

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
  // A pointer that stands, and one that is nowhere.
  ["pointer", 1, 3, EVER],
  ["pointer", 1 << 30, 3, 3],
  ...[...of("ENODEV", "EIO", "EPIPE", "EAGAIN"), 0].flatMap((result): Fault[] => [
    ["transfer", result, 0, EVER],
    ["transfer", result, 2, 2],
  ]),
];

function compile(box: Box): string {
  const library = box.path("faulty.so");
  const source = new URL("faulty_plugin.c", import.meta.url).pathname;
  const gcc = new Deno.Command("gcc", {
    args: ["-std=gnu11", "-shared", "-fPIC", "-DPIC", "-o", library, source, "-lasound"],
  });
  const { success, stderr } = gcc.outputSync();
  assert(success, new TextDecoder().decode(stderr));
  return library;
}

/** Provisions a stream on a faulty card for each guest, and starts a daemon. */
async function serve(box: Box): Promise<Process> {
  const config = box.path("asound.conf");
  const pcms = GUESTS.map((guest) => `pcm.${guest} { type faulty fault "${box.path(`${guest}.fault`)}" }\n`);
  const plugin = `pcm_type.faulty { lib "${compile(box)}" }\n`;
  Deno.writeTextFileSync(config, `</usr/share/alsa/alsa.conf>\n${plugin}${pcms.join("")}`);
  for (const guest of GUESTS) await box.provision(guest, [{ type: "playback", device: guest }]);
  await box.provision("witness", [{ type: "playback", device: `dummy:${box.path("witness.wav")}` }]);
  return await box.serveWith({ ALSA_CONFIG_PATH: config });
}

Deno.test("each callback of an ALSA plugin fails in turn: its guest has an answer, the next OPEN plays, others lose no sample", () =>
  inBox(
    async (box) => {
      const daemon = await serve(box);
      const wav = makeWav(box.path("short.wav"), { ...SOUND, frames: 7200 });
      const long = makeWav(box.path("long.wav"), { ...SOUND, frames: 15 * 48000 });
      const witness = box.spawn("play", long, "witness");
      await box.untilStream("witness/0/0/0", ({ state }) => state === "running");
      const play = (guest: string) => box.run("play", wav, guest, "--buffer-frames", "4800");
      const left = [...FAULTS];
      const lane = async (guest: string) => {
        for (let fault; (fault = left.shift()) !== undefined;) {
          const where = fault.join(" ");
          Deno.writeTextFileSync(box.path(`${guest}.fault`), `${where}\n`);
          const { code, stderr } = await play(guest);
          assert(!daemon.ended, `${where}:`);
          assert(code === 0 || code === 1 && /^xsnd: [^\n]+\n$/.test(stderr), `${where}: ${code}, ${stderr}`);
          Deno.removeSync(box.path(`${guest}.fault`));
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
