// SPDX-License-Identifier: MIT
/**
 * `deno task bench [--short]`: measures the engine's cost, in the embedded Xen on dummy devices. Each figure has a baseline
 * from the same run. Prints one JSON object to stdout and a table to stderr. Exits with 1 if a claim fails: no xrun while
 * the machine held up nobody, no allocation, no wake-up of an idle engine.
 */
import { copyMemory, Memory } from "../../ffi/libc/memory.ts";
import { type Percentiles, percentiles } from "../../lib/base/percentiles.ts";
import { HwParam } from "../../lib/sndif/mod.ts";
import type { StreamReport } from "../../lib/control/protocol.ts";
import { Box, makeWav, type Process, sleep, until } from "../sandbox/harness.ts";
import { RawCard } from "../sandbox/raw_frontend.ts";
import { EngineThread, residentMegabytes } from "./daemon_process.ts";
import { explainsXrunMs, HoldUps } from "./hold_ups.ts";
import { Players } from "./players.ts";

const RATE = 48000;
const FRAME_BYTES = 4;
const PERIODS = [128, 256, 512, 1024];

const QUERIES_TO_WARM_UP = 500;
const QUERIES = 2000;

const short = Deno.args.includes("--short");
const seconds = short ? 2 : 5;
const together = short ? { streams: 8, seconds: 5 } : { streams: 32, seconds: 60 };
const PERIOD_TOGETHER = 480;

/** The baseline: CPU seconds to copy one second of sound in pieces of `frames`. Every engine must do at least this. */
function memcpySeconds(frames: number): number {
  const bytes = frames * FRAME_BYTES;
  const [from, to] = [Memory.of(new ArrayBuffer(1 << 18)), Memory.of(new ArrayBuffer(1 << 18))];
  const pieces = Math.ceil(RATE / frames);
  const [warm, rounds] = [200, 50];
  const copy = () => {
    for (let i = 0; i < pieces; i++) {
      const at = i * bytes % (1 << 17);
      copyMemory(to, at, from, at, bytes);
    }
  };
  for (let i = 0; i < warm; i++) copy();
  const start = performance.now();
  for (let i = 0; i < rounds; i++) copy();
  return (performance.now() - start) / 1000 / rounds;
}

const stream = (card: number) => `domU/${card}/0/0`;
const STREAM = stream(0);

function play(box: Box, file: string, card: number, period: number): Process {
  const sizes = ["--period-frames", `${period}`, "--buffer-frames", `${period * 4}`];
  return box.spawn("play", file, stream(card), "--json", ...sizes);
}

/** The daemon's last figures, while the player plays, for the delay from the device's interrupt to the guest's event. */
async function lastDelays(box: Box, player: Process): Promise<Percentiles> {
  let last = percentiles([]);
  while (!player.ended) {
    const report = (await box.status()).streams.find(({ stream }) => stream === STREAM);
    if (report?.state === "running") last = report.eventDelayMicros ?? last;
    await sleep(200);
  }
  return last;
}

/** Round trips of HW_PARAM_QUERY, in µs, to an ALSA PCM that the engine already has open. */
async function measureQueries(box: Box): Promise<Percentiles> {
  const file = box.path("null.yaml");
  const cards = [{ pcms: [{ streams: [{ type: "playback", device: "null" }] }] }];
  Deno.writeTextFileSync(file, JSON.stringify({ domains: { domV: { cards } } }));
  await box.ok("provision", "-f", file);
  await using card = await RawCard.connect(box.xen, 2, ["0/0"]);
  const [stream] = card.streams;
  const micros: number[] = [];
  for (let i = 0; i < QUERIES_TO_WARM_UP + QUERIES; i++) {
    const param = new HwParam();
    param.formatsLow = 0xffffffff;
    for (const interval of [param.rates, param.channels, param.buffer, param.period]) {
      interval.max = 0xffffffff;
    }
    const start = performance.now();
    if (stream!.query(param) !== 0) throw new Error("a query was refused");
    if (i >= QUERIES_TO_WARM_UP) micros.push((performance.now() - start) * 1000);
  }
  return percentiles(micros);
}

/** Measures a single stream, at each period in turn. */
async function measurePeriods(box: Box, engine: EngineThread) {
  const file = makeWav(box.path("short.wav"), {
    rate: RATE,
    channels: 2,
    format: "s16_le",
    frames: seconds * RATE,
  });
  const rows = [];
  for (const period of PERIODS) {
    const before = engine.cpuSeconds;
    const player = play(box, file, 0, period);
    const eventDelayMicros = await lastDelays(box, player);
    const { code, stdout, stderr } = await player.result;
    if (code !== 0) throw new Error(stderr);
    const { writeRttMicros, pingPongMicros, xruns } = JSON.parse(stdout);
    const cpu = (engine.cpuSeconds - before) / seconds;
    rows.push({
      period,
      writeRttMicros,
      pingPongMicros,
      eventDelayMicros,
      xruns,
      cpu,
      memcpyCpu: memcpySeconds(period),
    });
  }
  return rows;
}

