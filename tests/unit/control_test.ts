// SPDX-License-Identifier: MIT
/** Tests both ends of the control socket, also against misbehaving clients and daemons. */
import { configure, reset } from "@logtape/logtape";
import assert from "node:assert/strict";
import { ControlClient } from "../../lib/control/control_client.ts";
import { MAX_WAIT_MS } from "../../lib/control/max_wait.ts";
import { lines, received } from "../../lib/control/lines.ts";
import {
  CONTROL_VERSION,
  type ControlRequest,
  controlSocketPath,
  resolveStream,
  type StatusReport,
} from "../../lib/control/protocol.ts";
import {
  type ControlHandler,
  ControlServer,
  forThisUserAlone,
  isServed,
} from "../../lib/control/control_server.ts";
import { isServedAt } from "../../lib/service/succession.ts";
import { Exit, type ExitCode, XsndError } from "../../lib/base/error.ts";

/** Runs `body` with the variables of `env` set or unset, then restores them. */
async function withEnv(
  env: Record<string, string | undefined>,
  body: () => void | Promise<void>,
): Promise<void> {
  const former = Object.keys(env).map((name) => [name, Deno.env.get(name)] as const);
  const set = (name: string, value?: string) =>
    value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
  for (const [name, value] of Object.entries(env)) set(name, value);
  try {
    await body();
  } finally {
    for (const [name, value] of former) set(name, value);
  }
}

