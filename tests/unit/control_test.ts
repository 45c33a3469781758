/** The control socket: both ends, and clients and daemons that do not behave. */
import assert from "node:assert/strict";
import { ControlClient } from "../../lib/control/client.ts";
import { lines } from "../../lib/control/lines.ts";
import { type ControlRequest, controlSocketPath, resolveStream } from "../../lib/control/protocol.ts";
import { type ControlHandler, ControlServer, forThisUserAlone } from "../../lib/control/server.ts";
import { Exit, type ExitCode, XsndError } from "../../lib/error.ts";

/** Runs `body` with the variables of `env` set (or unset), and puts them back. */
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

/** Runs `body` with a directory in which `XSND_CONTROL` names a socket that may come to be. */
async function withSocket(body: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/deeper/control.sock`;
    await withEnv({ XSND_CONTROL: path }, () => body(path));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** A server that does what `handler` says. */
async function listen(path: string, handler: ControlHandler): Promise<ControlServer> {
  const server = await ControlServer.listen(path);
  server.serve(handler);
  return server;
}
const status: ControlRequest = { command: "status" };

/** Whether `error` is an XsndError with this exit code and message. */
function xsndError(exitCode: ExitCode, message: RegExp) {
  return (error: unknown) => {
    assert(error instanceof XsndError, String(error));
    assert.match(error.message, message);
    assert.equal(error.exitCode, exitCode);
    return true;
  };
}

/** Sends `octets` as they are; returns all that comes back until the server hangs up or `count` lines are there. */
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
  assert.equal(resolveStream(names, "domU/0/0/0"), "domU/0/0/0");
  assert.equal(resolveStream(names, "domU/0/0"), "domU/0/0/0");
  assert.equal(resolveStream(names, "domU2"), "domU2/0/0/0");
  assert.equal(resolveStream(names, "domU/10"), "domU/10/0/0");
  assert.throws(
    () => resolveStream(names, "domU/0/1"),
    xsndError(Exit.usage, /"domU\/0\/1" could be domU\/0\/1\/0 or domU\/0\/1\/1; say which/),
  );
  assert.throws(
    () => resolveStream(names, "domU/1"),
    xsndError(Exit.failed, /no stream "domU\/1" \(did you mean domU\/0\?\); it serves domU/),
  );
  assert.throws(() => resolveStream(names, "dom"), XsndError);
  assert.throws(() => resolveStream(names, ""), XsndError);
  assert.throws(() => resolveStream([], "domU"), xsndError(Exit.failed, /no stream "domU"; it serves none$/));
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
      if (!("stream" in request)) return Promise.resolve({ streams: [] });
      throw new XsndError(`no stream ${request.stream}`, Exit.timedOut);
    });
    using client = await ControlClient.connect(0);
    assert.deepEqual(await client.call(status), { streams: [] });
    await assert.rejects(
      client.call({ command: "trigger", stream: "domU", trigger: "pause", waitMs: 0 }),
      xsndError(Exit.timedOut, /^no stream domU$/),
    );
    assert.deepEqual(await client.call(status), { streams: [] }, "the connection goes on");
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
    using _server = await listen(path, () => Promise.resolve("late"));
    using client = await connecting;
    assert.equal(await client.call(status), "late");
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
    server.serve(() => Promise.resolve("ready"));
    assert.equal(await answer, "ready");
  }));

/** Leaves a socket at `path` that nobody listens at, as a killed daemon does. */
function abandonSocket(path: string): void {
  Deno.mkdirSync(path.replace(/\/[^/]*$/, ""), { recursive: true });
  // A listener takes its socket along, if it is where it was.
  const listener = Deno.listen({ transport: "unix", path: `${path}.new` });
  Deno.renameSync(`${path}.new`, path);
  listener.close();
  assert(Deno.statSync(path).isSocket);
}

Deno.test("a server takes the place of a dead one, not of a live one", () =>
  withSocket(async (path) => {
    abandonSocket(path);
    using _server = await listen(path, () => Promise.resolve("first"));
    await assert.rejects(
      listen(path, () => Promise.resolve("second")),
      xsndError(Exit.failed, /a daemon is already running: it answers at .*control\.sock/),
    );
    using client = await ControlClient.connect(0);
    assert.equal(await client.call(status), "first");
  }));

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
    const server = await listen(path, () => Promise.resolve(null));
    using client = await ControlClient.connect(0);
    await client.call(status);
    server[Symbol.dispose]();
    assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
    await assert.rejects(client.call(status), xsndError(Exit.noDaemon, /hung up without an answer/));
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
    using _server = await listen(path, (request) => {
      if (request.command !== "status") {
        throw new XsndError(`the daemon knows no ${request.command}`, Exit.usage);
      }
      return Promise.resolve("fine");
    });
    using client = await ControlClient.connect(0);
    for (
      const [text, error] of [["{]\n", "not JSON; write one JSON object a line"], [
        '{"command":"dance"}\n',
        "knows no",
      ]]
    ) {
      const [answer] = await send(path, text, 1);
      const { ok, error: message, exitCode } = JSON.parse(answer);
      assert.deepEqual([ok, exitCode], [false, Exit.usage]);
      assert.match(message, new RegExp(error));
    }
    for (const text of ["null\n", "7\n", '"status"\n', "[]\n"]) {
      assert.equal(JSON.parse((await send(path, text, 1))[0]).ok, false, text);
    }
    assert.deepEqual(await send(path, new Uint8Array(1 << 21).fill(0x78), 1), [], "cut off");
    await send(path, '{"command":"sta', 0); // and gone in the middle of a line
    assert.equal(await client.call(status), "fine");
  }));

Deno.test("an answer of many parts ends when the client has enough, and the next request is answered", () =>
  withSocket(async (path) => {
    using _server = await listen(path, (request, gone) => {
      if (request.command === "status") return Promise.resolve("fine");
      return Promise.resolve((async function* () {
        for (let part = 0; !gone.aborted; part++) {
          yield part;
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        yield "that was all";
      })());
    });
    using client = await ControlClient.connect(0);
    const parts: unknown[] = [];
    for await (const part of client.parts({ command: "watch" })) {
      parts.push(part);
      if (part === 3) await client.enough();
      if (part === "that was all") break;
    }
    assert.deepEqual(parts.slice(0, 4), [0, 1, 2, 3]);
    assert.equal(await client.call(status), "fine");
  }));

Deno.test("a server answers several clients at once, each in its order", () =>
  withSocket(async (path) => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => release = resolve);
    using _server = await listen(path, async (request) => {
      if (!("stream" in request)) return "now";
      await gate;
      return request.stream;
    });
    using slow = await ControlClient.connect(0);
    using quick = await ControlClient.connect(0);
    const waiting = slow.call({ command: "trigger", stream: "domU", trigger: "pause", waitMs: 0 });
    assert.equal(await quick.call(status), "now");
    release();
    assert.equal(await waiting, "domU");
    const both = await send(path, `${JSON.stringify(status)}\n${JSON.stringify(status)}\n`, 2);
    assert.deepEqual(both.map((line) => JSON.parse(line)), [{ ok: true, result: "now" }, {
      ok: true,
      result: "now",
    }]);
  }));

Deno.test("what the handler throws by mistake is an answer, and no end of the daemon", () =>
  withSocket(async (path) => {
    using _server = await listen(path, () => Promise.reject(new TypeError("a defect")));
    using client = await ControlClient.connect(0);
    await assert.rejects(client.call(status), xsndError(Exit.failed, /the daemon failed: a defect/));
  }));

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