/** Measures many streams at once, while all of them play. */
async function measureTogether(box: Box, daemon: Process, engine: EngineThread) {
  const { streams, seconds } = together;
  await using players = new Players(box);
  const running = async () => {
    const reports = (await box.status()).streams.filter(({ state }) => state === "running");
    return reports.length === streams ? reports : undefined;
  };
  for (let card = 0; card < streams; card++) {
    players.start({ domain: "domU", domid: 1, card }, PERIOD_TOGETHER);
  }
  await until("all of them play", running);
  // Time for the JIT compiler to finish.
  await sleep(2000);
  const xruns = (reports: readonly StreamReport[]) => reports.reduce((sum, { xruns }) => sum + xruns, 0);
  using holdUps = new HoldUps();
  const [before, cpu, start] = [await running(), engine.cpuSeconds, performance.now()];
  await sleep(seconds * 1000);
  const [cores, lasted] = [engine.cpuSeconds - cpu, (performance.now() - start) / 1000];
  const after = await running();
  if (before === undefined || after === undefined) throw new Error("a stream has stopped in between");
  return {
    streams,
    period: PERIOD_TOGETHER,
    seconds: lasted,
    xruns: xruns(after) - xruns(before),
    heldUpMs: Math.round(holdUps.takeLongestMs()),
    cores: cores / lasted,
    memcpyCores: memcpySeconds(PERIOD_TOGETHER) * streams,
    residentMegabytes: residentMegabytes(daemon),
  };
}

/** Wake-ups of the engine in one second, with a card connected and no stream open. */
async function measureIdle(box: Box, engine: EngineThread): Promise<number> {
  await using _card = await RawCard.connect(box.xen, 1, ["0/0"]);
  // V8 cleans up after earlier work for a while, which wakes the thread. Retry until the cleaning ends.
  for (let tries = 5;; tries--) {
    await sleep(500);
    const before = engine.sleeps;
    await sleep(1000);
    const wakeUps = engine.sleeps - before;
    if (wakeUps === 0 || tries === 1) return wakeUps;
  }
}

/** Octets of heap allocated by 100 000 WRITEs and as many wake-ups by the device. */
async function measureAllocation(): Promise<number> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      "--no-check",
      "--v8-flags=--min-semi-space-size=256,--max-semi-space-size=256",
      new URL("../unit/engine_hot_path.ts", import.meta.url).pathname,
    ],
    stderr: "inherit",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).octets;
}

async function provisionCards(box: Box): Promise<void> {
  const pcms = [{ streams: [{ type: "playback", device: "dummy:" }] }];
  const cards = Array.from({ length: together.streams }, (_, card) => ({
    pcms: pcms.map(({ streams }) => ({ streams: streams.map((s) => ({ ...s, "unique-id": `s${card}` })) })),
  }));
  const file = box.path("domU.yaml");
  Deno.writeTextFileSync(file, JSON.stringify({ domains: { domU: { cards } } }));
  await box.ok("provision", "-f", file);
}

/** Lines of a table, with each column as wide as its widest cell. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column]!)).join("  "));
}

await using box = await Box.start("domU", "domV");
await provisionCards(box);
const daemon = await box.serve();
const engine = new EngineThread(daemon);
const idleWakeUps = await measureIdle(box, engine);
const queryMicros = await measureQueries(box);
const periods = await measurePeriods(box, engine);
const atOnce = await measureTogether(box, daemon, engine);
const allocatedOctets = await measureAllocation();
const report = { version: 1, short, periods, atOnce, queryMicros, idleWakeUps, allocatedOctets };
console.log(JSON.stringify(report));

const say = (line: string) => console.error(line);
const figures = ({ p50, p99, max }: Percentiles) => [p50, p99, max].map((value) => value.toFixed(1));
table([
  [
    "period,",
    "WRITE p50,",
    "p99,",
    "max,",
    "ping-pong p50,",
    "p99,",
    "max,",
    "ratio",
    "event p50,",
    "p99,",
    "max,",
  ]
    .concat("CPU ms", "memcpy ms", ""),
  ["frames", "µs", "µs", "µs", "µs", "µs", "µs", "of p50", "µs", "µs", "µs"]
    .concat("a second", "a second", "xruns"),
  ...periods.map((row) => [
    String(row.period),
    ...figures(row.writeRttMicros),
    ...figures(row.pingPongMicros),
    (row.writeRttMicros.p50 / row.pingPongMicros.p50).toFixed(2),
    ...figures(row.eventDelayMicros),
    (row.cpu * 1000).toFixed(1),
    (row.memcpyCpu * 1000).toFixed(2),
    String(row.xruns),
  ]),
]).forEach(say);
say("");
const { streams, seconds: lasted, xruns, heldUpMs, cores, memcpyCores, residentMegabytes: resident } = atOnce;
say(
  `${streams} streams at once, periods of ${PERIOD_TOGETHER}: ${xruns} xruns in ${lasted.toFixed(0)} s ` +
    `(threads held up for at most ${heldUpMs} ms), ` +
    `${cores.toFixed(3)} cores (memcpy alone ${memcpyCores.toFixed(4)}), ${resident.toFixed(0)} MB resident`,
);
say(`HW_PARAM_QUERY, warm: p50 ${queryMicros.p50}, p99 ${queryMicros.p99}, max ${queryMicros.max} µs`);
say(`an idle engine wakes ${idleWakeUps} times a second; 100 000 WRITEs allocate ${allocatedOctets} octets`);

const broken = [
  xruns > 0 && heldUpMs < explainsXrunMs(PERIOD_TOGETHER) &&
  `${xruns} xruns, with threads held up for ${heldUpMs} ms`,
  // The limit is that of engine_allocation_test.ts: one heap number a round would be 1.2 million octets.
  allocatedOctets > 300_000 && `${allocatedOctets} octets allocated`,
  idleWakeUps > 0 && `${idleWakeUps} wake-ups of an idle engine`,
].filter((claim) => claim !== false);
if (broken.length > 0) {
  say(`FAILED: ${broken.join(", ")}`);
  Deno.exitCode = 1;
}
