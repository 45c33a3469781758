// SPDX-License-Identifier: MIT
/** Tests the Store port over the real libxenstore, against the embedded Xen's server in a process of its own. */
import assert from "node:assert/strict";
import { Exit, XsndError } from "../../lib/base/error.ts";
import { socketPath } from "../../lib/xen/embedded/layout.ts";
import { openStore } from "../../lib/xen/store/library_store.ts";
import { openNativeXen } from "../../lib/xen/native/xen.ts";
import { type Store, StoreError, type StoreWatch } from "../../lib/xen/ports.ts";

const root = new URL("../../", import.meta.url);

/** A XenStore server with domains 0 and 1, and the server's directory. */
class Server implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "xsnd-store-" });
  readonly #child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--quiet", "--no-check", "lib/xen/embedded/server/xenstored.ts"],
      ...["--private", "--directory", this.directory, "--domain=domU"],
    ],
    cwd: root,
    stdin: "piped",
    stdout: "piped",
  }).spawn();

  static async start(): Promise<Server> {
    const server = new Server();
    const reader = server.#child.stdout.getReader();
    const { value } = await reader.read();
    assert.equal(new TextDecoder().decode(value), "ready\n");
    await reader.cancel();
    return server;
  }

  get pid(): number {
    return this.#child.pid;
  }

  open(domid = 0): Store {
    return openStore(socketPath(this.directory, domid));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close().catch(() => {}); // a test may have killed the server
    await this.#child.status;
    await Deno.remove(this.directory, { recursive: true }).catch(() => {}); // unless killed, the server removes the directory
  }
}

let server: Server;
Deno.test.beforeAll(async () => void (server = await Server.start()));
Deno.test.afterAll(async () => await server[Symbol.asyncDispose]());

/** Waits for the watch to yield `wanted`. Returns all paths up to and including `wanted`. */
async function until(watch: StoreWatch, wanted: string): Promise<string[]> {
  const seen: string[] = [];
  for await (const path of watch) {
    seen.push(path);
    if (path === wanted) break;
  }
  return seen;
}

function isStoreError(code: string, path: string) {
  return (error: unknown) => {
    assert(error instanceof StoreError, String(error));
    assert.deepEqual([error.code, error.path], [code, path]);
    return true;
  };
}

Deno.test("Store reads what it wrote, octet for octet", () => {
  using store = server.open();
  for (const value of ["plain", "", "naïve ♫", "a\0b", "\ufeffmarked", "x".repeat(2000)]) {
    store.write("/test/value", value);
    assert.equal(store.read("/test/value"), value);
  }
});

Deno.test("Store gives undefined for nodes that there are not", () => {
  using store = server.open();
  assert.equal(store.read("/nothing/here"), undefined);
  assert.equal(store.list("/nothing/here"), undefined);
  assert.equal(store.getPermissions("/nothing/here"), undefined);
  store.remove("/nothing/here");
});

Deno.test("Store makes, lists and removes", () => {
  using store = server.open();
  store.mkdir("/tree/a/b");
  store.mkdir("/tree/a/b");
  store.write("/tree/c", "1");
  assert.deepEqual(store.list("/tree")!.sort(), ["a", "c"]);
  assert.deepEqual(store.list("/tree/a/b"), []);
  assert.equal(store.read("/tree/a/b"), "");
  store.remove("/tree");
  assert.equal(store.list("/tree"), undefined);
});

Deno.test("Store lists more children than one message holds", () => {
  using store = server.open();
  const names = Array.from({ length: 300 }, (_, i) => `a-child-with-a-long-name-${i}`);
  for (const name of names) store.mkdir(`/many/${name}`);
  assert.deepEqual(store.list("/many")!.sort(), names.sort());
  store.remove("/many");
});

Deno.test("Store throws StoreError with errno's name", () => {
  using store = server.open();
  assert.throws(() => store.write("/bad path", "x"), isStoreError("EINVAL", "/bad path"));
  assert.throws(() => store.write("/test/long", "x".repeat(5000)), isStoreError("E2BIG", "/test/long"));
  assert.throws(() => store.read("/nul\0path"), TypeError);
});

