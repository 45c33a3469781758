// SPDX-License-Identifier: MIT
/** Tests which folder may import from which. */
import assert from "node:assert/strict";
import { basename, dirname, join, normalize } from "node:path";

const root = new URL("../../", import.meta.url).pathname;

/** The rooms (groups of files), lowest first. A file imports files of its own room and of rooms above it in this list. */
const ROOMS = [
  "ffi/base",
  "ffi/libc",
  "ffi/xen",
  "ffi/alsa",
  "lib/base",
  "lib/sndif",
  "lib/log",
  "lib/wav",
  "lib/xen",
  "lib/xenbus",
  "lib/pcm",
  "lib/vsnd/model",
  "lib/stream",
  "lib/vsnd/nodes",
  "lib/vsnd/xl",
  "lib/vsnd/config",
  "lib/vsnd/provision",
  "lib/probe",
  "lib/trace",
  "lib/bridge",
  "lib/engine",
  "lib/control",
  "lib/daemon",
  "lib/observe",
  "lib/metrics",
  "lib/service",
  "lib/doctor",
  "lib/guest",
  "lib/completion",
  "lib/demo",
  "mod.ts",
  "cmd/shared",
  "cmd",
  "main.ts",
];

/** Rooms that never import each other, although one is below the other. */
const APART: readonly (readonly [string, string])[] = [["lib/engine", "lib/daemon"]];

/** Folders that each hold a version of the same port. The folder's name tells a file's version. */
const VERSIONS = ["native", "embedded", "alsa", "dummy"];

/** `from "./x.ts"`, `import "./x.ts"` and `import("./x.ts")`. Workers are started by URL, which is no import. */
const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*"(\.{1,2}\/[^"]+\.ts)"/g;

/** Files below `path`, as paths below the root. */
function filesBelow(path: string): string[] {
  return Array.from(Deno.readDirSync(join(root, path))).flatMap(({ name, isDirectory }) => {
    const below = join(path, name);
    return isDirectory ? filesBelow(below) : below.endsWith(".ts") ? [below] : [];
  });
}

const FILES = ["main.ts", "mod.ts", ...["cmd", "ffi", "lib"].flatMap(filesBelow)].sort();

/** What each file imports. */
const IMPORTS: ReadonlyMap<string, readonly string[]> = new Map(FILES.map((file) => {
  const code = Deno.readTextFileSync(join(root, file)).replace(/\/\*[^]*?\*\//g, "");
  return [file, Array.from(code.matchAll(IMPORT), ([, there]) => normalize(join(dirname(file), there!)))];
}));

/** The room that a file is in: the longest name that its path begins with. */
function roomOf(file: string): string {
  const rooms = ROOMS.filter((room) => file === room || file.startsWith(`${room}/`));
  const [room] = rooms.sort((a, b) => b.length - a.length);
  assert(room !== undefined, `${file} is in no room: add its folder to ROOMS, or move the file`);
  return room;
}

/** Every import, with its file. */
function* eachImport(): Generator<readonly [file: string, imported: string]> {
  for (const [file, imports] of IMPORTS) for (const imported of imports) yield [file, imported];
}

Deno.test("every file is in a room, and every import is a file", () => {
  for (const file of FILES) roomOf(file);
  const missing = [...eachImport()].filter(([, imported]) => !IMPORTS.has(imported));
  assert.deepEqual(missing, []);
  // With too few files the tests below pass without checking anything.
  assert(FILES.length > 200 && [...eachImport()].length > 800);
});

Deno.test("nothing imports upwards", () => {
  const upwards = [...eachImport()].filter(([file, imported]) =>
    ROOMS.indexOf(roomOf(imported)) > ROOMS.indexOf(roomOf(file))
  );
  assert.deepEqual(upwards, []);
});

Deno.test("imports make no circle", () => {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    assert(!path.includes(file), `a circle: ${[...path.slice(path.indexOf(file)), file].join(" -> ")}`);
    if (done.has(file)) return;
    for (const imported of IMPORTS.get(file) ?? []) visit(imported, [...path, file]);
    done.add(file);
  };
  for (const file of FILES) visit(file, []);
});

Deno.test("the engine and the daemon never import each other", () => {
  const meetings = [...eachImport()].filter((pair) => {
    const [a, b] = pair.map(roomOf);
    return APART.some(([one, other]) => (a === one && b === other) || (a === other && b === one));
  });
  assert.deepEqual(meetings, []);
});

Deno.test("lib/sndif imports nothing", () => {
  const out = [...eachImport()].filter(([file, imported]) =>
    roomOf(file) === "lib/sndif" && roomOf(imported) !== "lib/sndif"
  );
  assert.deepEqual(out, []);
});

Deno.test("lib/trace reads a file with lib/base, lib/sndif and lib/stream alone", () => {
  const allowed = ["lib/trace", "lib/base", "lib/sndif", "lib/stream"];
  const out = [...eachImport()].filter(([file, imported]) =>
    roomOf(file) === "lib/trace" && !allowed.includes(roomOf(imported)) &&
    imported !== "ffi/libc/errno.ts" // a table of names; opens no library
  );
  assert.deepEqual(out, []);
});

Deno.test("no two files have one name, unless their folders say which is which", () => {
  const byName = Map.groupBy(FILES.filter((file) => !file.startsWith("cmd/")), (file) => basename(file));
  byName.delete("mod.ts");
  const unclear = [...byName.values()].filter((files) =>
    // One file may be the port whose versions the others are.
    files.filter((file) => !dirname(file).split("/").some((folder) => VERSIONS.includes(folder))).length > 1
  );
  assert.deepEqual(unclear, []);
});
