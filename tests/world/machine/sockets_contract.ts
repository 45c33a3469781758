// SPDX-License-Identifier: MIT
/**
 * What a program may expect of UNIX sockets and files, as test cases that Deno's own and the virtual machine's pass alike. The
 * virtual ones stand for the real ones in the world, and are worth no more than these cases.
 */
import assert from "node:assert/strict";

/** Where the cases run. */
export interface Platform {
  /** An empty directory. */
  readonly directory: string;
  /** Waits. */
  pause(ms: number): Promise<void>;
}

/** Longer than anything takes that is to happen, and shorter than a test may take. */
const MOMENT_MS = 30;

interface ContractCase {
  readonly name: string;
  run(platform: Platform): Promise<void>;
}

type Listener = Deno.UnixListener;
type Conn = Deno.UnixConn;

/** The class and the message of the error that `work` ends with. */
async function problem(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    assert(error instanceof Error);
    return `${error.name}: ${error.message.replaceAll(/'[^']*\//g, "'")}`;
  }
  throw new assert.AssertionError({ message: "there is no error" });
}

/** What has become of `work` by now. */
function watched<T>(work: Promise<T>): { outcome: string } {
  const state = { outcome: "pending" };
  work.then((value) => state.outcome = String(value), (error) => state.outcome = error.name);
  return state;
}

function listen({ directory }: Platform, name = "socket"): Listener {
  return Deno.listen({ transport: "unix", path: `${directory}/${name}` });
}

function connect({ directory }: Platform, name = "socket"): Promise<Conn> {
  return Deno.connect({ transport: "unix", path: `${directory}/${name}` });
}

/** A connection: the client's end and the server's. */
async function pair(platform: Platform, listener: Listener): Promise<[Conn, Conn]> {
  return await Promise.all([connect(platform), listener.accept()]);
}

async function read(connection: Conn, most = 100): Promise<string | null> {
  const buffer = new Uint8Array(most);
  const count = await connection.read(buffer);
  return count === null ? null : new TextDecoder().decode(buffer.subarray(0, count));
}

function write(connection: Conn, text: string): Promise<number> {
  return connection.write(new TextEncoder().encode(text));
}

/** Writes until the other end's buffer is full; returns how many octets went. */
async function fill(
  platform: Platform,
  connection: Conn,
): Promise<{ octets: number; last: { outcome: string } }> {
  const part = new Uint8Array(50_000).fill(0x78);
  for (let octets = 0;;) {
    const last = watched(connection.write(part));
    await platform.pause(MOMENT_MS);
    if (last.outcome === "pending") return { octets, last };
    octets += Number(last.outcome);
    assert(octets < 1 << 22, "the buffer has no bound");
  }
}

