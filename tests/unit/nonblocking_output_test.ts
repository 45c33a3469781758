// SPDX-License-Identifier: MIT
/** Tests NonblockingOutput on each kind of file that a daemon's stderr may be: a write takes what fits and never blocks. */
import assert from "node:assert/strict";
import { unwrap } from "../../ffi/libc/failed_call.ts";
import { AF, F, libc, O } from "../../ffi/libc/libc.ts";
import { cString } from "../../ffi/base/c_string.ts";
import { NonblockingOutput } from "../../ffi/libc/nonblocking_output.ts";
import { Process, until } from "../sandbox/harness.ts";

const octets = new Uint8Array(1000).fill(0x78);
const { close, fcntl, open, pipe2, read } = libc();
const { ioctl } = Deno.dlopen("libc.so.6", {
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
}).symbols;
/** From fcntl.h. */
const F_GETFL = 3;

/** Writes until there is no room. Returns the number of octets taken. */
function fill(output: NonblockingOutput): number {
  let taken = 0;
  for (let now; (now = output.write(octets)) > 0;) taken += now;
  return taken;
}

/** Reads everything from the non-blocking `fd`. Returns the number of octets. */
function drain(fd: number): number {
  const buffer = new Uint8Array(65536);
  let got = 0;
  for (let now; (now = Number(read(fd, buffer, 65536n))) > 0;) got += now;
  return got;
}

/** Checks that writing to `fd` never blocks. `empty` empties `fd` at the reader's end and returns the number of octets read. */
async function assertLetsNobodyWait(fd: number, empty: () => number | Promise<number>): Promise<void> {
  const flags = fcntl(fd, F_GETFL, 0n);
  assert.equal(flags & O.NONBLOCK, 0);
  using output = new NonblockingOutput(fd);
  const taken = fill(output);
  assert(taken > 0);
  assert.equal(output.write(octets), 0);
  output.wait(1); // returns although there is no room
  assert.equal(await empty(), taken);
  output.wait(-1); // returns: there is room
  assert(fill(output) > 0, "room again");
  assert.equal(fcntl(fd, F_GETFL, 0n), flags, "who shares the descriptor notices nothing");
}

Deno.test("NonblockingOutput on a pipe", async () => {
  const fds = new Int32Array(2);
  unwrap(pipe2(new Uint8Array(fds.buffer), O.CLOEXEC), "pipe2");
  const [reader, writer] = fds;
  unwrap(fcntl(reader!, F.SETFL, BigInt(O.NONBLOCK)), "fcntl");
  await assertLetsNobodyWait(writer!, () => drain(reader!));
  using output = new NonblockingOutput(writer!);
  close(reader!);
  assert.throws(() => output.write(octets), { code: "EPIPE" });
  using late = new NonblockingOutput(writer!);
  assert.throws(() => late.write(octets), { code: "EPIPE" }, "also where it can be opened no more");
  close(writer!);
});

Deno.test("NonblockingOutput on a socket, as the journal's", async () => {
  const library = Deno.dlopen("libc.so.6", {
    socketpair: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  });
  const STREAM = 1;
  const fds = new Int32Array(2);
  assert.equal(library.symbols.socketpair(AF.UNIX, STREAM, 0, new Uint8Array(fds.buffer)), 0);
  library.close();
  const [reader, writer] = fds;
  unwrap(fcntl(reader!, F.SETFL, BigInt(O.NONBLOCK)), "fcntl");
  await assertLetsNobodyWait(writer!, () => drain(reader!));
  using output = new NonblockingOutput(writer!);
  close(reader!);
  assert.throws(() => output.write(octets), { code: "EPIPE" });
  close(writer!);
});

Deno.test("NonblockingOutput on a pipe of another user's, which cannot be opened again (needs root)", {
  ignore: Deno.uid() !== 0,
}, async () => {
  const script = `
    import { libc } from "./ffi/libc/libc.ts";
    import { NonblockingOutput } from "./ffi/libc/nonblocking_output.ts";
    const { symbols } = Deno.dlopen("libc.so.6", { setuid: { parameters: ["u32"], result: "i32" } });
    const fds = new Int32Array(2);
    libc().pipe2(new Uint8Array(fds.buffer), 0);
    if (symbols.setuid(65534) !== 0) throw new Error("setuid");
    const output = new NonblockingOutput(fds[1]);
    const fill = () => {
      let taken = 0;
      for (let now; (now = output.write(new Uint8Array(10_000))) > 0;) taken += now;
      return taken;
    };
    const [first, second] = [fill(), fill()];
    libc().read(fds[0], new Uint8Array(first), BigInt(first));
    console.log(JSON.stringify([first, second, fill()]));
  `;
  const { stdout, stderr } = await new Process(Deno.execPath(), ["eval", "--quiet", script]).result;
  assert.equal(stderr, "");
  const [first, second, third] = JSON.parse(stdout);
  assert(first > 0);
  assert.deepEqual([second, third], [0, first]);
});

/** From asm-generic/ioctls.h. */
const TIOCGPTN = 0x80045430n;
const TIOCSPTLCK = 0x40045431n;

Deno.test("NonblockingOutput on a terminal that Ctrl-S has stopped", async () => {
  const master = unwrap(open(cString("/dev/ptmx"), O.RDWR | O.NOCTTY | O.NONBLOCK | O.CLOEXEC, 0), "ptmx");
  const number = new Int32Array(1);
  unwrap(ioctl(master, TIOCSPTLCK, new Uint8Array(number.buffer)), "TIOCSPTLCK");
  unwrap(ioctl(master, TIOCGPTN, new Uint8Array(number.buffer)), "TIOCGPTN");
  const terminal = unwrap(open(cString(`/dev/pts/${number[0]}`), O.RDWR | O.NOCTTY | O.CLOEXEC, 0), "pts");
  await assertLetsNobodyWait(terminal, () => drain(master));
  drain(master);
  using output = new NonblockingOutput(terminal);
  const type = (key: number) => libc().write(master, Uint8Array.of(key), 1n);
  type(0x13); // Ctrl-S
  await until("it is stopped", () => output.write(Uint8Array.of(0x79)) === 0);
  type(0x11); // Ctrl-Q
  await until("it goes on", () => output.write(Uint8Array.of(0x79)) === 1);
  close(master);
  assert.throws(() => output.write(octets), { code: "EIO" });
  close(terminal);
});

Deno.test("NonblockingOutput on a file goes on where others have written", () => {
  const path = Deno.makeTempFileSync();
  const fd = unwrap(open(cString(path), O.WRONLY | O.CLOEXEC, 0), path);
  libc().write(fd, new TextEncoder().encode("before\n"), 7n);
  {
    using output = new NonblockingOutput(fd);
    assert.equal(output.write(new TextEncoder().encode("then\n")), 5);
  }
  libc().write(fd, new TextEncoder().encode("after\n"), 6n);
  close(fd);
  assert.equal(Deno.readTextFileSync(path), "before\nthen\nafter\n");
  Deno.removeSync(path);
});
