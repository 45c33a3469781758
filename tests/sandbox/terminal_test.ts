// SPDX-License-Identifier: MIT
/** Colours and progress are printed at a terminal and nowhere else. */
import assert from "node:assert/strict";
import { makeWav, Process, root } from "./harness.ts";

const ESCAPE = "\x1b";

/** Runs `xsnd demo` of a short file, at a terminal or with pipes; returns its stdout. */
async function demo(terminal: boolean, env: Record<string, string>): Promise<string> {
  const directory = Deno.makeTempDirSync({ prefix: "xsnd-terminal-" });
  try {
    const shape = { format: "s16_le", channels: 2, rate: 48000, frames: 24000 };
    const line = `${root}xsnd demo --input ${makeWav(`${directory}/noise.wav`, shape)}`;
    const command = terminal
      ? ["script", "--quiet", "--return", "--command", line, "/dev/null"]
      : ["sh", "-c", line];
    const { code, stdout, stderr } = await new Process(command[0]!, command.slice(1), {
      env: { TERM: "xterm", NO_COLOR: "", ...env },
    }).result;
    assert.equal(code, 0, stdout + stderr);
    assert.equal(stderr, "");
    return stdout;
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("at a terminal there are colours, and progress that goes when it is done", async () => {
  const said = await demo(true, {});
  assert(said.includes(`${ESCAPE}[32mPASSED${ESCAPE}[39m`), said);
  assert(said.includes(`${ESCAPE}[32myes${ESCAPE}[39m`), said);
  assert(!said.includes("\\u001b"), said);
  assert.match(said, /\r\d+\.\d of 0\.5 s [^]*\r\S*\[Kxen /);
});

Deno.test("NO_COLOR leaves the colours away", async () => {
  const said = await demo(true, { NO_COLOR: "1" });
  assert(!said.includes(`${ESCAPE}[3`), said);
  assert.match(said, /PASSED/);
});

Deno.test("off a terminal there is neither colour nor progress", async () => {
  const said = await demo(false, {});
  assert(!said.includes(ESCAPE) && !said.includes("\r"), said);
  assert.match(said, /^xen +embedded\n[^]*\nPASSED\n$/);
});
