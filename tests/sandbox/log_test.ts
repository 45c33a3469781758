// SPDX-License-Identifier: MIT
/** The log of `xsnd serve`: its lines, and their formats. */
import assert from "node:assert/strict";
import { assertFails, type Box, inBox, Process, until, xsnd } from "./harness.ts";
import { assertWorks, open, RawCard, type RawStream } from "./raw_frontend.ts";

const STREAM = "domU/0/0/0";

/** Execs its arguments with stderr marked as the journal, as systemd does for a service. */
const WITH_JOURNAL = ["sh", "-c", 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"', "sh"];

/** Runs a daemon, plays through its one stream, and passes the log to `body`. The stream logs at each level but error. */
async function withDaemon(
  start: (box: Box) => Process,
  body: (daemon: Process, lines: string[]) => void,
): Promise<void> {
  await inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    // Card 1 has an invalid policy, which is logged as an error.
    await box.xenstore("write", "/local/domain/0/backend/vsnd/1/1/frontend", "/none");
    await box.xenstore("write", "/local/domain/0/backend/vsnd/1/1/state", "1");
    await box.xenstore("write", "/local/domain/0/backend/vsnd/1/1/xsnd/0/0/type", "x");
    const daemon = start(box);
    await until("the daemon answers", () => box.status().catch(() => undefined));
    await box.ok("play", "fixtures/melody.wav", STREAM);
    const { code } = await daemon.end("SIGTERM");
    assert.equal(code, 0);
    assert.equal(daemon.stdout, "");
    body(daemon, daemon.stderr.trimEnd().split("\n"));
  });
}

Deno.test("serve logs lines for people, each with what it is about", () =>
  withDaemon((box) => box.spawn("serve"), (_, lines) => {
    for (const line of lines) assert.match(line, /^xsnd: (info|warning|error): \S+: /);
    assert(
      lines.some((line) => line.startsWith(`xsnd: info: ${STREAM}: open: 48000 Hz, s16_le`)),
      lines.join("\n"),
    );
    assert(lines.includes("xsnd: info: serve: SIGTERM: ending; a second signal forces the end"));
  }));

Deno.test("serve --log-format json logs an object a line, with the domain and the stream that it is about", () =>
  withDaemon((box) => box.spawn("serve", "--log-format", "json"), (_, lines) => {
    const records = lines.map((line) => JSON.parse(line));
    for (const record of records) {
      assert.deepEqual(Object.keys(record).slice(0, 4), ["time", "level", "category", "message"]);
      assert.equal(new Date(record.time).toISOString(), record.time);
      if (record.category === "xsnd.stream") assert.match(record.stream, /^domU\/0\/0\/\d$/);
      if (/^xsnd\.(stream|card)$/.test(record.category)) assert.equal(record.domain, "domU");
    }
    const { stream, rate, format } = records.find(({ message }) => /^open: /.test(message));
    assert.deepEqual([stream, rate, format], [STREAM, 48000, "s16_le"]);
  }));

Deno.test("serve --quiet logs warnings and errors alone", () =>
  withDaemon((box) => box.spawn("serve", "-q"), (_, lines) => {
    assert(lines.length > 0);
    for (const line of lines) assert.match(line, /^xsnd: (warning|error): /);
  }));

Deno.test("serve gives a journal the priority of each line, and other things none", async () => {
  await withDaemon((box) => box.spawnUnder(WITH_JOURNAL, "serve"), (_, lines) => {
    for (const line of lines) assert.match(line, /^<[346]>xsnd: (error|warning|info): /);
    assert(lines.some((line) => line.startsWith("<6>xsnd: info: ")));
    assert(lines.some((line) => line.startsWith("<3>xsnd: error: ")));
  });
  await withDaemon(
    (box) => box.spawnWith({ JOURNAL_STREAM: "1:2" }, "serve"),
    (_, lines) => {
      for (const line of lines) assert(!line.startsWith("<"), line);
    },
  );
});

Deno.test("serve that fails says so in the log's own shape", () =>
  inBox(async (box) => {
    await box.serve();
    const { code, stderr } = await box.run("serve", "--log-format", "json");
    const { level, message } = JSON.parse(stderr);
    assert.deepEqual([code, level], [1, "fatal"]);
    assert.match(message, /^a daemon is already running: it answers at /);
    const journalled = await box.spawnUnder(WITH_JOURNAL, "serve").result;
    assert.match(journalled.stderr, /^<2>xsnd: fatal: a daemon is already running: [^\n]+\n$/);
    assertFails(await box.run("serve"), 1, /^xsnd: a daemon is already running: /);
  }));

Deno.test("serve cannot be both verbose and quiet", async () => {
  const { code, stderr } = await xsnd(["serve", "-v", "-q"]);
  assert.equal(code, 2);
  assert.match(stderr, /option '-q, --quiet' cannot be used with option '-v, --verbose'/);
});

/** Makes the daemon log `refused` refused OPENs of `stream`. */
function makeItTalk(stream: RawStream, refused: number): void {
  const none = { ...open, pcmRate: 1, grefDirectory: 0 };
  for (let i = 0; i < refused; i++) assert(stream.open(none) < 0);
}

/** Execs its arguments with stderr redirected to the file that the first argument names. */
const WITH_STDERR = ["sh", "-c", 'to=$1; shift; exec "$@" 2>"$to"', "sh"];