export const SOCKETS_CONTRACT: readonly ContractCase[] = [
  {
    name: "connect() and listen() say what is the matter with a path",
    async run(platform) {
      const { directory } = platform;
      using file = Deno.createSync(`${directory}/file`);
      assert.equal(file.writeSync(Uint8Array.of(1)), 1);
      assert.equal(
        await problem(() => connect(platform)),
        "NotFound: No such file or directory (os error 2)",
      );
      assert.equal(
        await problem(() => connect(platform, "file")),
        "ConnectionRefused: Connection refused (os error 111)",
      );
      assert.equal(
        await problem(() => connect(platform, "file/x")),
        "NotADirectory: Not a directory (os error 20)",
      );
      assert.equal(
        await problem(() => listen(platform, "no/x")),
        "NotFound: No such file or directory (os error 2)",
      );
      assert.equal(
        await problem(() => listen(platform, "file")),
        "AddrInUse: Address already in use (os error 98)",
      );
      const long = "x".repeat(120);
      assert.equal(
        await problem(() => listen(platform, long)),
        "TypeError: path must be shorter than SUN_LEN",
      );
      assert.equal(
        await problem(() => connect(platform, long)),
        "TypeError: path must be shorter than SUN_LEN",
      );
    },
  },
  {
    name: "a socket's file is there from listen() to close()",
    async run(platform) {
      const path = `${platform.directory}/socket`;
      const listener = listen(platform);
      assert.equal(listener.addr.path, path);
      const info = Deno.lstatSync(path);
      assert.deepEqual([info.isSocket, info.isFile, info.isDirectory], [true, false, false]);
      assert.equal(await problem(() => listen(platform)), "AddrInUse: Address already in use (os error 98)");
      assert.match(
        await problem(() => Deno.openSync(path)),
        /^Error: No such device or address \(os error 6\)/,
      );
      listener.close();
      assert.equal(
        await problem(() => Deno.lstatSync(path)),
        "NotFound: No such file or directory (os error 2): lstat 'socket'",
      );
      assert.equal(await problem(() => listener.close()), "BadResource: Bad resource ID");
    },
  },
  {
    name: "a listener that closes removes whatever is at its path",
    async run(platform) {
      const former = listen(platform);
      Deno.removeSync(`${platform.directory}/socket`);
      using _next = listen(platform);
      former.close();
      assert.match(await problem(() => connect(platform)), /^NotFound/);
    },
  },
  {
    name: "what one end writes the other reads, in order and in whatever pieces",
    async run(platform) {
      using listener = listen(platform);
      const [client, server] = await pair(platform, listener);
      assert.equal(client.remoteAddr.path, `${platform.directory}/socket`);
      assert.equal(server.localAddr.path, `${platform.directory}/socket`);
      assert.equal(await write(client, "Hello, "), 7);
      assert.equal(await write(client, "world"), 5);
      assert.equal(await read(server, 3), "Hel");
      assert.equal(await read(server), "lo, world");
      assert.equal(await server.read(new Uint8Array()), 0);
      const waiting = watched(read(server));
      await platform.pause(MOMENT_MS);
      assert.equal(waiting.outcome, "pending");
      await write(client, "late");
      await platform.pause(MOMENT_MS);
      assert.equal(waiting.outcome, "late");
      await write(server, "back");
      assert.equal(await read(client), "back");
      client.close();
      server.close();
    },
  },
  {
    name: "two reads, and two writes, at a time are done in their order",
    async run(platform) {
      using listener = listen(platform);
      const [client, server] = await pair(platform, listener);
      const reads = Promise.all([read(server, 2), read(server, 2), read(server, 2)]);
      assert.deepEqual(await Promise.all([write(client, "abc"), write(client, "def")]), [3, 3]);
      const pieces = await reads;
      assert.equal(pieces.join(""), "abcdef");
      client.close();
      server.close();
    },
  },
  {
    name: "an end that hangs up: the other reads what is left, then null, and cannot write",
    async run(platform) {
      using listener = listen(platform);
      const [client, server] = await pair(platform, listener);
      await write(client, "bye");
      client.close();
      assert.equal(await read(server), "bye");
      assert.equal(await read(server), null);
      assert.equal(await read(server), null);
      assert.equal(await problem(() => write(server, "x")), "BrokenPipe: Broken pipe (os error 32)");
      assert.equal(await problem(() => write(server, "")), "BrokenPipe: Broken pipe (os error 32)");
      await server.closeWrite();
      server.close();
      assert.equal(await problem(() => read(client)), "BadResource: Bad resource ID");
      assert.equal(await problem(() => write(client, "x")), "BadResource: Bad resource ID");
      assert.equal(await problem(() => client.close()), "BadResource: Bad resource ID");
      client[Symbol.dispose]();
    },
  },
  {
    name: "a read that waits ends when the other end hangs up, and when its own end is closed",
    async run(platform) {
      using listener = listen(platform);
      const [client, server] = await pair(platform, listener);
      const waiting = watched(read(client));
      server.close();
      await platform.pause(MOMENT_MS);
      assert.equal(waiting.outcome, "null");
      client.close();
      const [other, others] = await pair(platform, listener);
      const interrupted = watched(read(other));
      await platform.pause(MOMENT_MS);
      other.close();
      await platform.pause(MOMENT_MS);
      assert.equal(interrupted.outcome, "Interrupted");
      others.close();
    },
  },
  {
    name: "an end that is closed with something unread resets the connection",
    async run(platform) {
      using listener = listen(platform);
      const [client, server] = await pair(platform, listener);
      await write(client, "unread");
      await write(server, "answer");
      server.close();
      assert.equal(await read(client), "answer");
      assert.equal(
        await problem(() => read(client)),
        "ConnectionReset: Connection reset by peer (os error 104)",
      );
      assert.equal(await read(client), null);
      assert.match(await problem(() => write(client, "x")), /^BrokenPipe/);
      client.close();
    },
  },
  {
    name: "closeWrite() ends one direction",
    async run(platform) {
      using listener = listen(platform);
      const [client, server] = await pair(platform, listener);
      await write(client, "all");
      await client.closeWrite();
      assert.match(await problem(() => write(client, "x")), /^BrokenPipe/);
      assert.equal(await read(server), "all");
      assert.equal(await read(server), null);
      await write(server, "answer");
      assert.equal(await read(client), "answer");
      client.close();
      server.close();
    },
  },
  {
    name: "a buffer has a bound: a write waits until the reader has read, and may be short",
    async run(platform) {
      using listener = listen(platform);
      const [client, server] = await pair(platform, listener);
      const { octets, last } = await fill(platform, client);
      assert(octets > 50_000, `${octets}`);
      let got = 0;
      const buffer = new Uint8Array(1 << 16);
      while (got < octets) got += (await server.read(buffer))!;
      await platform.pause(MOMENT_MS);
      assert.equal(last.outcome, "50000");
      while (got < octets + 50_000) got += (await server.read(buffer))!;
      // More than the buffer has room for is written in part.
      const part = await client.write(new Uint8Array(1 << 20));
      assert(part > 50_000 && part < 1 << 20, `${part}`);
      client.close();
      server.close();
    },
  },
  {
    name: "a write that waits fails when the other end hangs up, and when its own end is closed",
    async run(platform) {
      using listener = listen(platform);
      const [client, server] = await pair(platform, listener);
      const { last } = await fill(platform, client);
      server.close();
      await platform.pause(MOMENT_MS);
      assert.equal(last.outcome, "BrokenPipe");
      client.close();
      const [other, others] = await pair(platform, listener);
      const { octets, last: interrupted } = await fill(platform, other);
      other.close();
      await platform.pause(MOMENT_MS);
      assert.equal(interrupted.outcome, "Interrupted");
      let got = 0;
      for (let text; (text = await read(others, 1 << 16)) !== null;) got += text.length;
      assert.equal(got, octets);
      others.close();
    },
  },
  {
    name: "a client may write before it is accepted; a listener that closes resets the others",
    async run(platform) {
      const listener = listen(platform);
      const early = await connect(platform);
      await write(early, "early");
      const late = await connect(platform);
      const gone = await connect(platform);
      gone.close();
      const accepted = await listener.accept();
      assert.equal(await read(accepted), "early");
      const waiting = watched(read(late));
      const accepting = Array.from({ length: 2 }, () => listener.accept());
      assert.equal((await accepting[0]!).localAddr.path, `${platform.directory}/socket`);
      await accepting[1];
      const never = await connect(platform);
      const unheard = watched(read(never));
      listener.close();
      await platform.pause(MOMENT_MS);
      assert.equal(waiting.outcome, "pending");
      assert.equal(unheard.outcome, "ConnectionReset");
      assert.match(await problem(() => write(never, "x")), /^BrokenPipe/);
      assert.equal(await problem(() => listener.accept()), "BadResource: Listener has been closed");
      for (const connection of [early, late, accepted, never, await accepting[0]!, await accepting[1]!]) {
        connection.close();
      }
    },
  },
  {
    name: "an accept that waits ends when its listener is closed",
    async run(platform) {
      const listener = listen(platform);
      const waiting = watched(listener.accept());
      await platform.pause(MOMENT_MS);
      assert.equal(waiting.outcome, "pending");
      listener.close();
      await platform.pause(MOMENT_MS);
      assert.equal(waiting.outcome, "BadResource");
    },
  },
];

