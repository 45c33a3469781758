// SPDX-License-Identifier: MIT
/** The names of traces that their user has not named. */
import assert from "node:assert/strict";
import { createNew, traceName } from "../../lib/trace/trace_file.ts";
import type { TraceHead } from "../../lib/trace/trace_format.ts";

const head = (stream: string) => ({ stream, startedAt: "2026-01-02T03:04:05.678Z" }) as TraceHead;

Deno.test("a trace is named after its stream and time, whatever the domain is called", () => {
  assert.equal(traceName(head("domU/0/0/0")), "domU-0-0-0-20260102T030405Z.trace");
  assert.equal(traceName(head("-rf *\n/0/0/0")), "_rf----0-0-0-20260102T030405Z.trace");
  assert.equal(traceName(head("../0/0/0")), "_.-0-0-0-20260102T030405Z.trace");
});

Deno.test("no trace replaces another one of the same second", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const paths = ["a", "b", "c"].map((text) => {
      const { path, append } = createNew(`${directory}/x.trace`);
      using file = append;
      file(new TextEncoder().encode(text));
      return path;
    });
    assert.deepEqual(paths, ["x.trace", "x-2.trace", "x-3.trace"].map((name) => `${directory}/${name}`));
    assert.deepEqual(paths.map((path) => Deno.readTextFileSync(path)), ["a", "b", "c"]);
    assert.throws(() => createNew(`${directory}/no/x.trace`), /cannot write .*no\/x\.trace: no such file/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