Deno.test("Store enforces permissions by domain", () => {
  using store = server.open();
  using guest = server.open(1);
  store.write("/vault/secret", "42");
  const permissions = [{ domid: 0, access: "none" }, { domid: 1, access: "read" }] as const;
  store.setPermissions("/vault/secret", permissions);
  assert.deepEqual(store.getPermissions("/vault/secret"), permissions);
  assert.equal(guest.read("/vault/secret"), "42");
  assert.throws(() => guest.write("/vault/secret", "43"), isStoreError("EACCES", "/vault/secret"));
  store.setPermissions("/vault/secret", [{ domid: 0, access: "none" }, { domid: 1, access: "both" }]);
  guest.write("/vault/secret", "43");
  store.setPermissions("/vault/secret", [{ domid: 0, access: "none" }]);
  assert.throws(() => guest.read("/vault/secret"), isStoreError("EACCES", "/vault/secret"));
});

Deno.test("Store knows domains", () => {
  using store = server.open();
  assert.equal(store.domainPath(7), "/local/domain/7");
  assert.equal(store.isIntroduced(0), true);
  assert.equal(store.isIntroduced(1), true);
  assert.equal(store.isIntroduced(7), false);
});

Deno.test("Store.transaction() commits everything or nothing", () => {
  using store = server.open();
  using other = server.open();
  const result = store.transaction((view) => {
    view.write("/tx/a", "1");
    assert.equal(view.read("/tx/a"), "1");
    assert.equal(other.read("/tx/a"), undefined);
    return "done";
  });
  assert.equal(result, "done");
  assert.equal(other.read("/tx/a"), "1");
  const failure = new RangeError("no more");
  assert.throws(() =>
    store.transaction((view) => {
      view.write("/tx/a", "2");
      view.remove("/tx");
      throw failure;
    }), failure);
  assert.equal(other.read("/tx/a"), "1");
});

Deno.test("Store.transaction() starts again when another writer got in between", () => {
  using store = server.open();
  using other = server.open();
  store.write("/race/count", "0");
  let attempts = 0;
  store.transaction((view) => {
    const count = Number(view.read("/race/count"));
    if (attempts++ < 3) other.write("/race/count", String(count + 10));
    view.write("/race/count", String(count + 1));
  });
  assert.equal(attempts, 4);
  assert.equal(store.read("/race/count"), "31");
});

Deno.test("Store.transaction() gives up with EAGAIN in the end", () => {
  using store = server.open();
  using other = server.open();
  let attempts = 0;
  const hopeless = () =>
    store.transaction((view) => {
      view.write("/race/count", "1");
      other.write("/race/count", String(attempts++));
    });
  assert.throws(hopeless, isStoreError("EAGAIN", "/"));
  assert(attempts >= 100, `${attempts}`);
});

Deno.test("a transaction's view is of no use afterwards", () => {
  using store = server.open();
  const view = store.transaction((view) => view);
  assert.throws(() => view.read("/test"), /its transaction is over/);
});

Deno.test("a closed Store throws instead of crashing", () => {
  const store = server.open();
  store[Symbol.dispose]();
  store[Symbol.dispose]();
  assert.throws(() => store.read("/test"), /the connection is closed/);
  assert.throws(() => store.domainPath(1), TypeError);
  assert.throws(() => store.watch("/test"), TypeError);
  assert.throws(() => store.transaction(() => {}), TypeError);
});

Deno.test("Store.watch() begins with one event, and tells of changes below", async () => {
  using store = server.open();
  using guest = server.open();
  using watch = store.watch("/watched");
  assert.deepEqual(await until(watch, "/watched"), ["/watched"]);
  guest.write("/elsewhere", "1");
  guest.write("/watched/a/b", "1");
  assert.deepEqual((await until(watch, "/watched/a/b")).at(-1), "/watched/a/b");
  guest.remove("/watched");
  assert.deepEqual(await until(watch, "/watched"), ["/watched"]);
});