/** Starts a daemon whose stderr is a pipe at `path`; returns the daemon and the pipe's unread end. */
async function serveInto(box: Box, path: string, ...options: string[]) {
  await new Process("mkfifo", [path]).result;
  const opening = Deno.open(path);
  const limits = ["--guest-limits", "log-lines=10000"];
  const daemon = box.spawnUnder([...WITH_STDERR, path], "serve", ...limits, ...options);
  const { readable: reader } = await opening;
  await until("the daemon answers", () => box.status().catch(() => undefined));
  return { daemon, reader };
}

Deno.test("a log that nobody reads keeps no other guest waiting; once somebody reads, what is lost is counted", () =>
  inBox(
    async (box) => {
      for (const guest of ["loud", "domU"]) {
        await box.provision(guest, [{ type: "playback", device: "dummy:" }]);
      }
      const { daemon, reader } = await serveInto(box, box.path("log"), "-v");
      // More than the pipe and the daemon's queue hold.
      const LINES = 6000;
      let said = "";
      let reading: Promise<void>;
      {
        await using loud = await RawCard.connect(box.xen, 1, ["0/0"]);
        await using quiet = await RawCard.connect(box.xen, 2, ["0/0"]);
        makeItTalk(loud.streams[0]!, LINES);
        assertWorks(quiet.streams[0]!);
        assert.equal((await box.status()).streams.length, 2);
        reading = (async () => {
          for await (const text of reader.pipeThrough(new TextDecoderStream())) said += text;
        })();
        await until("it says so", () => /lines of the log lost/.test(said));
        assertWorks(quiet.streams[0]!);
      }
      const { code } = await daemon.end("SIGTERM");
      assert.equal(code, 0);
      await reading;
      const lines = said.trimEnd().split("\n");
      const refusals = lines.filter((line) => /loud\/0\/0\/0: OPEN refused/.test(line)).length;
      const lost = Number(/^xsnd: warning: log: (\d+) lines of the log lost: /m.exec(said)?.[1]);
      assert(refusals < LINES && refusals + lost >= LINES, `${refusals} written, ${lost} lost`);
      for (const line of lines) assert.match(line, /^xsnd: (debug|info|warning): /, "no line is cut");
      assert(lines.some((line) => /SIGTERM: ending/.test(line)), `it goes on: ${lines.slice(-5).join("\n")}`);
    },
    "loud",
    "domU",
  ));

Deno.test("serve whose log nobody reads ends when it is told to", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    const { daemon, reader } = await serveInto(box, box.path("log"));
    {
      await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
      makeItTalk(card.streams[0]!, 2000);
    }
    assert.equal((await daemon.end("SIGTERM")).code, 0);
    await reader.cancel();
  }));

Deno.test("a defect ends a daemon whose log nobody reads, and is a line of the log where somebody does", () =>
  inBox(async (box) => {
    const run = (lines: number, to: string[]) => {
      const script = `
        import { getLogger } from "@logtape/logtape";
        import { startLogging } from "./lib/log/mod.ts";
        await startLogging({ format: "json", linesAMinute: 1_000_000 });
        for (let i = 0; i < ${lines}; i++) getLogger("xsnd").info("line {i}", { i });
        setTimeout(() => { throw new Error("a defect"); });
      `;
      const [command, ...args] = [...to, Deno.execPath(), "eval", "--quiet", script];
      return new Process(command, args).result;
    };
    const { code, stderr } = await run(1, ["env"]);
    const [first, last, ...more] = stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual([code, first.message, last.level, more], [1, "line 0", "fatal", []]);
    assert.match(last.message, /^Error: a defect\n +at /);

    const path = box.path("log");
    await new Process("mkfifo", [path]).result;
    const opening = Deno.open(path);
    const ended = run(10_000, [...WITH_STDERR, path]);
    using _unread = await opening;
    assert.equal((await ended).code, 1);
  }));

Deno.test("a guest that makes the daemon talk fills no log: what is left out is counted", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    const daemon = await box.serve();
    const TRIES = 100;
    {
      await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
      const [stream] = card.streams;
      makeItTalk(stream!, TRIES);
    }
    const { stderr } = await daemon.end("SIGTERM");
    const lines = stderr.split("\n").filter((line) => /^xsnd: warning: domU\/0\/0\/0: /.test(line));
    assert.equal(lines.filter((line) => /0: OPEN refused: /.test(line)).length, 20, stderr);
    const summaries = lines.filter((line) =>
      / more warning lines within a minute are left out; the last: OPEN refused/.test(line)
    );
    assert.equal(summaries.length, 1, stderr);
    assert(summaries[0]!.includes(`: ${TRIES - 20} more `), summaries[0]);
  }));

Deno.test("a client of the control socket that sends rubbish without end fills no log", () =>
  inBox(async (box) => {
    const daemon = await box.serve("-v");
    const RUBBISH = 5000;
    {
      using client = await Deno.connect({ transport: "unix", path: `${box.xen}/control.sock` });
      const sending = (async () => {
        const writer = client.writable.getWriter();
        await writer.write(new TextEncoder().encode("null\n".repeat(RUBBISH)));
      })();
      let answers = 0;
      const buffer = new Uint8Array(65536);
      while (answers < RUBBISH) {
        const count = await client.read(buffer);
        assert(count !== null);
        answers += buffer.subarray(0, count).filter((octet) => octet === 0x0a).length;
      }
      await sending;
    }
    const { stderr } = await daemon.end("SIGTERM");
    const records = stderr.split("\n").filter((line) => line.startsWith("xsnd: ")).length;
    assert(records < 100, `${records} lines, ${stderr.length} octets: ${stderr.slice(0, 1000)}`);
  }));
