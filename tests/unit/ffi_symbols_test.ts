// SPDX-License-Identifier: MIT
/** Tests every symbol table against the installed libraries and their C headers. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { ERRNO } from "../../ffi/libc/errno.ts";
import * as alsa from "../../ffi/alsa/libasound.ts";
import * as c from "../../ffi/libc/libc.ts";
import { libxenevtchnSymbols } from "../../ffi/xen/libxenevtchn.ts";
import { libxengnttabSymbols } from "../../ffi/xen/libxengnttab.ts";
import { libxenhypfsSymbols } from "../../ffi/xen/libxenhypfs.ts";
import { libxenstoreSymbols, XBT_NULL } from "../../ffi/xen/libxenstore.ts";

const root = new URL("../../", import.meta.url).pathname;

type Table = Record<string, Deno.ForeignFunction | Deno.ForeignStatic>;

interface Library {
  readonly soname: string;
  readonly symbols: Table;
  readonly headers: readonly string[];
  /** C constants by name, with their expected values. */
  readonly constants: Record<string, number | bigint>;
}

/** Adds `prefix` to each key: `{ IN: 1 }` with `POLL` becomes `{ POLLIN: 1 }`. */
function prefixed(prefix: string, group: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(group).map(([key, value]) => [prefix + key, value]));
}

const libraries: Library[] = [
  {
    soname: "libc.so.6",
    symbols: c.libcSymbols,
    headers: [
      "errno.h",
      "string.h",
      "stdlib.h",
      "poll.h",
      "sys/eventfd.h",
      "sys/timerfd.h",
      "time.h",
      "fcntl.h",
      "unistd.h",
      "sys/stat.h",
      "malloc.h",
      "sys/mman.h",
      "signal.h",
      "sched.h",
      "sys/socket.h",
      "grp.h",
    ],
    constants: {
      ...ERRNO,
      ...prefixed("POLL", c.POLL),
      ...prefixed("O_", c.O),
      ...prefixed("F_", c.F),
      ...prefixed("PROT_", c.PROT),
      ...prefixed("MAP_", c.MAP),
      ...prefixed("MFD_", c.MFD),
      ...prefixed("MADV_", c.MADV),
      ...prefixed("EFD_", c.EFD),
      ...prefixed("TFD_", c.TFD),
      ...prefixed("CLOCK_", c.CLOCK),
      ...prefixed("SCHED_", c.SCHED),
      ...c.ACCESS,
      ...prefixed("AF_", c.AF),
      ...prefixed("SOCK_", c.SOCK),
      ...prefixed("SO_", c.SO),
      SOL_SOCKET: c.SOL_SOCKET,
      ...prefixed("MSG_", c.MSG),
      ...prefixed("SEEK_", c.SEEK),
    },
  },
  {
    soname: "libxenstore.so.4",
    symbols: libxenstoreSymbols,
    headers: ["xenstore.h"],
    constants: { XBT_NULL },
  },
  { soname: "libxengnttab.so.1", symbols: libxengnttabSymbols, headers: ["xengnttab.h"], constants: {} },
  { soname: "libxenhypfs.so.1", symbols: libxenhypfsSymbols, headers: ["xenhypfs.h"], constants: {} },
  { soname: "libxenevtchn.so.1", symbols: libxenevtchnSymbols, headers: ["xenevtchn.h"], constants: {} },
  {
    soname: "libasound.so.2",
    symbols: alsa.libasoundSymbols,
    headers: ["alsa/asoundlib.h"],
    constants: {
      ...prefixed("SND_PCM_STREAM_", alsa.SND_PCM_STREAM),
      SND_PCM_NONBLOCK: alsa.SND_PCM_NONBLOCK,
      ...prefixed("SND_PCM_ACCESS_", alsa.SND_PCM_ACCESS),
      ...prefixed("SND_PCM_STATE_", alsa.SND_PCM_STATE),
      ...prefixed("SND_PCM_TSTAMP_", alsa.SND_PCM_TSTAMP),
      ...prefixed("SND_PCM_TSTAMP_TYPE_", alsa.SND_PCM_TSTAMP_TYPE),
      SND_ERROR_BEGIN: alsa.SND_ERROR_BEGIN,
    },
  },
];

