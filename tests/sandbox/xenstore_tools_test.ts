// SPDX-License-Identifier: MIT
/** Debian's XenStore tools and the real libxenstore test the embedded XenStore: their output, exit codes and watches. */
import assert from "node:assert/strict";
import { socketPath } from "../../lib/xen/embedded/layout.ts";
import { Sandbox } from "../../lib/xen/embedded/sandbox.ts";
import { openStore } from "../../lib/xen/store/library_store.ts";
import { StoreError } from "../../lib/xen/ports.ts";

let sandbox: Sandbox;
Deno.test.beforeAll(async () => void (sandbox = await Sandbox.start({ domains: ["domU", "domV"] })));
Deno.test.afterAll(() => sandbox.stop());

/** Runs `xenstore-TOOL ARGS` as domain `domid`. */
async function tool(domid: number, name: string, ...args: string[]) {
  const { code, stdout, stderr } = await command(domid, name, args).output();
  const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
  return { code, out: text(stdout), error: text(stderr) };
}

function command(domid: number, name: string, args: string[]): Deno.Command {
  return new Deno.Command(`xenstore-${name}`, {
    args,
    env: { XENSTORED_PATH: socketPath(sandbox.directory, domid) },
    stdout: "piped",
    stderr: "piped",
  });
}

/** The stdout of a tool that must succeed, with an empty stderr. */
async function ok(domid: number, name: string, ...args: string[]): Promise<string> {
  const { code, out, error } = await tool(domid, name, ...args);
  assert.deepEqual([code, error], [0, ""], `xenstore-${name} ${args.join(" ")}`);
  return out;
}

/** A running xenstore-watch, read line by line. */
class Watching implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(domid: number, ...args: string[]) {
    this.#process = command(domid, "watch", args).spawn();
    this.#lines = lines(this.#process.stdout);
  }

  async next(): Promise<string> {
    const { value } = await this.#lines.next();
    return value ?? "(the end)";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill();
    await this.#lines.return?.();
    await this.#process.stderr.cancel();
    await this.#process.status;
  }
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}

