// SPDX-License-Identifier: MIT
/** `xsnd trace`: recording the messages on a stream's rings to a file, and replaying them. */
import assert from "node:assert/strict";
import {
  assertFails,
  Box,
  inBox,
  launcher,
  makeWav,
  Process,
  sharedBox,
  sleep,
  until,
  xsnd,
} from "./harness.ts";
import { playWithXrun } from "./stutter.ts";

const STREAM = "domU/0/0/0";
const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 30_000 };

/** A line of `trace show --json`: a record, the head or the summary. */
interface Line {
  readonly kind: string;
  readonly time: number;
  readonly [field: string]: unknown;
}

let daemon: Process;
const shared = sharedBox(async (box) => {
  await box.provision("domU", [
    { type: "playback", device: "dummy:" },
    { type: "playback", device: "dummy:", "sample-rates": [44100] },
  ]);
  daemon = await box.serve();
  makeWav(box.path("in.wav"), sound);
});

/** Starts a recording; resolves when it has begun. */
async function startRecording(box: Box, file: string, ...args: string[]): Promise<Process> {
  await Deno.remove(file).catch(() => {});
  const recording = box.spawn("trace", "record", STREAM, "-o", file, ...args);
  await until("a trace begins", () => {
    assert(!recording.ended, recording.stderr);
    return exists(file);
  });
  return recording;
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).size > 0;
  } catch {
    return false;
  }
}

async function show(box: Box, file: string, ...args: string[]): Promise<Line[]> {
  const lines = (await box.ok("trace", "show", file, "--json", ...args)).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line));
}

/** Records the trace of one run of `play`. */
async function recordPlaying(box: Box, file: string, ...args: string[]): Promise<void> {
  const recording = await startRecording(box, file, "--until", "closed");
  await box.ok("play", box.path("in.wav"), STREAM, ...args);
  const { code, stdout, stderr } = await recording.result;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.match(
    stdout,
    /^recorded to .*: \d+ requests, 0 refused, \d+ events in .*; 0 records lost\nverdict: /,
  );
}

Deno.test("trace record writes all that play asks and is told; trace show decodes it", async () => {
  const box = shared();
  const file = box.path("played.trace");
  await recordPlaying(box, file, "--behaviour", "linux-7.2");
  const lines = await show(box, file, "--positions");
  const [head, summary] = [lines[0]!, lines.at(-1)!];
  const { kind, version, stream, type, device, domid, state } = head;
  assert.deepEqual(
    { kind, version, stream, type, device, domid, state },
    {
      kind: "head",
      version: 2,
      stream: STREAM,
      type: "playback",
      device: "dummy:",
      domid: 1,
      state: "detached",
    },
  );
  const requests = lines.filter((line) => line.kind === "request");
  const operations = requests.map(({ op }) => op).filter((op) => op !== "HW_PARAM_QUERY" && op !== "WRITE");
  assert.deepEqual(operations, ["OPEN", "TRIGGER", "TRIGGER", "CLOSE"]);
  const written = requests.filter(({ op }) => op === "WRITE").reduce(
    (sum, { length }) => sum + Number(length),
    0,
  );
  assert.equal(written, sound.frames * 4);
  const responses = lines.filter((line) => line.kind === "response");
  assert.deepEqual(
    responses.map(({ id }) => id),
    requests.map(({ id }) => id),
    "one at a time, each answered",
  );
  assert(responses.every(({ status, roundTripMicros }) => status === 0 && Number(roundTripMicros) >= 0));
  const told = lines.filter((line) => line.kind === "event").map(({ position }) => Number(position));
  assert(told.length > 10 && told.every((octets, i) => i === 0 || octets >= told[i - 1]!), "never backwards");
  assert(
    lines.some((line) => line.kind === "position" && line.state === "running" && Number(line.position) > 0),
  );
  assert.deepEqual([summary.kind, summary.truncated, summary.lost], ["summary", false, 0]);
  assert.equal(summary.requests, requests.length);
});

