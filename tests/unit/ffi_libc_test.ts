// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { ERRNO, errnoName } from "../../ffi/libc/errno.ts";
import { EventFd } from "../../ffi/libc/event_fd.ts";
import { clearErrno, Errno, errno, unwrap } from "../../ffi/libc/failed_call.ts";
import { libc, MAP, POLL, PROT } from "../../ffi/libc/libc.ts";
import { addressOf } from "../../ffi/libc/pointers.ts";
import { PollSet } from "../../ffi/libc/poll_set.ts";
import { TimerFd } from "../../ffi/libc/timer_fd.ts";
import { lazyLibrary, LibraryNotFoundError } from "../../ffi/base/library.ts";
import { MappedPages } from "../../lib/xen/mapped_pages.ts";
import { Exit } from "../../lib/base/error.ts";

const root = new URL("../../", import.meta.url);

/** Runs TypeScript in a child process at the root of the project. Throws if the process fails. */
async function script(source: string, options: { flags?: string[]; env?: Record<string, string> } = {}) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", ...options.flags ?? [], "-"],
    cwd: root,
    env: { NO_COLOR: "1", ...options.env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(source));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

function openFds(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

Deno.test("errno() is right after a call that failed", () => {
  clearErrno();
  assert.equal(errno(), 0);
  assert.equal(libc().close(-1), -1);
  assert.equal(errno(), ERRNO.EBADF);
});

Deno.test("errno() is each thread's own", async () => {
  const folder = new URL("ffi/libc/", root).href;
  const source = `
    import { errno } from "${folder}failed_call.ts";
    import { libc } from "${folder}libc.ts";
    libc().kill(-0x7fffffff, 0);
    postMessage(errno());
  `;
  const url = URL.createObjectURL(new Blob([source], { type: "application/typescript" }));
  clearErrno();
  const worker = new Worker(url, { type: "module" });
  const theirs = await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
  worker.terminate();
  URL.revokeObjectURL(url);
  assert.equal(theirs, ERRNO.ESRCH);
  assert.equal(errno(), 0);
});

Deno.test("errnoName() knows an errno by either sign", () => {
  assert.equal(errnoName(2), "ENOENT");
  assert.equal(errnoName(-32), "EPIPE");
  assert.equal(errnoName(-500000), "errno 500000");
});

Deno.test("unwrap() throws Errno with the call, the name and the C library's text", () => {
  assert.equal(unwrap(3, "read"), 3);
  assert.throws(() => unwrap(libc().close(-1), "close -1"), (error) => {
    assert(error instanceof Errno);
    assert.equal(error.message, "close -1: Bad file descriptor (EBADF)");
    assert.deepEqual([error.call, error.errno, error.code], ["close -1", 9, "EBADF"]);
    return true;
  });
});

Deno.test("EventFd signals and drains", () => {
  using event = new EventFd();
  const fds = new PollSet(1);
  fds.add(event.fd, POLL.IN);
  assert.equal(fds.wait(0), 0);
  assert.equal(event.drain(), false);
  event.signal();
  event.signal();
  assert.equal(fds.wait(0), 1);
  assert.equal(fds.revents(0), POLL.IN);
  assert.equal(event.drain(), true);
  assert.equal(fds.wait(0), 0);
});

Deno.test("TimerFd expires once, and again with an interval", () => {
  using timer = new TimerFd();
  const fds = new PollSet(1);
  fds.add(timer.fd, POLL.IN);
  timer.arm(1_000_000);
  assert.equal(fds.wait(5000), 1);
  assert.equal(timer.drain(), true);
  assert.equal(fds.wait(10), 0);
  timer.arm(1_000_000, 1_000_000);
  for (let i = 0; i < 3; i++) {
    assert.equal(fds.wait(5000), 1);
    assert.equal(timer.drain(), true);
  }
  timer.arm(0);
  assert.equal(fds.wait(10), 0);
});

Deno.test("PollSet.waitAsync() leaves the event loop running", async () => {
  using event = new EventFd();
  const fds = new PollSet(2);
  fds.add(-1, POLL.IN);
  fds.add(event.fd, POLL.IN);
  setTimeout(() => event.signal(), 5);
  assert.equal(await fds.waitAsync(10_000), 1);
  assert.deepEqual([fds.revents(0), fds.revents(1)], [0, POLL.IN]);
});

Deno.test("PollSet.add() refuses more than its capacity", () => {
  const fds = new PollSet(1);
  fds.add(0, POLL.IN);
  assert.throws(() => fds.add(1, POLL.IN), RangeError);
  fds.clear();
  assert.equal(fds.add(1, POLL.IN), 0);
});

Deno.test("addressOf() gives addresses that survive garbage collection", async () => {
  const { code, stderr } = await script(
    `
    import { libc } from "./ffi/libc/libc.ts";
import { addressOf } from "./ffi/libc/pointers.ts";
    const arrays = Array.from({ length: 100 }, (_, i) => new Int32Array([i]));
    const addresses = arrays.map(addressOf);
    for (let i = 0; i < 3; i++) gc();
    const { memset } = Deno.dlopen("libc.so.6", {
      memset: { parameters: ["pointer", "i32", "usize"], result: "pointer" },
    }).symbols;
    addresses.forEach((address, i) => memset(address, i, 4n));
    for (const [i, array] of arrays.entries()) if (array[0] !== i * 0x01010101) throw new Error(i + ": " + array[0]);
    `,
    { flags: ["--v8-flags=--expose-gc"] },
  );
  assert.equal(code, 0, stderr);
});

Deno.test("Memory.of() keeps what it is of", async () => {
  const { code, stderr } = await script(
    `
    import { Memory } from "./ffi/libc/memory.ts";
    let collected = 0;
    const registry = new FinalizationRegistry(() => collected++);
    const make = () => {
      const buffer = new ArrayBuffer(64);
      registry.register(buffer, 0);
      return Memory.of(buffer);
    };
    const memories = Array.from({ length: 10 }, make);
    const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
    for (let i = 0; i < 5; i++) { gc(); await turn(); }
    if (collected > 0) throw new Error(collected + " collected while there was an address of them");
    memories.length = 0;
    for (let i = 0; i < 50 && collected < 10; i++) { gc(); await turn(); }
    if (collected < 10) throw new Error("never collected");
    `,
    { flags: ["--v8-flags=--expose-gc"] },
  );
  assert.equal(code, 0, stderr);
});

Deno.test("whileAlive() keeps a call's memory until it returns", async () => {
  const { code, stderr } = await script(
    `
    import { EventFd } from "./ffi/libc/event_fd.ts";
import { POLL } from "./ffi/libc/libc.ts";
import { PollSet } from "./ffi/libc/poll_set.ts";
    using event = new EventFd();
    let collected = false;
    const registry = new FinalizationRegistry(() => collected = true);
    function start() {
      const fds = new PollSet(1);
      fds.add(event.fd, POLL.IN);
      registry.register(fds, 0);
      return fds.waitAsync(-1);
    }
    const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
    const waiting = start();
    for (let i = 0; i < 5; i++) { gc(); await turn(); }
    if (collected) throw new Error("collected while poll was using it");
    event.signal();
    if (await waiting !== 1) throw new Error("poll failed");
    for (let i = 0; i < 50 && !collected; i++) { gc(); await turn(); }
    if (!collected) throw new Error("never collected");
    `,
    { flags: ["--v8-flags=--expose-gc"] },
  );
  assert.equal(code, 0, stderr);
});

Deno.test("handles close their descriptors once", () => {
  { // the first use opens descriptors that stay open
    using _event = new EventFd();
    using _timer = new TimerFd();
  }
  const before = openFds();
  {
    using event = new EventFd();
    using _timer = new TimerFd();
    event[Symbol.dispose]();
  }
  assert.equal(openFds(), before);
});

Deno.test("MappedPages detaches its buffer before the pages go", () => {
  const start = libc().mmap(null, 8192n, PROT.READ | PROT.WRITE, MAP.PRIVATE | MAP.ANONYMOUS, -1, 0n)!;
  let unmapped = 0;
  const pages = new MappedPages(start, 2, () => {
    assert(pages.buffer.detached);
    unwrap(libc().munmap(start, 8192n), "munmap");
    unmapped++;
  });
  const words = new Int32Array(pages.buffer);
  Atomics.store(words, 2047, 7);
  assert.equal(pages.buffer.byteLength, 8192);
  assert.equal(new Deno.UnsafePointerView(start).getInt32(8188), 7);
  pages[Symbol.dispose]();
  pages[Symbol.dispose]();
  assert.equal(unmapped, 1);
  // a view kept from before is empty: reads give undefined, Atomics and new views throw, nothing faults
  assert.equal(words[2047], undefined);
  assert.equal(words.length, 0);
  assert.throws(() => Atomics.load(words, 0), TypeError);
  assert.throws(() => new Int32Array(pages.buffer), TypeError);
});

Deno.test("hot aliases give the results of the true ones", () => {
  const [pipe, bytes] = [new Int32Array(2), new Uint8Array([1, 2, 3, 4])];
  unwrap(libc().pipe2(pipe, 0), "pipe2");
  const [reader, writer] = pipe;
  try {
    assert.equal(libc().hot_write(writer!, addressOf(bytes), 4), 4);
    bytes.fill(0);
    assert.equal(libc().hot_read(reader!, addressOf(bytes), 3), 3);
    assert.deepEqual([...bytes], [1, 2, 3, 0]);
    assert.equal(libc().read(reader!, bytes, 4n), 1n);
    assert.equal(libc().hot_read(-1, addressOf(bytes), 1), -1);
    assert.equal(errno(), ERRNO.EBADF);
  } finally {
    libc().close(reader!);
    libc().close(writer!);
  }
});

Deno.test("a library that is missing is named with its package and its variable", () => {
  const open = lazyLibrary(
    { soname: "libnowhere.so.9", debianPackage: "libnowhere9", variable: "XSND_LIBNOWHERE" },
    {},
  );
  assert.throws(open, (error) => {
    assert(error instanceof LibraryNotFoundError);
    assert.equal(error.exitCode, Exit.xenOrLibraryMissing);
    assert.match(error.message, /^cannot load libnowhere\.so\.9: .*No such file/);
    assert.match(
      error.message,
      /install Debian's libnowhere9, or set XSND_LIBNOWHERE to the library's path$/,
    );
    return true;
  });
});

Deno.test("importing the bindings loads no library", async () => {
  const nowhere = "/nonexistent.so";
  const { code, stdout, stderr } = await script(
    `
    import "./ffi/libc/libc.ts";
    import "./ffi/alsa/snd_cards.ts";
    import "./ffi/alsa/snd_pcm.ts";
    import "./lib/xen/native/xen.ts";
    import { openStore } from "./lib/xen/store/library_store.ts";
    import { openNativeEventChannels } from "./lib/xen/native/event_channels.ts";
    import { NativeGrantTable } from "./lib/xen/native/grants.ts";
    import { SndPcm } from "./ffi/alsa/snd_pcm.ts";
    for (const open of [openStore, openNativeEventChannels, () => new NativeGrantTable(), () => SndPcm.open("x", 0, 0)]) {
      try { await open(); } catch (error) { console.log(error.exitCode, error.message); }
    }
    `,
    {
      env: Object.fromEntries(
        ["XSND_LIBXENSTORE", "XSND_LIBXENEVTCHN", "XSND_LIBXENGNTTAB", "XSND_LIBASOUND"].map((
          v,
        ) => [v, nowhere]),
      ),
    },
  );
  assert.equal(code, 0, stderr);
  const lines = stdout.trimEnd().split("\n");
  const packages = ["libxenstore4", "libxenevtchn1", "libxengnttab1", "libasound2"];
  assert.equal(lines.length, packages.length, stdout);
  for (const [i, line] of lines.entries()) {
    assert.match(line, /^5 cannot load lib/);
    assert(line.includes(`install Debian's ${packages[i]}, or set XSND_LIB`), line);
  }
});