Deno.test("Store.settled() resolves when what was changed before it has been told", async () => {
  using store = server.open();
  using other = server.open();
  using watch = store.watch("/settled");
  const told: string[] = [];
  const reading = (async () => {
    for await (const path of watch) told.push(path);
  })();
  for (let round = 0; round < 100; round++) {
    const paths = Array.from({ length: 5 }, (_, i) => `/settled/${round}/${i}`);
    other.transaction((view) => paths.forEach((path) => view.write(path, "")));
    await store.settled();
    assert.deepEqual(told.slice(-paths.length), paths);
  }
  watch[Symbol.dispose]();
  await reading;
});

Deno.test("watches of one Store are told apart, equal paths too", async () => {
  using store = server.open();
  using here = store.watch("/apart/here");
  using there = store.watch("/apart/there");
  using again = store.watch("/apart/here");
  for (
    const [watch, path] of [[here, "/apart/here"], [there, "/apart/there"], [again, "/apart/here"]] as const
  ) {
    assert.deepEqual(await until(watch, path), [path]);
  }
  store.write("/apart/here/x", "1");
  store.write("/apart/there/y", "1");
  assert.deepEqual(await until(here, "/apart/here/x"), ["/apart/here/x"]);
  assert.deepEqual(await until(there, "/apart/there/y"), ["/apart/there/y"]);
  here[Symbol.dispose]();
  store.write("/apart/here/z", "1");
  assert.deepEqual(await until(again, "/apart/here/z"), ["/apart/here/x", "/apart/here/z"]);
});

Deno.test("a watch tells of many changes of one path once", async () => {
  using store = server.open();
  using watch = store.watch("/busy");
  await until(watch, "/busy");
  for (let i = 0; i < 100; i++) store.write("/busy/node", `${i}`);
  store.write("/busy/end", "1");
  // once the marker arrives, all events are queued: unmerged events appear more than once
  using marker = store.watch("/busy/end");
  await until(marker, "/busy/end");
  const seen = await until(watch, "/busy/end");
  assert.deepEqual(seen, ["/busy/node", "/busy/end"]);
});

Deno.test("a watch that nobody reads collapses into its own path", async () => {
  using store = server.open();
  using watch = store.watch("/flood");
  using marker = store.watch("/flood-end");
  await until(marker, "/flood-end");
  for (let i = 0; i < 1030; i++) store.mkdir(`/flood/${i}`);
  store.write("/flood-end", "1");
  await until(marker, "/flood-end");
  const seen: string[] = [];
  for await (const path of watch) {
    seen.push(path);
    if (path === "/flood/1029") break;
  }
  assert.equal(seen[0], "/flood");
  assert(seen.length < 20, `${seen.length}`);
  store.remove("/flood");
});

Deno.test("disposing a watch ends its iterator and no other", async () => {
  using store = server.open();
  const watch = store.watch("/ending");
  using other = store.watch("/ending");
  await until(watch, "/ending");
  const ended = until(watch, "never");
  watch[Symbol.dispose]();
  watch[Symbol.dispose]();
  assert.deepEqual(await ended, []);
  await until(other, "/ending");
  store.write("/ending/more", "1");
  assert.deepEqual(await until(other, "/ending/more"), ["/ending/more"]);
});

Deno.test("disposing a Store ends its watches' iterators", async () => {
  const store = server.open();
  const watches = [store.watch("/closing"), store.watch("/closing/2")];
  const ended = Promise.all(watches.map((watch) => until(watch, "never")));
  await until(store.watch("/closing/3"), "/closing/3");
  store[Symbol.dispose]();
  assert.deepEqual((await ended).map((seen) => seen.length), [1, 1]);
  for (const watch of watches) watch[Symbol.dispose]();
});

/** This process's eventfds (one a Store) and pipes (libxenstore's, for watches). Sockets are left out, since Deno opens some. */
function descriptors(): string[] {
  return [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) => {
    try {
      const target = Deno.readLinkSync(`/proc/self/fd/${name}`);
      return /^anon_inode:\[eventfd\]|^pipe:/.test(target) ? [`${name} ${target}`] : [];
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return []; // the descriptor of the listing itself
      throw error;
    }
  });
}

