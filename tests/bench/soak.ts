// SPDX-License-Identifier: MIT
/**
 * `deno task soak [--minutes N | --short]` (60; as CI runs it, half a minute): a daemon with eight streams of two guests, in the embedded Xen on dummy cards. One guest plays all the time,
 * the other's programs come and go. Prints one JSON object, with what the daemon held of memory and descriptors every
 * half a minute, and a line for people at each of them; exit 1 if a stream that was to play did not, had an xrun, if descriptors were
 * lost, or if the second half of the time has taken more memory than a daemon that keeps nothing would.
 */
import { parseArgs } from "node:util";
import type { StreamReport } from "../../lib/control/protocol.ts";
import { Box, descriptors, type Process, settledDescriptors, sleep } from "../sandbox/harness.ts";
import { residentMegabytes } from "./daemon_process.ts";
import { Players } from "./players.ts";

const CARDS = 4;
const PERIOD_FRAMES = 480;
const SAMPLE_MS = 30_000;
/** How long a program of the restless guest's plays, and how long it is away. */
const STAY_MS = 3000;
const AWAY_MS = 500;
const LOOK_MS = 250;
const GUESTS = [{ domain: "domU", domid: 1 }, { domain: "domV", domid: 2 }] as const;

/** MB that a heap may be larger at the end than half-way: between two collections. */
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

/** Players on all cards of a guest, all of them playing. */
async function playAll(box: Box, { domain, domid }: typeof GUESTS[number]): Promise<Players> {
  const players = new Players(box);
  for (let card = 0; card < CARDS; card++) players.start({ domain, domid, card }, PERIOD_FRAMES);
  // Seldom enough to be no load of its own.
  do await sleep(LOOK_MS); while ((await running(box, domain)).length < CARDS);
  return players;
}

/** Comes and goes until the end; returns how often. */
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
  readonly xruns: number;
}

const xrunsOf = (streams: readonly StreamReport[]) => streams.reduce((sum, { xruns }) => sum + xruns, 0);

/** Looks at the daemon until the end; there were `xrunsBefore` of the streams that are to play all the time. */
async function watch(box: Box, daemon: Process, xrunsBefore: number): Promise<Sample[]> {
  const [samples, start]: [Sample[], number] = [[], performance.now()];
  while (true) {
    const streams = await running(box, GUESTS[0].domain);
    if (streams.length !== CARDS) throw new Error(`${CARDS - streams.length} streams have stopped`);
    const sample = {
      seconds: Math.round((performance.now() - start) / 1000),
      residentMegabytes: Math.round(residentMegabytes(daemon) * 10) / 10,
      descriptors: descriptors(daemon.pid).size,
      xruns: xrunsOf(streams) - xrunsBefore,
    };
    samples.push(sample);
    console.error(
      `${sample.seconds} s: ${sample.residentMegabytes} MB resident, ${sample.descriptors} descriptors, ${sample.xruns} xruns`,
    );
    if (performance.now() >= endAt) return samples;
    await sleep(Math.min(values.short ? SAMPLE_MS / 6 : SAMPLE_MS, Math.max(0, endAt - performance.now())));
  }
}

await using box = await Box.start(...GUESTS.map(({ domain }) => domain));
await provision(box);
const daemon = await box.serve();
// As many as there are after all of them have been there once: the engine keeps some for who comes next.
const all = await Promise.all(GUESTS.map((guest) => playAll(box, guest)));
for (const players of all) await players[Symbol.asyncDispose]();
const before = (await settledDescriptors(daemon.pid)).size;
const xrunsBefore = xrunsOf((await box.status()).streams.filter(({ domid }) => domid === GUESTS[0].domid));
let visits: number, samples: Sample[];
{
  await using _steady = await playAll(box, GUESTS[0]);
  [visits, samples] = await Promise.all([comeAndGo(box), watch(box, daemon, xrunsBefore)]);
}
const after = (await settledDescriptors(daemon.pid)).size;
console.log(JSON.stringify({ version: 1, visits, descriptors: { before, after }, samples }));
const grown = samples.at(-1)!.residentMegabytes - samples[samples.length >> 1]!.residentMegabytes;
const { xruns } = samples.at(-1)!;
const faults = [
  ...after > before ? [`${after - before} descriptors were not closed`] : [],
  ...xruns > 0 ? [`${xruns} xruns`] : [],
  ...grown > BREATH_MB ? [`${grown} MB more than half-way`] : [],
];
for (const fault of faults) console.error(`FAILED: ${fault}`);
if (faults.length > 0) Deno.exitCode = 1;