/** Functions whose last parameter stands for C's `...`. */
const variadic = new Set(["open", "fcntl"]);

for (const { soname, symbols } of libraries) {
  Deno.test(`${soname} has every symbol of its table`, () => {
    // optional symbols too: the library versions that the project is built for have them all
    const wanted = Object.fromEntries(
      Object.entries(symbols).map(([key, symbol]) => [key, { ...symbol, optional: false }]),
    );
    Deno.dlopen(soname, wanted as Deno.ForeignLibraryInterface).close();
  });
}

/** The program's sources, joined, without comments, tests and packaging. */
const program = ["main.ts", ...["cmd", "ffi", "lib"].flatMap(sourcesBelow)]
  .map((file) => Deno.readTextFileSync(join(root, file)).replace(/\/\*[^]*?\*\/|(?<!:)\/\/.*/g, "")).join(
    "\n",
  );

/** TypeScript files below a folder, as paths below the root. */
function sourcesBelow(folder: string): string[] {
  return Array.from(Deno.readDirSync(join(root, folder))).flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    return isDirectory ? sourcesBelow(path) : name.endsWith(".ts") ? [path] : [];
  });
}

/**
 * The names that the program takes from a library: as `libc().read`, as `const { read } = libc()`, or, in the library's own
 * folder, from a variable that holds the functions (`const lib = libasound()`).
 */
function namesTaken(library: string): Set<string> {
  const direct = program.matchAll(new RegExp(`\\b${library}\\(\\)\\s*\\??\\.(\\w+)`, "g"));
  const held = program.matchAll(/\blib\??\.(\w+)/g);
  const destructured = program.matchAll(new RegExp(`\\{([\\w\\s,]+)\\} = ${library}\\(\\)`, "g"));
  return new Set([
    ...Array.from(direct, ([, name]) => name!),
    ...Array.from(held, ([, name]) => name!),
    ...Array.from(destructured, ([, names]) => names!.split(",").map((name) => name.trim())).flat(),
  ]);
}

for (const { soname, symbols } of libraries) {
  Deno.test(`the program uses every symbol that it declares of ${soname}`, () => {
    const taken = namesTaken(soname.replace(/\.so.*/, ""));
    // Loading a symbol costs each engine time and memory. A test declares the symbols that only the test calls.
    assert.deepEqual(Object.keys(symbols).filter((name) => !taken.has(name)), []);
  });
}

const includes = new Deno.Command("sh", {
  args: ["-c", "gcc -E -xc - -o /dev/null"],
  stdin: "piped",
  stderr: "null",
});

async function headersPresent(headers: readonly string[]): Promise<boolean> {
  const child = includes.spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(headers.map((name) => `#include <${name}>\n`).join("")));
  await writer.close();
  return (await child.status).success;
}

for (const library of libraries) {
  const { soname, headers } = library;
  const ignore = !await headersPresent(headers);
  const needs = ignore ? ` (needs gcc and the headers ${headers.join(", ")})` : "";
  Deno.test({
    name: `the table of ${soname} agrees with its headers${needs}`,
    ignore,
    fn: () => compare(library),
  });
}