Deno.test("trace show prints a line a record, and none for positions unless it is told to", async () => {
  const box = shared();
  const file = box.path("lines.trace");
  await recordPlaying(box, file);
  const text = await box.ok("trace", "show", file);
  assert.match(text, /^# domU\/0\/0\/0, playback on dummy:, from 20.*Z on\n/);
  assert.match(
    text,
    /^ +\d+\.\d{6} > req id=\d+ op=OPEN rate=48000 format=s16_le channels=2 buffer_sz=\d+ /m,
  );
  assert.match(text, /^ +\d+\.\d{6} < rsp id=\d+ op=WRITE status=0 \(\d+ µs\)$/m);
  assert.match(text, /^ +\d+\.\d{6} < evt id=\d+ type=CUR_POS position=\d+$/m);
  assert.match(text, /--- end why=the recorder ends it\n# \d+ requests, .*p50 .*\n# verdict: /);
  assert.doesNotMatch(text, / pos /);
  assert.match(await box.ok("trace", "show", file, "--positions"), / pos position=\d+ guest=\d+/);
});

Deno.test("trace record begins in the middle of a stream, and ends with SIGINT as with --seconds: exit 0", async () => {
  const box = shared();
  const long = makeWav(box.path("long.wav"), { ...sound, frames: 960_000 });
  await using playing = box.spawn("play", long, STREAM);
  await box.untilStream(STREAM, ({ state }) => state === "running");
  const file = box.path("middle.trace");
  const recording = await startRecording(box, file);
  const second = JSON.parse(
    await box.ok("trace", "record", STREAM, "-o", box.path("2nd"), "--seconds", "0.2", "--json"),
  );
  assert(second.positions > 0, "two may record a stream");
  const { code, stderr } = await recording.end("SIGINT");
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const [head] = await show(box, file);
  assert.equal(head!.state, "running");
  const { rate, channels, format } = head!.parameters as Record<string, unknown>;
  assert.deepEqual([rate, channels, format], [48000, 2, "s16_le"]);
  const summary = JSON.parse(
    await box.ok("trace", "record", STREAM, "-o", file, "--seconds", "0.5", "--json"),
  );
  assert(summary.positions > 0 && summary.lost === 0, JSON.stringify(summary));
  // A device that stands makes no records. The trace knows what holds it all the same.
  await box.ok("trigger", "pause", STREAM);
  const held = await box.ok("trace", "record", STREAM, "-o", file, "--seconds", "0.3");
  assert.match(held, /\nverdict: an operator held the stream once, /);
  await box.ok("trigger", "resume", STREAM);
  await playing.end("SIGINT");
  await box.untilStream(STREAM, ({ state }) => state === "detached");
});

Deno.test("a recorder that was killed leaves a file that can be read, and a stream that can be traced", async () => {
  const box = shared();
  const file = box.path("killed.trace");
  const recording = await startRecording(box, file);
  await box.ok("play", box.path("in.wav"), STREAM);
  await until("it is written", () => Deno.statSync(file).size > 4000);
  await recording.end("SIGKILL");
  const octets = Deno.readFileSync(file);
  Deno.writeFileSync(file, octets.subarray(0, octets.length - 5));
  assert.match(await box.ok("trace", "show", file), /# the file ends in the middle of a record/);
  await until("the daemon has noticed", async () => {
    const { code } = await box.run("trace", "record", STREAM, "-o", file, "--seconds", "0.1");
    return code === 0;
  });
  assert(!daemon.ended && !/^\s+at /m.test(daemon.stderr), daemon.stderr);
});

Deno.test("trace goes on over its guest's connections, and ends with the card or the daemon", async () => {
  await using box = await Box.start();
  await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
  await box.serve();
  const input = makeWav(box.path("in.wav"), { ...sound, frames: 2000 });
  const file = box.path("two.trace");
  const early = await box.run("trace", "last", STREAM, "-o", file);
  assertFails(early, 1, /no guest has used domU\/0\/0\/0 since the daemon began to serve its card/);
  assert(!exists(file));
  const recording = await startRecording(box, file);
  await box.ok("play", input, STREAM);
  await box.ok("play", input, STREAM);
  await box.ok("deprovision", "domU");
  assert.equal((await recording.result).code, 0);
  const lines = await show(box, file);
  const marks = lines.map(({ kind }) => kind).filter((kind) => /connected|end/.test(kind));
  assert.deepEqual(marks, ["connected", "disconnected", "connected", "disconnected", "end"]);
  assert.equal(lines.find(({ kind }) => kind === "end")!.why, "the card is gone");
});

Deno.test("trace replay sends the same again: exit 0 if all is answered as it was, 1 where it is not", async () => {
  const box = shared();
  const file = box.path("replayed.trace");
  await recordPlaying(box, file);
  const { requests } = (await show(box, file)).at(-1)!;
  const report = JSON.parse(await box.ok("trace", "replay", file, STREAM, "--json"));
  assert.deepEqual([report.requests, report.compared, report.differences], [requests, requests, []]);
  assert(report.seconds > 0.5, "it takes its time");
  // The replayed requests equal the recorded requests, except for ids and grants.
  const again = box.path("again.trace");
  const recording = await startRecording(box, again, "--until", "closed");
  const text = await box.ok("trace", "replay", file, STREAM, "--speed", "4", "--behaviour", "linux-7.2");
  assert.match(text, /^replayed \d+ requests in \S+ s, 0 of \d+ answered otherwise; round trip p50 /);
  assert.equal((await recording.result).code, 0);
  const asked = async (path: string) =>
    (await show(box, path)).filter(({ kind }) => kind === "request")
      .map(({ time: _time, id: _id, gref_directory: _gref, ...rest }) => rest);
  assert.deepEqual(await asked(again), await asked(file));

  const other = await box.run("trace", "replay", file, "domU/0/0/1", "--speed", "10");
  assert.equal(other.code, 1);
  assert.match(other.stdout, /^ +\d+\.\d+ > req id=\d+ op=OPEN .*: recorded 0, now -22$/m);
  assert.match(other.stderr, /^xsnd: \d+ of \d+ responses differ from .*replayed\.trace\n$/);
});

Deno.test("trace replay of what began in the middle of a stream opens and starts it first", async () => {
  const box = shared();
  const long = makeWav(box.path("long.wav"), { ...sound, frames: 960_000 });
  await using playing = box.spawn("play", long, STREAM);
  await box.untilStream(STREAM, ({ state }) => state === "running");
  const file = box.path("part.trace");
  await box.ok("trace", "record", STREAM, "-o", file, "--seconds", "0.6");
  await playing.end("SIGINT");
  await box.untilStream(STREAM, ({ state }) => state === "detached");
  const report = JSON.parse(await box.ok("trace", "replay", file, STREAM, "--json"));
  assert(report.compared > 2, JSON.stringify(report));
});

Deno.test("trace last says why the sound stuttered that is over, and has a trace of it", async () => {
  const box = shared();
  await playWithXrun(box, STREAM, 240_000);

  const directory = box.path("traces");
  Deno.mkdirSync(directory);
  const { code, stdout } = await new Process(launcher, ["trace", "last", "domU/0/0/0"], {
    cwd: directory,
    env: box.environment,
  }).result;
  assert.equal(code, 0);
  const [file, ...more] = Array.from(Deno.readDirSync(directory), ({ name }) => name);
  assert.match(file!, /^domU-0-0-0-\d{8}T\d{6}Z\.trace$/);
  assert.deepEqual(more, []);
  const late =
    /\nverdict: the guest was late .*\n( {2}.*\n)* {2}.* s: the guest was late by \d+ ms: no WRITE between .*;/;
  assert.match(stdout, late);
  const lines = await show(box, `${directory}/${file}`, "--positions");
  assert(lines.some(({ kind }) => kind === "xrun"));
  assert.equal(lines.at(-1)!.lost, 0);

  // What begins in the middle of the stream says what was open then.
  const [part, short] = [
    box.path("part.trace"),
    await box.ok("trace", "last", STREAM, "-o", box.path("part.trace"), "--seconds", "0.5"),
  ];
  assert.match(short, /^recorded to .*part\.trace: /);
  const [head, first] = await show(box, part, "--positions");
  assert.equal(head!.state, "running");
  const { rate, channels, format } = head!.parameters as Record<string, unknown>;
  assert.deepEqual([rate, channels, format, first!.time], [48000, 2, "s16_le", 0]);
  const summary = await box.ok("trace", "show", part, "--summary");
  assert.match(summary, /^# domU.*\n# \d+ requests.*\n# verdict: .*\n/);
  assert.doesNotMatch(summary, / req /);
  assert.match(await box.ok("trace", "plot", part), /^drawn to .*part\.html; open it in a browser\n$/);
});

/** The page's DOM after a browser has run its scripts; writes a screenshot to `picture`. */
async function browse(page: string, picture: string): Promise<string> {
  const args = ["--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", "--window-size=1200,1400"];
  const { code, stdout, stderr } = await new Process("chromium-headless-shell", [
    ...args,
    `--screenshot=${picture}`,
    "--dump-dom",
    `file://${page}`,
  ]).result;
  assert.equal(code, 0, stderr);
  // Neither a script's message nor a violation of the page's policy.
  assert(!/CONSOLE|Content Security Policy/.test(stderr), stderr);
  return stdout;
}

Deno.test("trace plot draws a page that a browser shows without a network", async () => {
  const box = shared();
  const [file, page, picture] = ["plotted.trace", "plotted.html", "plotted.png"].map((name) =>
    box.path(name)
  );
  await recordPlaying(box, file!);
  assert.match(
    await box.ok("trace", "plot", file!, "-o", page!),
    /^drawn to .*plotted\.html; open it in a browser\n$/,
  );
  const dom = await browse(page!, picture!);
  assert.match(dom, /<html[^>]* data-drawn="4"/);
  assert.equal(dom.match(/<canvas/g)?.length, 4);
  const titles = Array.from(dom.matchAll(/<h2>(.*?)<\/h2>/g), ([, title]) => title);
  assert.deepEqual(titles, [
    "Position against the card’s clock (ms)",
    "Buffer fill (ms)",
    "Round trips (µs)",
    "Xruns (count)",
  ]);
  assert.match(dom, /told to the guest/);
  assert(Deno.statSync(picture!).size > 20_000, "there is something to be seen");
});

Deno.test("trace says what is wrong with a file, a stream or a command line", async () => {
  const box = shared();
  const [wav, nowhere] = [box.path("in.wav"), box.path("no/where")];
  assertFails(
    await box.run("trace", "show", wav),
    1,
    /cannot read trace .*in\.wav: it is no trace; `xsnd trace record`/,
  );
  assertFails(await box.run("trace", "show", nowhere), 1, /cannot read trace .*: no such file/);
  assertFails(await box.run("trace", "record", STREAM, "-o", nowhere), 1, /cannot write .*: no such file/);
  const nobody = ["trace", "record", "nobody", "-o", box.path("x"), "--timeout", "0"];
  assertFails(await box.run(...nobody), 1, /the daemon serves no stream "nobody"; it serves domU/);
  assertFails(await xsnd([...nobody], { XSND_CONTROL: nowhere }), 3, /no daemon answers/);
  for (const args of [["trace", "show"], ["trace", "record"], ["trace", "last"], ["trace", "dance"]]) {
    assert.equal((await box.run(...args)).code, 2, args.join(" "));
  }
});

Deno.test("trace record can be interrupted while there is no daemon, or no such stream, to wait for", () =>
  inBox(async (box) => {
    for (const serve of [false, true]) {
      if (serve) await box.serve();
      const output = box.path(`never-${serve}.trace`);
      await using recorder = box.spawn("trace", "record", "domU", "-o", output, "--timeout", "600");
      await sleep(1500);
      assert(!recorder.ended, recorder.stderr);
      const { code, stderr } = await recorder.end("SIGINT");
      assert.deepEqual([code, stderr], [130, "xsnd: interrupted\n"]);
      assert.throws(() => Deno.statSync(output), Deno.errors.NotFound);
    }
  }));
