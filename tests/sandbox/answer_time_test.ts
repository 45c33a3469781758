// SPDX-License-Identifier: MIT
/** The daemon answers a guest's WRITE at once, whatever the device, the operator and other guests do. */
import assert from "node:assert/strict";
import { bestOfThree, type Box, inBox, makeWav, type Process, sleep } from "./harness.ts";

/** The guest's driver waits 3 s for an answer; this limit is far below. */
const LIMIT_MS = 100;
const STREAM = "domU/0/0/0";
const OTHER = "domU/1/0/0";

/** Runs `body` with a daemon that serves two cards, and a file of two seconds. */
function inServedBox(body: (box: Box, file: string) => Promise<void>): Promise<void> {
  return inBox(async (box) => {
    const cards = [0, 1].map((n) => ({ "buffer-size": 1 << 20, pcms: [{ streams: [stream(n)] }] }));
    const file = box.path("domU.yaml");
    Deno.writeTextFileSync(file, JSON.stringify({ domains: { domU: { cards } } }));
    await box.ok("provision", "-f", file);
    await box.serve();
    await body(
      box,
      makeWav(box.path("in.wav"), { format: "s16_le", channels: 2, rate: 48000, frames: 96_000 }),
    );
  });
}

function stream(n: number) {
  return { type: "playback", device: "dummy:", "unique-id": `stream-${n}` };
}

async function slowest(player: Process): Promise<number> {
  const { code, stdout, stderr } = await player.result;
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout).writeRttMicros.max / 1000;
}

const cases: Record<string, (box: Box, file: string) => Promise<Process>> = {
  "with small periods": (box, file) =>
    Promise.resolve(
      box.spawn("play", file, STREAM, "--json", "--period-frames", "128", "--buffer-frames", "512"),
    ),
  "that fill a buffer far beyond the card's, before START": (box, file) =>
    Promise.resolve(box.spawn("play", file, STREAM, "--json", "--buffer-frames", "65536")),
  "while the operator holds the card": async (box, file) => {
    const player = box.spawn("play", file, STREAM, "--json");
    await box.untilStream(STREAM, ({ state }) => state === "running");
    for (const [held, goOn] of [["pause", "resume"], ["stop", "start"]]) {
      await box.ok("trigger", held!, STREAM);
      await sleep(100);
      await box.ok("trigger", goOn!, STREAM);
    }
    return player;
  },
  "while another guest's program comes and goes": async (box, file) => {
    const player = box.spawn("play", file, STREAM, "--json");
    while (!player.ended) {
      const other = box.spawn("play", file, OTHER, "--period-frames", "256", "--buffer-frames", "1024");
      await Promise.race([player.result, sleep(700)]);
      await other.end("SIGINT");
    }
    return player;
  },
};

for (const [what, playing] of Object.entries(cases)) {
  Deno.test(`WRITEs ${what} are answered within ${LIMIT_MS} ms`, () =>
    inServedBox((box, file) =>
      bestOfThree(async () => {
        const ms = await slowest(await playing(box, file));
        assert(ms < LIMIT_MS, `${ms} ms`);
      })
    ));
}
