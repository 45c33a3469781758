// SPDX-License-Identifier: MIT
/** `serve --trace-on-xrun`: a trace of each stream that has an xrun, and no more files than there may be. */
import assert from "node:assert/strict";
import { assertFails, inBox, until } from "./harness.ts";
import { playWithXrun } from "./stutter.ts";

const STREAM = "domU/0/0/0";
const namesIn = (directory: string) => Array.from(Deno.readDirSync(directory), ({ name }) => name).sort();

Deno.test("an xrun leaves a trace that says why; of fifty-one the oldest goes, and other files stay", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    const directory = box.path("new/traces");
    const daemon = await box.serve("--trace-on-xrun", directory);
    assert.deepEqual(namesIn(directory), []);
    const old = Array.from({ length: 50 }, (_, i) => `web-0-0-0-20200101T0000${10 + i}Z.xrun.trace`);
    for (const name of [...old, "killed.xrun.trace.part", "mine.trace", "20000101T000000Z.txt"]) {
      Deno.writeTextFileSync(`${directory}/${name}`, "");
    }
    await playWithXrun(box, STREAM, 96_000);

    const isNew = (name: string) => name.startsWith("domU-");
    await until(
      "there is a trace",
      () => namesIn(directory).some((name) => isNew(name) && name.endsWith("Z.xrun.trace")),
    );
    const names = namesIn(directory);
    const [written, ...more] = names.filter(isNew);
    assert.deepEqual(more, []);
    assert.deepEqual(
      names.filter((name) => !isNew(name)),
      ["20000101T000000Z.txt", "mine.trace", ...old.slice(1)].sort(),
    );
    const summary = await box.ok("trace", "show", `${directory}/${written}`, "--summary");
    assert.match(
      summary,
      /# verdict: the guest was late .*\n# {3}.* s: the guest was late by \d+ ms: no WRITE between /,
    );
    await until("the log says so", () => daemon.stderr.includes(`${written} has the trace`));
    assert.match(
      daemon.stderr,
      /xsnd: info: domU\/0\/0\/0: the guest was late .*; \/.*\.xrun\.trace has the trace/,
    );
  }));

Deno.test("a directory in which no trace can be written is refused at the start", () =>
  inBox(async (box) => {
    Deno.writeTextFileSync(box.path("file"), "");
    const refused = await box.run("serve", "--trace-on-xrun", box.path("file/traces"));
    assertFails(refused, 1, /cannot write traces in .*file\/traces: a part of the path is no directory/);
  }));
