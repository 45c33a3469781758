// SPDX-License-Identifier: MIT
/**
 * `deno task soak [--minutes N | --short]`: runs a daemon with eight streams of two guests for a long time, in the embedded
 * Xen on dummy devices, and looks for xruns and leaks. The default is 60 minutes; `--short`, as in CI, is half a minute. One
 * guest plays all the time; the other's programs start and stop. Samples the daemon's memory and descriptors every 30 s, or 5 s
 * with `--short`. Prints a line for each sample, and one JSON object with all samples at the end. Exits with 1 if a stream of
 * the first guest stops, if it has an xrun while the machine held up nobody, if descriptors leak, or if memory grows in the second
 * half of the time.
 */
import { parseArgs } from "node:util";
import type { StreamReport } from "../../lib/control/protocol.ts";
import { Box, descriptors, type Process, settledDescriptors, sleep } from "../sandbox/harness.ts";
import { residentMegabytes } from "./daemon_process.ts";
import { explainsXrunMs, HoldUps } from "./hold_ups.ts";
import { Players } from "./players.ts";

const CARDS = 4;
const PERIOD_FRAMES = 480;
const SAMPLE_MS = 30_000;
/** The second guest's programs play for STAY_MS and pause for AWAY_MS. */
const STAY_MS = 3000;
const AWAY_MS = 500;
const LOOK_MS = 250;
const GUESTS = [{ domain: "domU", domid: 1 }, { domain: "domV", domid: 2 }] as const;

/** Allowed growth, in MB, from half-time to the end: the heap varies this much between two collections. */
const BREATH_MB = 6;

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "60" }, short: { type: "boolean", default: false } },
});
const endAt = performance.now() + (values.short ? 30_000 : Number(values.minutes) * 60_000);

async function provision(box: Box): Promise<void> {
  const cards = (domain: string) =>
    Array.from({ length: CARDS }, (_, card) => ({
      pcms: [{ streams: [{ type: "playback", device: "dummy:", "unique-id": `${domain}${card}` }] }],
    }));
  const domains = Object.fromEntries(GUESTS.map(({ domain }) => [domain, { cards: cards(domain) }]));
  const file = box.path("soak.yaml");
  Deno.writeTextFileSync(file, JSON.stringify({ domains }));
  await box.ok("provision", "-f", file);
}

async function running(box: Box, domain: string): Promise<StreamReport[]> {
  const { streams } = await box.status();
  return streams.filter(({ stream, state }) => stream.startsWith(`${domain}/`) && state === "running");
}

/** Starts a player on each card of a guest, and waits until all play. */
async function playAll(box: Box, { domain, domid }: typeof GUESTS[number]): Promise<Players> {
  const players = new Players(box);
  for (let card = 0; card < CARDS; card++) players.start({ domain, domid, card }, PERIOD_FRAMES);
  // Infrequent enough to cause no noticeable load.
  do await sleep(LOOK_MS); while ((await running(box, domain)).length < CARDS);
  return players;
}

/** Starts and stops the second guest's programs until the end. Returns how many times. */
async function comeAndGo(box: Box): Promise<number> {
  for (let visits = 0;; visits++) {
    if (performance.now() >= endAt) return visits;
    {
      await using _players = await playAll(box, GUESTS[1]);
      await sleep(STAY_MS);
    }
    await sleep(AWAY_MS);
  }
}

interface Sample {
  readonly seconds: number;
  readonly residentMegabytes: number;
  readonly descriptors: number;
  /** Xruns since the sample before. */
  readonly xruns: number;
  /** Of these, those that the daemon says its host has caused. */
  readonly hostXruns: number;
  /** The longest time that the machine held up a thread since the sample before. */
  readonly heldUpMs: number;
}

type Xruns = Pick<StreamReport, "xruns" | "hostXruns">;

const xrunsOf = (streams: readonly StreamReport[]): Xruns => ({
  xruns: streams.reduce((sum, { xruns }) => sum + xruns, 0),
  hostXruns: streams.reduce((sum, { hostXruns }) => sum + hostXruns, 0),
});

/** Samples the daemon until the end. `before`: the first guest's xruns so far, not to be counted. */
async function watch(box: Box, daemon: Process, before: Xruns): Promise<Sample[]> {
  using holdUps = new HoldUps();
  const [samples, start]: [Sample[], number] = [[], performance.now()];
  for (let last = before;;) {
    const streams = await running(box, GUESTS[0].domain);
    if (streams.length !== CARDS) throw new Error(`${CARDS - streams.length} streams have stopped`);
    const now = xrunsOf(streams);
    const sample = {
      seconds: Math.round((performance.now() - start) / 1000),
      residentMegabytes: Math.round(residentMegabytes(daemon) * 10) / 10,
      descriptors: descriptors(daemon.pid).size,
      xruns: now.xruns - last.xruns,
      hostXruns: now.hostXruns - last.hostXruns,
      heldUpMs: Math.round(holdUps.takeLongestMs()),
    };
    samples.push(sample);
    last = now;
    console.error(
      `${sample.seconds} s: ${sample.residentMegabytes} MB resident, ${sample.descriptors} descriptors, ` +
        `${sample.xruns} xruns (${sample.hostXruns} of them the host's), threads held up for at most ${sample.heldUpMs} ms`,
    );
    if (performance.now() >= endAt) return samples;
    await sleep(Math.min(values.short ? SAMPLE_MS / 6 : SAMPLE_MS, Math.max(0, endAt - performance.now())));
  }
}

await using box = await Box.start(...GUESTS.map(({ domain }) => domain));
await provision(box);
const daemon = await box.serve();
// Count descriptors after each player has run once: the engine keeps some open for the next player.
const all = await Promise.all(GUESTS.map((guest) => playAll(box, guest)));
for (const players of all) await players[Symbol.asyncDispose]();
const before = (await settledDescriptors(daemon.pid)).size;
const firstXruns = xrunsOf((await box.status()).streams.filter(({ domid }) => domid === GUESTS[0].domid));
let visits: number, samples: Sample[];
{
  await using _steady = await playAll(box, GUESTS[0]);
  [visits, samples] = await Promise.all([comeAndGo(box), watch(box, daemon, firstXruns)]);
}
const after = (await settledDescriptors(daemon.pid)).size;
console.log(JSON.stringify({ version: 1, visits, descriptors: { before, after }, samples }));
const grown = samples.at(-1)!.residentMegabytes - samples[samples.length >> 1]!.residentMegabytes;
const unexplained = samples.filter(({ xruns, heldUpMs }) =>
  xruns > 0 && heldUpMs < explainsXrunMs(PERIOD_FRAMES)
);
const faults = [
  ...after > before ? [`${after - before} descriptors were not closed`] : [],
  ...unexplained.map(({ seconds, xruns, heldUpMs }) =>
    `${xruns} xruns by ${seconds} s, with threads held up for ${heldUpMs} ms`
  ),
  ...grown > BREATH_MB ? [`${grown} MB more than half-way`] : [],
];
for (const fault of faults) console.error(`FAILED: ${fault}`);
if (faults.length > 0) Deno.exitCode = 1;
