// SPDX-License-Identifier: MIT
/**
 * Tests the native half of the ports over a stand-in for Xen's libraries (ffi_fake_xen.c): the arguments, the order of the
 * calls, and the handling of failures. tests/xen tests the real libraries.
 */
import assert from "node:assert/strict";
import { PROT } from "../../ffi/libc/libc.ts";
import { adoptNativeEventChannels, openNativeEventChannels } from "../../lib/xen/native/event_channels.ts";
import { NativeGrantSharer, NativeGrantTable } from "../../lib/xen/native/grants.ts";
import { EventChannelError, GrantError } from "../../lib/xen/ports.ts";

const directory = Deno.makeTempDirSync({ prefix: "xsnd-fake-xen-" });
Deno.test.afterAll(() => Deno.removeSync(directory, { recursive: true }));

const library = `${directory}/libfakexen.so`;
const source = new URL("ffi_fake_xen.c", import.meta.url).pathname;
const ready = await compile();

async function compile(): Promise<boolean> {
  const command = new Deno.Command("sh", {
    args: [
      "-c",
      `gcc -E "$0" -o /dev/null 2>/dev/null || exit 77; exec gcc -shared -fPIC -o "$1" "$0"`,
      source,
      library,
    ],
    stderr: "piped",
  });
  const { code, stderr } = await command.output();
  if (code === 77) return false;
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return true;
}

/** Declares a test that receives the stand-in's counters. */
function test(name: string, body: (fake: Fake) => void): void {
  const ignore = !ready;
  Deno.test({
    name: ignore ? `${name} (needs gcc and libxen-dev)` : name,
    ignore,
    fn: () => body(loadFake()),
  });
}

interface Fake {
  /** Open handles of any kind. */
  handles(): number;
  mapped(): number;
  /** The protection of the last mapping. For shared pages: whether they are writable. */
  prot(): number;
}

let fake: Fake | undefined;

function loadFake(): Fake {
  if (fake) return fake;
  const { symbols } = Deno.dlopen(library, {
    fake_handles: { type: "pointer" },
    fake_mapped: { type: "pointer" },
    fake_prot: { type: "pointer" },
  });
  const variables = ["XSND_LIBXENGNTTAB", "XSND_LIBXENEVTCHN"];
  const inherited = variables.map((name) => Deno.env.get(name));
  for (const name of variables) Deno.env.set(name, library);
  { // the bindings load the stand-in now and keep it; the variables are restored before other tests run
    using _table = new NativeGrantTable();
    using _channels = openNativeEventChannels();
  }
  for (const [i, name] of variables.entries()) {
    if (inherited[i] === undefined) Deno.env.delete(name);
    else Deno.env.set(name, inherited[i]);
  }
  const int = (pointer: unknown) => () =>
    new Deno.UnsafePointerView(pointer as Deno.PointerObject).getInt32();
  return fake = {
    handles: int(symbols.fake_handles),
    mapped: int(symbols.fake_mapped),
    prot: int(symbols.fake_prot),
  };
}

test("GrantTable.map() maps pages in the order of their references", (fake) => {
  using table = new NativeGrantTable();
  using mapping = table.map(3, [105, 101, 199], "write");
  assert.equal(mapping.pages, 3);
  assert.equal(mapping.buffer.byteLength, 3 * 4096);
  const words = new Int32Array(mapping.buffer);
  assert.deepEqual([words[0], words[1024], words[2048]], [105, 101, 199]);
  assert.equal(fake.prot(), PROT.READ | PROT.WRITE);
  assert.equal(new Deno.UnsafePointerView(Deno.UnsafePointer.create(mapping.address)!).getInt32(4096), 101);
  using _other = table.map(3, [110], "read");
  assert.equal(fake.prot(), PROT.READ);
  assert.equal(fake.mapped(), 2);
});

test("GrantTable.map() maps nothing if a reference is not granted", (fake) => {
  using table = new NativeGrantTable();
  const message = "cannot map 2 page(s) of domain 3, from grant reference 100 on: EINVAL";
  assert.throws(() => table.map(3, [100, 7], "write"), { name: "GrantError", message });
  assert.throws(() => table.map(4, [100], "write"), GrantError);
  for (const bad of [[], [-1], [1.5], [NaN], [2 ** 32]]) {
    assert.throws(() => table.map(3, bad, "write"), /not a list of grant references$/);
  }
  assert.equal(fake.mapped(), 0);
});

