// SPDX-License-Identifier: MIT
/** Tests the Store port over the real libxenstore, against the embedded Xen's server in a process of its own. */
import assert from "node:assert/strict";
import { Exit, XsndError } from "../../lib/base/error.ts";
import { socketPath } from "../../lib/xen/embedded/layout.ts";
import { openStore } from "../../lib/xen/store/library_store.ts";
import { openNativeXen } from "../../lib/xen/native/xen.ts";
import { isStoreLost, type Store, StoreError } from "../../lib/xen/ports.ts";
import { isStoreError, storeContract, until } from "./store_contract.ts";

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

for (const { name, run } of storeContract) Deno.test(name, () => run((domid) => server.open(domid)));

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

Deno.test("a call under which the server dies fails as on a lost connection, and a path that is not valid does not", async () => {
  using living = server.open();
  assert.throws(() => living.read("//"), isStoreError("EINVAL", "//"));
  // Answers the first request, which sets a watch, and dies in the second one.
  const dying = `
    const server = Deno.listen({ transport: "unix", path: Deno.args[0] });
    console.log("ready");
    const client = await server.accept();
    const request = new Uint8Array(1000);
    await client.read(request);
    // struct xsd_sockmsg has type, req_id, tx_id and len.
    const header = new Uint32Array(request.slice(0, 16).buffer);
    header[3] = 3;
    const reply = new Uint8Array([...new Uint8Array(header.buffer), 79, 75, 0]);
    await client.write(reply);
    await client.read(request);
  `;
  const directory = Deno.makeTempDirSync({ prefix: "xsnd-store-" });
  try {
    const path = `${directory}/socket`;
    await using child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", dying, path],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    using store = openStore(path);
    using _watch = store.watch("/domain");
    assert.throws(() => store.read("/domain/0/state"), (error) => isStoreLost(error));
    await reader.cancel();
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
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