Deno.test("xenstore-write, -read, -list, -exists and -rm agree with each other", async () => {
  await ok(0, "write", "/t/a", "one", "/t/b/c", "two words", "/t/empty", "");
  assert.equal(await ok(0, "read", "/t/a", "/t/b/c", "/t/empty"), "one\ntwo words\n\n");
  assert.equal(await ok(0, "list", "/t"), "a\nb\nempty\n");
  assert.equal(await ok(0, "exists", "/t/b"), "");
  await ok(0, "rm", "/t/b");
  assert.equal((await tool(0, "exists", "/t/b")).code, 1);
  assert.match((await tool(0, "read", "/t/b/c")).error, /couldn't read path \/t\/b\/c/);
  await ok(0, "rm", "-t", "/t/a");
  assert.equal(await ok(0, "list", "/t"), "empty\n");
});

Deno.test("xenstore-ls shows what xl leaves of a guest, with its rights", async () => {
  const listing = await ok(0, "ls", "-f", "-p", "/local/domain/1");
  const nodes = new Map(
    [...listing.matchAll(/^(\S+) = (".*?") +\((.*)\)$/gm)].map((
      [, path, value, rights],
    ) => [path, `${value} ${rights}`]),
  );
  assert.equal(nodes.size, listing.trimEnd().split("\n").length);
  const expected = {
    name: '"domU" n0,r1',
    domid: '"1" n0,r1',
    vm: '"/vm/00000000-0000-4000-8000-000000000001" n0,r1',
    device: '"" n0,r1',
    "device/suspend/event-channel": '"" n1',
    control: '"" n0,r1',
    "control/shutdown": '"" n1',
    data: '"" n1',
    drivers: '"" n1',
    feature: '"" n1',
    attr: '"" n1',
    error: '"" n1',
  };
  for (const [name, node] of Object.entries(expected)) {
    assert.equal(nodes.get(`/local/domain/1/${name}`), node, name);
  }
  assert.deepEqual((await ok(0, "list", "/")).split("\n"), ["tool", "local", "vm", "libxl", "t", ""]);
  assert.equal(await ok(0, "read", "/local/domain/0/name", "/local/domain/2/name"), "Domain-0\ndomV\n");
});

Deno.test("xenstore-ls lists a directory that no message can hold", async () => {
  const store = openStore(socketPath(sandbox.directory, 0));
  const names = Array.from({ length: 1200 }, (_, index) => `a-name-of-some-length-${index}`);
  try {
    store.transaction((view) => names.forEach((name) => view.write(`/many/${name}`, "")));
    assert.deepEqual((await ok(0, "list", "/many")).trimEnd().split("\n"), names);
    assert.deepEqual(store.list("/many"), names);
    assert.equal((await ok(0, "ls", "/many")).trimEnd().split("\n").length, names.length);
    store.remove("/many");
  } finally {
    store[Symbol.dispose]();
  }
});

Deno.test("a guest's tools see its own tree by relative paths, and no more than it may", async () => {
  assert.equal(await ok(1, "read", "name", "domid"), "domU\n1\n");
  await ok(1, "write", "data/k", "v");
  assert.equal(await ok(0, "read", "/local/domain/1/data/k"), "v\n");
  assert.match((await tool(1, "ls", "/")).error, /Permission denied/);
  assert.match((await tool(1, "ls", "/libxl")).error, /Permission denied/);
  assert.equal((await tool(1, "write", "device/vsnd/0/state", "1")).code, 1);
  assert.equal((await tool(1, "write", "name", "Domain-0")).code, 1);
  assert.equal((await tool(2, "read", "/local/domain/1/data/k")).code, 1);
  assert.equal((await tool(2, "rm", "/local/domain/1/data/k")).code, 1);
  assert.equal((await tool(1, "chmod", "data/k", "n2")).code, 1, "a guest keeps what is its own");
});

Deno.test("xenstore-chmod opens a node to another guest, and -r all below it", async () => {
  await ok(1, "write", "data/share/deep/er", "v");
  await ok(1, "chmod", "-r", "data/share", "n1", "r2");
  assert.equal(await ok(2, "read", "/local/domain/1/data/share/deep/er"), "v\n");
  assert.match(await ok(0, "ls", "-p", "/local/domain/1/data"), /er = "v" .*\(n1,r2\)/);
  await ok(0, "chmod", "/local/domain/1/data/share/deep/er", "n0");
  assert.equal((await tool(1, "read", "data/share/deep/er")).code, 1);
});

Deno.test("xenstore-watch hears of each change below, relative if it asked so", async () => {
  await using watch = new Watching(0, "/w");
  assert.equal(await watch.next(), "/w");
  await ok(0, "write", "/w/x", "1");
  assert.equal(await watch.next(), "/w/x");
  await using guest = new Watching(1, "data");
  assert.equal(await guest.next(), "data");
  await ok(0, "write", "/local/domain/1/data/seen", "1");
  assert.equal(await guest.next(), "data/seen");
  await ok(0, "rm", "/w");
  assert.deepEqual([await watch.next()], ["/w"]);
});

Deno.test("xenstore-watch -n ends by itself", async () => {
  assert.equal(await ok(0, "watch", "-n", "1", "@releaseDomain"), "@releaseDomain\n");
});

Deno.test("a guest is not told of what it may not read", async () => {
  await using guest = new Watching(1, "/secret", "data");
  assert.deepEqual([await guest.next(), await guest.next()], ["/secret", "data"]);
  await ok(0, "write", "/secret/plan", "1");
  await ok(0, "write", "/local/domain/1/data/after", "1");
  assert.equal(await guest.next(), "data/after");
});

Deno.test("libxenstore's transactions conflict, and the loser does it again", () => {
  using one = openStore(socketPath(sandbox.directory, 0));
  using two = openStore(socketPath(sandbox.directory, 0));
  one.write("/count", "0");
  let attempts = 0;
  one.transaction((view) => {
    const count = Number(view.read("/count"));
    if (attempts++ < 3) two.write("/count", String(count + 10));
    view.write("/count", String(count + 1));
  });
  assert.deepEqual([attempts, one.read("/count")], [4, "31"]);
  assert.throws(() =>
    one.transaction((view) => {
      view.write("/count", "lost");
      throw new RangeError("changed my mind");
    }), RangeError);
  assert.equal(two.read("/count"), "31");
});

Deno.test("libxenstore reports a guest's limits by errno", () => {
  using guest = openStore(socketPath(sandbox.directory, 2));
  const code = (body: () => void) => {
    try {
      body();
    } catch (error) {
      if (error instanceof StoreError) return error.code;
      throw error;
    }
  };
  assert.equal(code(() => guest.write("data/big", "v".repeat(2100))), "ENOSPC");
  assert.equal(code(() => guest.write("name", "x")), "EACCES");
  assert.equal(code(() => guest.setPermissions("data", [{ domid: 1, access: "both" }])), "EPERM");
  assert.equal(code(() => guest.write("a..b", "x")), "EINVAL");
  assert.equal(guest.domainPath(7), "/local/domain/7");
});