test("a mapping's buffer is detached when its pages go", (fake) => {
  using table = new NativeGrantTable();
  const mapping = table.map(3, [100], "write");
  mapping[Symbol.dispose]();
  mapping[Symbol.dispose]();
  assert(mapping.buffer.detached);
  assert.equal(fake.mapped(), 0);
});

test("disposing a GrantTable unmaps what it mapped, then closes", (fake) => {
  const table = new NativeGrantTable();
  const mappings = [
    table.map(3, [100], "write"),
    table.map(3, [101, 102], "read"),
    table.map(3, [103], "write"),
  ];
  mappings[1]![Symbol.dispose]();
  assert.deepEqual([fake.handles(), fake.mapped()], [1, 2]);
  table[Symbol.dispose]();
  table[Symbol.dispose]();
  assert.deepEqual([fake.handles(), fake.mapped()], [0, 0]);
  assert(mappings.every(({ buffer }) => buffer.detached));
  assert.throws(() => table.map(3, [100], "write"), /the grant table handle is closed/);
});

test("GrantSharer.share() gives pages and their references", (fake) => {
  using sharer = new NativeGrantSharer();
  {
    using shared = sharer.share(5, 3, "write");
    assert.deepEqual(shared.grefs, [5000, 5001, 5002]);
    assert.equal(shared.pages, 3);
    assert.equal(fake.prot(), 1);
    new Uint8Array(shared.buffer).fill(9);
  }
  using _read = sharer.share(5, 1, "read");
  assert.equal(fake.prot(), 0);
  assert.equal(fake.mapped(), 1);
  assert.throws(
    () => sharer.share(5, 9, "write"),
    /^GrantError: cannot grant 9 page\(s\) to domain 5 .*: ENOSPC$/,
  );
  assert.throws(() => sharer.share(5, 0, "write"), RangeError);
});

test("disposing a GrantSharer revokes what it shared", (fake) => {
  const sharer = new NativeGrantSharer();
  const shared = sharer.share(5, 2, "write");
  sharer[Symbol.dispose]();
  assert(shared.buffer.detached);
  assert.deepEqual([fake.handles(), fake.mapped()], [0, 0]);
});

test("EventChannels deliver an event once, and again after unmask()", () => {
  using channels = openNativeEventChannels();
  const port = channels.bindInterdomain(3, 4);
  assert.equal(channels.pending(), -1);
  assert.equal(channels.notify(port), 0);
  assert.equal(channels.notify(port), 0);
  assert.equal(channels.pending(), port);
  assert.equal(channels.pending(), -1);
  assert.equal(channels.unmask(port), 0);
  assert.equal(channels.pending(), port);
  assert.equal(channels.unmask(port), 0);
  assert.equal(channels.pending(), -1);
  channels.unbind(port);
  assert.equal(channels.notify(port), -1);
});

test("EventChannels throw what was tried", () => {
  using channels = openNativeEventChannels();
  const message = "cannot bind to port 10 of domain 3: EINVAL";
  assert.throws(() => channels.bindInterdomain(3, 10), { name: "EventChannelError", message });
  assert.throws(() => channels.unbind(33), EventChannelError);
  assert.notEqual(channels.bindUnbound(1), channels.bindUnbound(1));
});

test("adopted EventChannels are the same handle, and do not close it", (fake) => {
  using channels = openNativeEventChannels();
  const port = channels.bindUnbound(1);
  const { shareable } = channels;
  assert(shareable.kind === "native");
  {
    using adopted = adoptNativeEventChannels(shareable.handle);
    assert.equal(adopted.fd, channels.fd);
    assert.equal(adopted.notify(port), 0);
  }
  assert.equal(fake.handles(), 1);
  assert.equal(channels.pending(), port);
  assert.throws(() => adoptNativeEventChannels(0n), TypeError);
});

test("closed EventChannels throw instead of crashing", (fake) => {
  const channels = openNativeEventChannels();
  channels[Symbol.dispose]();
  channels[Symbol.dispose]();
  assert.equal(fake.handles(), 0);
  assert.throws(() => channels.notify(10), TypeError);
  assert.throws(() => channels.bindUnbound(1), TypeError);
  assert.throws(() => channels.shareable, TypeError);
});