export const FILES_CONTRACT: readonly ContractCase[] = [
  {
    name: "calls say what is the matter with a path",
    async run({ directory }) {
      Deno.createSync(`${directory}/file`).close();
      Deno.mkdirSync(`${directory}/full/deeper`, { recursive: true });
      const [none, file, through] = ["none", "file", "file/x"].map((name) => `${directory}/${name}`) as [
        string,
        string,
        string,
      ];
      for (
        const [work, error] of [
          [() => Deno.openSync(none), "NotFound: No such file or directory (os error 2): open 'none'"],
          [() => Deno.statSync(none), "NotFound: No such file or directory (os error 2): stat 'none'"],
          [() => Deno.lstatSync(none), "NotFound: No such file or directory (os error 2): lstat 'none'"],
          [() => Deno.removeSync(none), "NotFound: No such file or directory (os error 2): remove 'none'"],
          [
            () => Deno.chmodSync(none, 0o600),
            "NotFound: No such file or directory (os error 2): chmod 'none'",
          ],
          [
            () => Deno.chownSync(none, 0, 0),
            "NotFound: No such file or directory (os error 2): chown 'none'",
          ],
          [() => Deno.statSync(through), "NotADirectory: Not a directory (os error 20): stat 'x'"],
          [() => Deno.mkdirSync(file), "AlreadyExists: File exists (os error 17): mkdir 'file'"],
          [() => Deno.mkdirSync(directory), /^AlreadyExists: File exists \(os error 17\): mkdir '/],
          [() => Deno.mkdirSync(`${none}/x`), "NotFound: No such file or directory (os error 2): mkdir 'x'"],
          [() => Deno.mkdirSync(through), "NotADirectory: Not a directory (os error 20): mkdir 'x'"],
          [
            () => Deno.removeSync(`${directory}/full`),
            "Error: Directory not empty (os error 39): remove 'full'",
          ],
          [
            () => Deno.openSync(file, { write: true, createNew: true }),
            "AlreadyExists: File exists (os error 17): open 'file'",
          ],
          [
            () => Deno.openSync(none, { write: true }),
            "NotFound: No such file or directory (os error 2): open 'none'",
          ],
          [
            () => Deno.openSync(directory, { write: true }),
            /^IsADirectory: Is a directory \(os error 21\): open '/,
          ],
        ] as const
      ) {
        const said = await problem(work);
        if (typeof error === "string") assert.equal(said, error);
        else assert.match(said, error);
      }
    },
  },
  {
    name: "a file keeps what is written, and opened files have places of their own",
    async run({ directory }) {
      const path = `${directory}/file`;
      const octets = (text: string) => new TextEncoder().encode(text);
      {
        using file = Deno.createSync(path);
        file.writeSync(octets("one two"));
        assert.equal(file.readSync(new Uint8Array(4)), null);
      }
      assert.equal(Deno.readTextFileSync(path), "one two");
      using first = Deno.openSync(path);
      using second = Deno.openSync(path);
      const buffer = new Uint8Array(4);
      assert.equal(first.readSync(buffer), 4);
      assert.equal(first.readSync(buffer), 3);
      assert.equal(first.readSync(buffer), null);
      assert.equal(first.readSync(new Uint8Array()), 0);
      assert.equal(second.readSync(buffer), 4);
      assert.deepEqual(buffer, octets("one "));
      assert.equal(
        await problem(() => first.writeSync(octets("x"))),
        "Error: Bad file descriptor (os error 9)",
      );
      using writer = Deno.openSync(path, { write: true, append: true });
      writer.writeSync(octets("!"));
      assert.equal(await problem(() => writer.readSync(buffer)), "Error: Bad file descriptor (os error 9)");
      assert.equal(Deno.readTextFileSync(path), "one two!");
      Deno.removeSync(path);
      assert.equal(second.readSync(buffer), 4, "a file lives while it is open");
      const closed = Deno.createSync(path);
      closed.close();
      assert.equal(await problem(() => closed.readSync(buffer)), "BadResource: Bad resource ID");
      assert.equal(await problem(() => closed.close()), "BadResource: Bad resource ID");
    },
  },
  {
    name: "a directory can be opened and not read",
    async run({ directory }) {
      using file = Deno.openSync(directory);
      assert.equal(
        await problem(() => file.readSync(new Uint8Array(1))),
        "IsADirectory: Is a directory (os error 21)",
      );
    },
  },
  {
    name: "stat() tells kind, size, mode and owner, which chmod() and chown() change",
    async run({ directory }) {
      const path = `${directory}/file`;
      using file = Deno.createSync(path);
      file.writeSync(new Uint8Array(5));
      Deno.chmodSync(path, 0o640);
      Deno.chownSync(path, null, 7);
      const { isFile, isSocket, isFifo, size, mode, uid, gid } = Deno.statSync(path);
      assert.deepEqual([isFile, isSocket, isFifo, size, mode, uid, gid], [
        true,
        false,
        false,
        5,
        0o100640,
        0,
        7,
      ]);
      Deno.mkdirSync(`${directory}/new`, { mode: 0o700 });
      Deno.mkdirSync(`${directory}/new`, { recursive: true });
      const made = Deno.statSync(`${directory}/new`);
      assert.deepEqual([made.isDirectory, made.mode], [true, 0o40700]);
      await Promise.resolve();
    },
  },
];
