// SPDX-License-Identifier: MIT
/** The directory of the files of open streams: a daemon removes those of domains that have gone, and nothing of anybody else's. */
import assert from "node:assert/strict";
import { KeptFiles } from "../../lib/daemon/kept_files.ts";

Deno.test("the files of domains that have gone are removed, and what is not a stream's file stays", () => {
  const directory = Deno.makeTempDirSync();
  try {
    const names = ["1-0-0-0", "1-0-0-1", "2-0-0-0", "notes.txt", "1-notes", "1-0-0-0.bak", "-0-0-0"];
    for (const name of names) Deno.writeTextFileSync(`${directory}/${name}`, "");
    Deno.mkdirSync(`${directory}/songs`);
    // Nobody can remove this one.
    Deno.mkdirSync(`${directory}/3-0-0-0/full`, { recursive: true });
    const asked = new Set<number>();
    new KeptFiles(directory).sweep((domid) => asked.add(domid) && domid !== 2);
    const left = [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
    assert.deepEqual(left, ["-0-0-0", "1-0-0-0.bak", "1-notes", "2-0-0-0", "3-0-0-0", "notes.txt", "songs"]);
    assert.deepEqual([...asked].sort(), [1, 2, 3]);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
