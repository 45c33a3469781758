/** What `xsnd serve` logs, and in which shape. */
import assert from "node:assert/strict";
import { assertFails, type Box, inBox, type Process, until, xsnd } from "./harness.ts";
import { RawCard } from "./raw_frontend.ts";

const STREAM = "domU/0/0/0";

/** Becomes what it is given, with its stderr for a journal, as systemd makes a service's. */
const WITH_JOURNAL = ["sh", "-c", 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"', "sh"];

/** A daemon of whose one stream something was said at each level but error. */
async function withDaemon(
  start: (box: Box) => Process,
  body: (daemon: Process, lines: string[]) => void,
): Promise<void> {
  await inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    // A policy that nobody can read: its card is an error.
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
    assert(lines.includes("xsnd: info: serve: SIGTERM: ending; once more to force it"));
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

Deno.test("a guest that makes the daemon talk fills no log: what is left out is counted", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    const daemon = await box.serve();
    const TRIES = 100;
    {
      await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
      const [stream] = card.streams;
      const open = {
        pcmRate: 48000,
        pcmFormat: 0,
        pcmChannels: 0,
        bufferSz: 0,
        periodSz: 0,
        grefDirectory: 0,
      };
      for (let i = 0; i < TRIES; i++) assert(stream.open(open) < 0);
    }
    const { stderr } = await daemon.end("SIGTERM");
    const lines = stderr.split("\n").filter((line) => /^xsnd: warning: domU\/0\/0\/0: /.test(line));
    assert.equal(lines.filter((line) => /0: OPEN refused: /.test(line)).length, 20, stderr);
    const summaries = lines.filter((line) =>
      / more warning lines within a minute are left out; the last: OPEN refused/.test(line)
    );
    assert.equal(summaries.length, 1, stderr);
    assert(summaries[0].includes(`: ${TRIES - 20} more `), summaries[0]);
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