/** Runs `body` with `XSND_CONTROL` set to the path of a socket in a new directory. The socket does not exist yet. */
async function withSocket(body: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/deeper/control.sock`;
    await withEnv({ XSND_CONTROL: path }, () => body(path));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** A server whose requests `handler` answers. */
async function listen(path: string, handler: ControlHandler): Promise<ControlServer> {
  const server = await ControlServer.listen(path);
  server.serve(handler);
  return server;
}
const status = { command: "status" } as const;

/** The status report of a daemon with process id `pid`. */
const report = (pid: number): StatusReport => ({
  version: CONTROL_VERSION,
  pid,
  uptimeSeconds: 1,
  cpuSeconds: 0.5,
  residentBytes: 1,
  streams: [],
});
const [FIRST, LATE, FINE] = [1, 2, 3].map(report);

/** A check that an error is an XsndError with this exit code and message. */
function xsndError(exitCode: ExitCode, message: RegExp) {
  return (error: unknown) => {
    assert(error instanceof XsndError, String(error));
    assert.match(error.message, message);
    assert.equal(error.exitCode, exitCode);
    return true;
  };
}

/** Sends `octets` unchanged. Returns the lines that come back, until the server hangs up or `count` lines have arrived. */
async function send(path: string, octets: string | Uint8Array, count: number): Promise<string[]> {
  using connection = await Deno.connect({ transport: "unix", path });
  const bytes = typeof octets === "string" ? new TextEncoder().encode(octets) : octets;
  const writing = (async () => {
    for (let done = 0; done < bytes.length;) done += await connection.write(bytes.subarray(done));
  })().catch((error) => assert(error instanceof Deno.errors.BrokenPipe, String(error)));
  const answers: string[] = [];
  const octet = new Uint8Array(4096);
  let text = "";
  while (answers.length < count) {
    const n = await connection.read(octet).catch(() => null);
    if (n === null) break;
    text += new TextDecoder().decode(octet.subarray(0, n));
    const parts = text.split("\n");
    text = parts.pop()!;
    answers.push(...parts);
  }
  await writing;
  return answers;
}

Deno.test("controlSocketPath() is what XSND_CONTROL says, else in the sandbox, else in /run", async () => {
  await withEnv(
    { XSND_CONTROL: "/x/y", XSND_SANDBOX: "/s" },
    () => assert.equal(controlSocketPath(), "/x/y"),
  );
  await withEnv(
    { XSND_CONTROL: undefined, XSND_SANDBOX: "/s" },
    () => assert.equal(controlSocketPath(), "/s/control.sock"),
  );
  await withEnv(
    { XSND_CONTROL: undefined, XSND_SANDBOX: undefined },
    () => assert.equal(controlSocketPath(), "/run/xsnd/control.sock"),
  );
});

Deno.test("resolveStream() takes a name whose trailing parts are left out while it is unambiguous", () => {
  const names = ["domU/0/0/0", "domU/0/1/0", "domU/0/1/1", "domU2/0/0/0", "domU/10/0/0"];
  const streams = names.map((stream) => ({ stream, domid: stream.startsWith("domU/") ? 3 : 14 }));
  const resolved = (wanted: string) => resolveStream(streams, wanted).stream;
  assert.equal(resolved("domU/0/0/0"), "domU/0/0/0");
  assert.equal(resolved("domU/0/0"), "domU/0/0/0");
  assert.equal(resolved("domU2"), "domU2/0/0/0");
  assert.equal(resolved("domU/10"), "domU/10/0/0");
  assert.throws(
    () => resolved("domU/0/1"),
    xsndError(Exit.usage, /"domU\/0\/1" could be domU\/0\/1\/0 or domU\/0\/1\/1; say which/),
  );
  assert.throws(
    () => resolved("domU/1"),
    xsndError(Exit.failed, /no stream "domU\/1" \(did you mean domU\/0\?\); it serves domU/),
  );
  assert.equal(resolved("14"), "domU2/0/0/0");
  assert.equal(resolved("3/10"), "domU/10/0/0");
  assert.throws(() => resolved("1"), xsndError(Exit.failed, /no stream "1"/));
  assert.throws(() => resolved("dom"), XsndError);
  assert.throws(() => resolved(""), XsndError);
  assert.throws(() => resolveStream([], "domU"), xsndError(Exit.failed, /no stream "domU"; it serves none$/));
});

Deno.test("resolveStream() tells domains of one name apart by their numbers", () => {
  const streams = [3, 14].map((domid) => ({ stream: "domU/0/0/0", domid }));
  assert.throws(
    () => resolveStream(streams, "domU"),
    xsndError(Exit.usage, /"domU" could be 3\/0\/0\/0 or 14\/0\/0\/0; say which/),
  );
  assert.equal(resolveStream(streams, "14").domid, 14);
});

Deno.test("lines() splits what comes in any pieces, and gives up a line without end", async () => {
  const stream = (...chunks: string[]) =>
    ReadableStream.from(chunks.map((chunk) => new TextEncoder().encode(chunk)));
  assert.deepEqual(await Array.fromAsync(lines(stream("a", "b\nc\n\nd", "\ne"))), ["ab", "c", "", "d"]);
  const octets = [...new TextEncoder().encode("é\n")].map((octet) => Uint8Array.of(octet));
  assert.deepEqual(await Array.fromAsync(lines(ReadableStream.from(octets))), ["é"]);
  const endless = Array.from({ length: 40 }, () => "x".repeat(1 << 15));
  await assert.rejects(Array.fromAsync(lines(stream(...endless))), RangeError);
});

Deno.test("a request gets its answer, and an XsndError its message and exit code", () =>
  withSocket(async (path) => {
    using _server = await listen(path, (request) => {
      if (!("stream" in request)) return Promise.resolve(FINE);
      throw new XsndError(`no stream ${request.stream}`, Exit.timedOut);
    });
    using client = await ControlClient.connect(0);
    assert.deepEqual(await client.call(status), FINE);
    await assert.rejects(
      client.call({ command: "trigger", stream: "domU", trigger: "pause", waitMs: 0 }),
      xsndError(Exit.timedOut, /^no stream domU$/),
    );
    assert.deepEqual(await client.call(status), FINE, "the connection goes on");
  }));

Deno.test("the socket is for its owner alone", () =>
  withSocket(async (path) => {
    using _server = await listen(path, () => Promise.resolve(null));
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  }));

Deno.test("a client waits for a daemon that is only starting", () =>
  withSocket(async (path) => {
    const connecting = ControlClient.connect(20_000);
    await new Promise((resolve) => setTimeout(resolve, 30));
    using _server = await listen(path, () => Promise.resolve(LATE));
    using client = await connecting;
    assert.deepEqual(await client.call(status), LATE);
  }));

Deno.test("a client says that there is no daemon: no socket, or one that a dead daemon left", () =>
  withSocket(async (path) => {
    const message = /no daemon answers at .*control\.sock \(waited 0\.1 s\); start it with `xsnd serve`/;
    await assert.rejects(ControlClient.connect(100), xsndError(Exit.noDaemon, message));
    abandonSocket(path);
    await assert.rejects(ControlClient.connect(100), xsndError(Exit.noDaemon, message));
  }));

Deno.test("a request that comes while the daemon is only starting is answered when it has", () =>
  withSocket(async (path) => {
    using server = await ControlServer.listen(path);
    using client = await ControlClient.connect(0);
    const answer = client.call(status);
    await new Promise((resolve) => setTimeout(resolve, 30));
    server.serve(() => Promise.resolve(LATE));
    assert.deepEqual(await answer, LATE);
  }));

/** Leaves a socket at `path` without a listener, as a killed daemon does. */
function abandonSocket(path: string): void {
  Deno.mkdirSync(path.replace(/\/[^/]*$/, ""), { recursive: true });
  // A listener that closes removes its socket, unless the socket has moved.
  const listener = Deno.listen({ transport: "unix", path: `${path}.new` });
  Deno.renameSync(`${path}.new`, path);
  listener.close();
  assert(Deno.statSync(path).isSocket);
}

Deno.test("a server takes the place of a dead one, not of a live one", () =>
  withSocket(async (path) => {
    abandonSocket(path);
    using _server = await listen(path, () => Promise.resolve(FIRST));
    await assert.rejects(
      listen(path, () => Promise.resolve(LATE)),
      xsndError(Exit.failed, /a daemon is already running: it answers at .*control\.sock/),
    );
    using client = await ControlClient.connect(0);
    assert.deepEqual(await client.call(status), FIRST);
  }));

Deno.test("a server listens though one that ends removes its socket before it is at its path", () =>
  withSocket(async (path) => {
    (await listen(path, () => Promise.resolve(FINE)))[Symbol.dispose]();
    const remove = `while :; do rm -f '${path}~'; done`;
    const remover = new Deno.Command("sh", { args: ["-c", remove] }).spawn();
    try {
      for (let i = 0; i < 200; i++) {
        using _server = await listen(path, () => Promise.resolve(FINE));
        using client = await ControlClient.connect(0);
        assert.deepEqual(await client.call(status), FINE);
      }
    } finally {
      remover.kill();
      await remover.status;
    }
  }));

Deno.test("a socket that is closed before it accepts a connection is nobody's: for clients, daemons, and those that stand by", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/control.sock`;
  const message = new RegExp(`no daemon answers at ${path}; start it with \`xsnd serve\``);
  try {
    for (let i = 0; i < 20; i++) {
      // connect(2) itself succeeds, and the connection is reset: ECONNRESET.
      const closing = () => Deno.listen({ transport: "unix", path });
      let listener = closing();
      const connecting = ControlClient.connect(0, path);
      listener.close();
      await assert.rejects(connecting, xsndError(Exit.noDaemon, message));
      for (const asks of [isServed, isServedAt]) {
        listener = closing();
        const served = asks(path);
        listener.close();
        assert.equal(await served, false);
      }
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a server takes the place of no file that is not a socket", () =>
  withSocket(async (path) => {
    const directory = path.replace(/\/deeper\/.*/, "");
    const file = `${directory}/precious`;
    Deno.writeTextFileSync(file, "kept");
    Deno.symlinkSync(file, `${directory}/link`);
    for (const taken of [file, `${directory}/link`, directory]) {
      await assert.rejects(
        ControlServer.listen(taken),
        xsndError(Exit.failed, /cannot listen at .* no socket is there/),
      );
    }
    await assert.rejects(
      ControlServer.listen(`${file}/control.sock`),
      xsndError(Exit.failed, /cannot listen at/),
    );
    await assert.rejects(
      ControlServer.listen(`${path}${"x".repeat(200)}`),
      xsndError(Exit.failed, /cannot listen at/),
    );
    assert.equal(Deno.readTextFileSync(file), "kept");
  }));

Deno.test("a client says so where no daemon can be", () =>
  withSocket(async (path) => {
    for (const nowhere of ["/dev/null/control.sock", `${path}${"x".repeat(200)}`]) {
      Deno.env.set("XSND_CONTROL", nowhere);
      await assert.rejects(ControlClient.connect(0), xsndError(Exit.noDaemon, /cannot reach a daemon at/));
    }
  }));

Deno.test("a server that is gone has taken its socket and its connections along", () =>
  withSocket(async (path) => {
    const server = await listen(path, () => Promise.resolve(FINE));
    using client = await ControlClient.connect(0);
    await client.call(status);
    server[Symbol.dispose]();
    assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
    await assert.rejects(client.call(status), xsndError(Exit.noDaemon, /hung up without an answer/));
  }));

Deno.test("a server that ends hangs up, refuses clients, and leaves its place to no other before it is gone", () =>
  withSocket(async (path) => {
    const server = await listen(path, () => Promise.resolve(FINE));
    using early = await ControlClient.connect(0);
    await early.call(status);
    server.end();
    await assert.rejects(early.call(status), xsndError(Exit.noDaemon, /hung up without an answer/));
    using late = await ControlClient.connect(0);
    await assert.rejects(
      late.call(status),
      xsndError(Exit.noDaemon, /^the daemon is ending; start it again/),
    );
    await assert.rejects(
      listen(path, () => Promise.resolve(LATE)),
      xsndError(Exit.failed, /a daemon is already running: it answers at .*control\.sock/),
    );
    server[Symbol.dispose]();
    using _next = await listen(path, () => Promise.resolve(LATE));
    using client = await ControlClient.connect(0);
    assert.deepEqual(await client.call(status), LATE);
  }));

Deno.test("a server can end though a client has gone while its request was under way", () =>
  withSocket(async (path) => {
    const asked = Promise.withResolvers<void>();
    const server = await listen(path, () => {
      asked.resolve();
      return new Promise(() => {});
    });
    {
      using connection = await Deno.connect({ transport: "unix", path });
      await connection.write(new TextEncoder().encode(`${JSON.stringify(status)}\n`));
      await asked.promise;
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
    server[Symbol.dispose]();
  }));

Deno.test("a server answers what is no request, and stays alive for others", () =>
  withSocket(async (path) => {
    const logged: unknown[] = [];
    await configure({
      sinks: { all: ({ message }) => logged.push(message) },
      loggers: [
        { category: "xsnd", lowestLevel: "info", sinks: ["all"] },
        { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["all"] },
      ],
    });
    await using _logging = { [Symbol.asyncDispose]: reset };
    let handled = 0;
    using _server = await listen(path, () => Promise.resolve(report(++handled)));
    using client = await ControlClient.connect(0);
    for (
      const [text, error] of [
        ["{]", /not JSON/],
        ["[".repeat(100_000), /not JSON/],
        ["null", /expected an object/],
        ["7", /expected an object/],
        ['"status"', /expected an object/],
        ["[]", /expected an object/],
        ["{}", /command: expected one of status, watch, trigger/],
        ['{"command":null}', /command: expected one of/],
        ['{"command":"dance"}', /command: expected one of/],
        ['{"command":"__proto__"}', /command: expected one of/],
        ['{"command":"status","stream":"domU"}', /"stream"/],
        ['{"command":"volume","volume":"1"}', /stream: expected a stream/],
        [
          '{"command":"volume","stream":"domU","volume":"1","waitMs":0}',
          /volume: expected dB, from -120 to 12/,
        ],
        ['{"command":"volume","stream":"domU","volume":[3],"waitMs":0}', /volume: expected dB/],
        ['{"command":"volume","stream":"domU","volume":12.1,"waitMs":0}', /volume: expected dB/],
        ['{"command":"volume","stream":"domU","volume":1e999,"waitMs":0}', /volume: expected dB/],
        ['{"command":"volume","stream":"domU","muted":"no","waitMs":0}', /muted: .*boolean/],
        ['{"command":"volume","stream":"domU","mute":true,"waitMs":0}', /"mute"/],
        ['{"command":"trigger","stream":{},"trigger":"pause","waitMs":0}', /stream: expected a stream/],
        ['{"command":"trigger","stream":"domU","trigger":"toString","waitMs":0}', /trigger: .*"pause"/],
        ['{"command":"wait","stream":"domU","goal":"connected","waitMs":0}', /goal: .*"open"/],
        ['{"command":"wait","stream":"domU","goal":"open"}', /waitMs: expected milliseconds/],
        ['{"command":"wait","stream":"domU","goal":"open","waitMs":-1}', /waitMs: expected milliseconds/],
        [
          '{"command":"wait","stream":"domU","goal":"open","waitMs":1e15}',
          /waitMs: .*no request waits longer/,
        ],
        [`{"command":"trace","stream":"${"x".repeat(2000)}","waitMs":0}`, /stream: /],
      ] as const
    ) {
      const [answer] = await send(path, `${text}\n`, 1);
      const { ok, error: message, exitCode } = JSON.parse(answer!);
      assert.deepEqual([ok, exitCode], [false, Exit.usage], text);
      assert.match(message, error);
    }
    assert.equal(handled, 0, "none of it is carried out");
    assert.deepEqual(logged, [], "a client fills no log");
    assert.deepEqual(await send(path, new Uint8Array(1 << 21).fill(0x78), 1), [], "cut off");
    await send(path, '{"command":"sta', 0); // the client hangs up in the middle of a line
    assert.deepEqual(await client.call(status), report(1));
  }));

Deno.test("an answer of many parts ends when the client has enough, and the next request is answered", () =>
  withSocket(async (path) => {
    const LAST = report(1e9);
    using _server = await listen(path, (request, gone) => {
      if (request.command === "status") return Promise.resolve(FINE);
      return Promise.resolve((async function* () {
        for (let part = 0; !gone.aborted; part++) {
          yield report(part);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        yield LAST;
      })());
    });
    using client = await ControlClient.connect(0);
    const parts: number[] = [];
    for await (const { pid } of client.parts({ command: "watch" })) {
      parts.push(pid);
      if (pid === 3) await client.enough();
      if (pid === LAST.pid) break;
    }
    assert.deepEqual(parts.slice(0, 4), [0, 1, 2, 3]);
    assert.deepEqual(await client.call(status), FINE);
  }));

Deno.test("a server answers several clients at once, each in its order", () =>
  withSocket(async (path) => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => release = resolve);
    using _server = await listen(path, async (request) => {
      if (!("stream" in request)) return FINE;
      await gate;
      throw new XsndError(request.stream);
    });
    using slow = await ControlClient.connect(0);
    using quick = await ControlClient.connect(0);
    const waiting = slow.call({ command: "trigger", stream: "domU", trigger: "pause", waitMs: 0 });
    assert.deepEqual(await quick.call(status), FINE);
    release();
    await assert.rejects(waiting, xsndError(Exit.failed, /^domU$/));
    const both = await send(path, `${JSON.stringify(status)}\n${JSON.stringify(status)}\n`, 2);
    const answer = { version: CONTROL_VERSION, ok: true, result: FINE };
    assert.deepEqual(both.map((line) => JSON.parse(line)), [answer, answer]);
  }));

Deno.test("what the handler throws by mistake is an answer, and no end of the daemon", () =>
  withSocket(async (path) => {
    using _server = await listen(path, () => Promise.reject(new TypeError("a defect")));
    using client = await ControlClient.connect(0);
    await assert.rejects(client.call(status), xsndError(Exit.failed, /the daemon failed: a defect/));
  }));

/** A request that waits until its client hangs up. */
const waiting: ControlRequest = { command: "wait", stream: "domU", goal: "open", waitMs: MAX_WAIT_MS };

/** Answers `status` at once. Every other request ends when its client hangs up. `asked` and `given` count them. */
function patient() {
  const counts = { asked: 0, given: 0 };
  const handler: ControlHandler = async ({ command }, gone) => {
    if (command === "status") return FINE;
    counts.asked++;
    await new Promise((resolve) => gone.addEventListener("abort", resolve));
    counts.given++;
    throw new XsndError("given up", Exit.interrupted);
  };
  return { counts, handler };
}

/** Connects, and sends each request as a line. */
async function connect(path: string, ...requests: ControlRequest[]): Promise<Deno.UnixConn> {
  const connection = await Deno.connect({ transport: "unix", path });
  const text = requests.map((request) => `${JSON.stringify(request)}\n`).join("");
  await connection.write(new TextEncoder().encode(text));
  return connection;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

Deno.test("a client that hangs up takes its request along, and leaves its place", () =>
  withSocket(async (path) => {
    const { counts, handler } = patient();
    using _server = await listen(path, handler);
    for (let round = 1; round <= 2; round++) {
      const clients = await Promise.all(Array.from({ length: 64 }, () => connect(path, waiting)));
      await until(() => counts.asked === 64 * round);
      using late = await ControlClient.connect(0);
      // Clients are refused in order. Once a later client is refused, `late` is refused too and its request stays unread.
      assert.equal((await send(path, "", Infinity)).length, 1);
      await assert.rejects(
        late.call(status),
        xsndError(Exit.failed, /^the daemon has 64 clients already; try/),
      );
      for (const client of clients) client.close();
      await until(() => counts.given === 64 * round);
    }
    using client = await ControlClient.connect(0);
    assert.deepEqual(await client.call(status), FINE);
  }));

Deno.test("a line ends the request before it that waits, so that none is behind one", () =>
  withSocket(async (path) => {
    const { handler } = patient();
    using _server = await listen(path, handler);
    using connection = await connect(path, waiting, status);
    const answers = await Array.fromAsync(take(lines(received(connection)), 2), (line) => JSON.parse(line));
    assert.deepEqual(answers, [
      { version: CONTROL_VERSION, ok: false, error: "given up", exitCode: Exit.interrupted },
      { version: CONTROL_VERSION, ok: true, result: FINE },
    ]);
  }));

async function* take<T>(source: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  for await (const thing of source) {
    yield thing;
    if (--count === 0) return;
  }
}

Deno.test("a client that has said all that it will still has its answer", () =>
  withSocket(async (path) => {
    using _server = await listen(path, () => new Promise((resolve) => setTimeout(resolve, 20, LATE)));
    using connection = await connect(path, status);
    await connection.closeWrite();
    const answers = await Array.fromAsync(lines(received(connection)), (line) => JSON.parse(line));
    assert.deepEqual(answers, [{ version: CONTROL_VERSION, ok: true, result: LATE }]);
  }));

Deno.test("a request whose client has gone while the daemon was only starting is not carried out", () =>
  withSocket(async (path) => {
    using server = await ControlServer.listen(path);
    (await connect(path, { command: "volume", stream: "domU", muted: true, waitMs: 1000 })).close();
    using client = await ControlClient.connect(0);
    const answer = client.call(status);
    // By then the server has read both requests and the hang-up.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const handled: string[] = [];
    server.serve(({ command }) => {
      handled.push(command);
      return Promise.resolve(FINE);
    });
    await answer;
    assert.deepEqual(handled, ["status"]);
  }));

Deno.test("a client that asks for nothing is told so, and let go; one that has asked may take its time", () =>
  withSocket(async (path) => {
    using server = await ControlServer.listen(path, undefined, 200);
    server.serve(() => Promise.resolve(FINE));
    using client = await ControlClient.connect(0);
    assert.deepEqual(await client.call(status), FINE);
    for (const text of ["", "\n\n\n", '{"command":']) {
      const [answer, ...more] = await send(path, text, Infinity);
      assert.deepEqual(JSON.parse(answer!), {
        version: CONTROL_VERSION,
        ok: false,
        error: "no request came within 0.2 s",
        exitCode: Exit.failed,
      });
      assert.deepEqual(more, []);
    }
    assert.deepEqual(await client.call(status), FINE);
  }));

Deno.test("however many lines come at once, others have their turn between them", async () => {
  const LINES = 10_000;
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  let count = 0;
  const text = new TextEncoder().encode("\n".repeat(LINES / 4));
  for await (const _ of lines(ReadableStream.from([text, text, text, text]))) count++;
  clearInterval(timer);
  assert.equal(count, LINES);
  assert(turns > LINES / 1000, `${turns} turns of the event loop in ${count} lines`);
});

Deno.test("however many requests come at once, others have their turn after each", () =>
  withSocket(async (path) => {
    const REQUESTS = 500;
    let turns = 0;
    let [handled, most, before] = [0, 0, 0];
    using _server = await listen(path, () => Promise.resolve(++handled));
    const timer = setInterval(() => {
      turns++;
      most = Math.max(most, handled - before);
      before = handled;
    }, 0);
    const answers = await send(path, `${JSON.stringify(status)}\n`.repeat(REQUESTS), REQUESTS);
    clearInterval(timer);
    assert.equal(answers.length, REQUESTS);
    assert(most < 20, `${most} requests in one of ${turns} turns of the event loop`);
  }));

Deno.test({
  name: "members of the daemon's group leave places to root, however many they are (needs root)",
  ignore: Deno.uid() !== 0,
  fn: () =>
    withSocket(async (path) => {
      const GROUP = "daemon";
      Deno.chmodSync(path.replace(/\/deeper\/.*/, ""), 0o755);
      using server = await ControlServer.listen(path, GROUP);
      server.serve((_, gone) =>
        new Promise((resolve) => gone.addEventListener("abort", () => resolve(null)))
      );
      // Connects 64 clients, keeps them open, and prints the answer to the 64th.
      const members = new Deno.Command("setpriv", {
        args: ["--reuid=nobody", "--regid=nogroup", `--groups=${GROUP}`, "perl", "-e", MEMBERS, path],
        cwd: "/",
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const said = lines(members.stdout);
      assert.match(
        (await said.next()).value!,
        /"the daemon has 56 clients already, and keeps 8 places for root; /,
      );
      const roots = await Promise.all(Array.from({ length: 8 }, () => connect(path, waiting)));
      using late = await ControlClient.connect(0);
      await assert.rejects(
        late.call(status),
        xsndError(Exit.failed, /^the daemon has 64 clients already; try/),
      );
      for (const root of roots) root.close();
      await members.stdin.close();
      await said.return(undefined);
      await members.status;
    }),
});

const MEMBERS = `
  use IO::Socket::UNIX;
  my @clients = map { IO::Socket::UNIX->new(Peer => $ARGV[0]) or die } 1 .. 64;
  print {$clients[0]} qq({"command":"status"}\n);
  $| = 1;
  print readline $clients[63];
  <STDIN>;
`;

Deno.test("forThisUserAlone() binds a socket that nobody else could connect to for a moment", () => {
  const directory = Deno.makeTempDirSync();
  try {
    const path = `${directory}/socket`;
    using _listener = forThisUserAlone(() => Deno.listen({ transport: "unix", path }));
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

/** Answers every line with `answer`. */
async function answering(path: string, answer: string, body: () => Promise<void>): Promise<void> {
  Deno.mkdirSync(path.replace(/\/[^/]*$/, ""), { recursive: true });
  using listener = Deno.listen({ transport: "unix", path });
  const serving = (async () => {
    using connection = await listener.accept();
    for await (const _ of lines(received(connection))) {
      await connection.write(new TextEncoder().encode(`${answer}\n`));
    }
  })();
  await body();
  await serving;
}

const OTHER_DAEMONS:
  readonly (readonly [what: string, answer: unknown, exitCode: ExitCode, error: RegExp])[] = [
    [
      "of version 1, which says none",
      { ok: true, result: { ...FINE, version: 1 } },
      Exit.failed,
      /^the daemon speaks version 1 of the control protocol, and xsnd \S+ speaks version 2; restart the daemon/,
    ],
    [
      "of a later version",
      { version: 3, ok: true, result: FINE },
      Exit.failed,
      /^the daemon speaks version 3 of the control protocol/,
    ],
    [
      "of a later version that refuses",
      { version: 3, ok: false, error: "no such thing", exitCode: Exit.usage },
      Exit.usage,
      /^no such thing; the daemon speaks version 3 of the control protocol/,
    ],
    [
      "of this version, with a field of another type",
      { version: 2, ok: true, result: { ...FINE, streams: [{ stream: 7 }] } },
      Exit.failed,
      /^the daemon's answer to "status" is not of version 2 .*: result\.streams\.0\.stream: .*another version than xsnd/,
    ],
    [
      "with an exit code that xsnd does not have",
      { version: 2, ok: false, error: "so be it", exitCode: 0 },
      Exit.failed,
      /^so be it$/,
    ],
    ["that is none", { hello: "world" }, Exit.failed, /^what answers "status" is no xsnd daemon/],
  ];

for (const [what, answer, exitCode, error] of OTHER_DAEMONS) {
  Deno.test(`a client says what is the matter with a daemon ${what}`, () =>
    withSocket((path) =>
      answering(path, JSON.stringify(answer), async () => {
        using client = await ControlClient.connect(0);
        await assert.rejects(client.call(status), xsndError(exitCode, error));
      })
    ));
}

Deno.test("a client says what is the matter with a daemon that answers no JSON", () =>
  withSocket((path) =>
    answering(path, "HTTP/1.1 400 Bad Request", async () => {
      using client = await ControlClient.connect(0);
      await assert.rejects(client.call(status), xsndError(Exit.failed, /is no xsnd daemon/));
    })
  ));

Deno.test("a client passes on a field that was added under its version", () =>
  withSocket((path) =>
    answering(path, JSON.stringify({ version: 2, ok: true, result: { ...FINE, mood: "good" } }), async () => {
      using client = await ControlClient.connect(0);
      assert.deepEqual(await client.call(status), { ...FINE, mood: "good" });
    })
  ));