Deno.test("watches and stores leave no descriptor behind", async () => {
  const once = async () => {
    using store = server.open();
    using watch = store.watch("/leak");
    await until(watch, "/leak");
  };
  const before = descriptors();
  for (let i = 0; i < 10; i++) await once();
  // a reader closes its eventfd when the reader wakes, in a later turn of the event loop
  for (let i = 0; i < 400 && descriptors().length > before.length; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.deepEqual(descriptors(), before);
});

Deno.test("a Store whose watches are disposed lets the process end", async () => {
  const source = `
    import { openStore } from "./lib/xen/store/library_store.ts";
    const store = openStore();
    const watch = store.watch("/exit");
    for await (const path of watch) { console.log(path); break; }
    watch[Symbol.dispose]();
  `;
  const once = async () => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", "--no-check", source],
      cwd: root,
      env: { XENSTORED_PATH: socketPath(server.directory, 0) },
      signal: AbortSignal.timeout(20_000),
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.equal(new TextDecoder().decode(stdout), "/exit\n");
  };
  // Many processes at once: wherever the library's thread is, the process must end.
  for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 12 }, once));
});

Deno.test("a lost server ends watches with ECONNRESET", async () => {
  await using mortal = await Server.start();
  using store = mortal.open();
  const watch = store.watch("/lost");
  await until(watch, "/lost");
  Deno.kill(mortal.pid, "SIGKILL");
  await assert.rejects(until(watch, "never"), isStoreError("ECONNRESET", "/lost"));
  watch[Symbol.dispose]();
  assert.throws(() => store.read("/lost"), StoreError);
  assert.throws(() => store.transaction(() => {}), StoreError);
  assert.throws(() => store.watch("/lost"), StoreError);
});

Deno.test("openStore() leaves XENSTORED_PATH as it was", () => {
  const inherited = Deno.env.get("XENSTORED_PATH");
  try {
    Deno.env.set("XENSTORED_PATH", "/nowhere");
    using _store = server.open();
    assert.equal(Deno.env.get("XENSTORED_PATH"), "/nowhere");
    Deno.env.delete("XENSTORED_PATH");
    using _other = server.open();
    assert.equal(Deno.env.get("XENSTORED_PATH"), undefined);
  } finally {
    if (inherited !== undefined) Deno.env.set("XENSTORED_PATH", inherited);
  }
});

Deno.test("openStore() says what it tried where there is no server", () => {
  assert.throws(() => openStore("/nonexistent/socket"), (error) => {
    assert(error instanceof XsndError);
    assert.equal(error.exitCode, Exit.xenOrLibraryMissing);
    assert.match(error.message, /^cannot open XenStore at \/nonexistent\/socket .*: ENOENT; .*xsnd sandbox/);
    return true;
  });
  const dead = `${server.directory}/dead`;
  { // Deno removes a socket that it closes, unless the socket has moved
    using _listener = Deno.listen({ transport: "unix", path: `${dead}-soon` });
    Deno.renameSync(`${dead}-soon`, dead);
  }
  assert.throws(() => openStore(dead), /cannot open XenStore at .*\/dead .*: ECONNREFUSED; /);
});

Deno.test("openNativeXen() takes its domain id from XenStore, and names the modules it lacks", {
  ignore: await Deno.stat("/dev/xen/gntdev").then(() => true, () => false), // on a Xen host tests/xen covers this
}, () => {
  const inherited = Deno.env.get("XENSTORED_PATH");
  Deno.env.set("XENSTORED_PATH", socketPath(server.directory, 1));
  try {
    using store = server.open();
    store.write("/local/domain/1/domid", "1");
    using xen = openNativeXen();
    assert.equal(xen.domid, 1);
    const missing = (device: string) => (error: unknown) => {
      assert(error instanceof XsndError);
      assert.equal(error.exitCode, Exit.xenOrLibraryMissing);
      assert.match(
        error.message,
        new RegExp(`^cannot open /dev/xen/${device}: ENOENT; .*modprobe xen-${device}`),
      );
      return true;
    };
    assert.throws(() => xen.openGrantTable(), missing("gntdev"));
    assert.throws(() => xen.openGrantSharer(), missing("gntalloc"));
    assert.throws(() => xen.openEventChannels(), missing("evtchn"));
  } finally {
    if (inherited === undefined) Deno.env.delete("XENSTORED_PATH");
    else Deno.env.set("XENSTORED_PATH", inherited);
  }
});