async function compare({ symbols, headers, constants }: Library): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "xsnd-headers-" });
  try {
    const preamble = [
      "#define _GNU_SOURCE",
      ...headers.map((name) => `#include <${name}>`),
      "#include <stdio.h>",
      // glibc declares these as unions of pointers to every kind of address. A call passes any one of them.
      "#define __SOCKADDR_ARG struct sockaddr *",
      "#define __CONST_SOCKADDR_ARG const struct sockaddr *",
    ];
    const declared = await prototypes(directory, preamble.join("\n") + "\n");

    const functions = Object.entries(symbols).flatMap(([key, symbol]) => {
      if (!("parameters" in symbol)) return [];
      const name = symbol.name ?? key;
      const prototype = declared.get(name);
      assert(prototype, `${name} is in no header`);
      return [{ key, name, ffi: [symbol.result, ...symbol.parameters], c: prototype }];
    });

    const lines = functions.flatMap(({ c }) => c.filter((type) => type !== "void" && type !== "..."))
      .map((type) => `  TYPE(${type});`);
    const values = Object.keys(constants).map((name) => `  printf("%lld\\n", (long long)${name});`);
    const output = await run(
      directory,
      [
        ...preamble,
        // class 5 is a pointer (gcc/typeclass.h); a type in which -1 is below 1 is signed
        "#define TYPE(T) printf(__builtin_classify_type((T)0) == 5 ? \"*\\n\" : \"%c%zu\\n\", (T)-1 < (T)1 ? 'i' : 'u', 8 * sizeof(T))",
        "int main(void) {",
        ...lines,
        ...values,
        "}",
      ].join("\n"),
    );
    const found = output.trimEnd().split("\n");

    for (const { key, name, ffi, c } of functions) {
      const widths = c.map((type) => type === "void" || type === "..." ? type : found.shift()!);
      const count = widths.at(-1) === "..." ? widths.length - 1 : widths.length;
      assert.equal(widths.at(-1) === "...", variadic.has(name), `${name}: variadic`);
      assert.equal(ffi.length, variadic.has(name) ? count + 1 : count, `${key}: number of parameters`);
      for (let i = 0; i < count; i++) {
        assert(
          agrees(ffi[i]!, widths[i]!, key.startsWith("hot_")),
          `${key}: ${ffi[i]} for C's ${c[i]} (${widths[i]})`,
        );
      }
    }
    assert.deepEqual(
      Object.fromEntries(Object.keys(constants).map((name) => [name, BigInt(found.shift()!)])),
      Object.fromEntries(Object.entries(constants).map(([name, value]) => [name, BigInt(value)])),
    );
    assert.equal(found.length, 0);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** C types as {@link compare}'s program prints them. */
const width: Partial<Record<string, string>> = {
  bool: "u8",
  usize: "u64",
  isize: "i64",
  pointer: "*",
  buffer: "*",
  function: "*",
};

/** Whether an FFI type matches a C type. A hot alias may take the low half, take an address as a number, or drop a result. */
function agrees(ffi: Deno.NativeResultType, c: string, hot: boolean): boolean {
  const type = width[String(ffi)] ?? String(ffi);
  if (type === c) return true;
  if (!hot) return false;
  return type === "void" || type === "u32" && c === "u64" || type === "i32" && c === "i64" ||
    type === "u64" && c === "*";
}

/** Result and parameter types of every function that `source` declares, in C's notation. */
async function prototypes(directory: string, source: string): Promise<Map<string, string[]>> {
  await Deno.writeTextFile(`${directory}/declare.c`, source);
  await gcc(
    "-aux-info",
    `${directory}/declare.txt`,
    "-c",
    `${directory}/declare.c`,
    "-o",
    `${directory}/declare.o`,
  );
  const found = new Map<string, string[]>();
  for (const line of (await Deno.readTextFile(`${directory}/declare.txt`)).split("\n")) {
    const match = /\*\/ extern (.*?)(\w+) \((.*)\);$/.exec(line);
    if (!match) continue;
    const [, result, name, parameters] = match;
    // commas inside a function type's parentheses do not separate parameters
    const list = parameters === "void" ? [] : parameters!.split(/, (?![^(]*\))/);
    found.set(name!, [result!.trim(), ...list]);
  }
  return found;
}

/** Compiles and runs a C program. Returns its standard output. */
async function run(directory: string, source: string): Promise<string> {
  await Deno.writeTextFile(`${directory}/print.c`, source);
  await gcc(`${directory}/print.c`, "-o", `${directory}/print`);
  const { success, stdout } = await new Deno.Command(`${directory}/print`).output();
  assert(success);
  return new TextDecoder().decode(stdout);
}

async function gcc(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("gcc", { args: ["-std=gnu11", "-w", ...args] }).output();
  assert(success, new TextDecoder().decode(stderr));
}
