// SPDX-License-Identifier: MIT
/** xsnd(1), as the programs that show manual pages read it. */
import assert from "node:assert/strict";
import { COMMANDS } from "../../cmd/commands.ts";
import { manPage } from "../../packaging/man.ts";
import { Process, root } from "./harness.ts";

const page = await manPage("2026-11-24");

/** What `command`, with the page's file as its last argument, prints; it must have nothing to say of the page. */
async function format(command: string, ...args: string[]): Promise<string> {
  const file = Deno.makeTempFileSync({ suffix: ".1" });
  try {
    Deno.writeTextFileSync(file, page);
    const { code, stdout, stderr } = await new Process(command, [...args, file]).result;
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, stdout);
    return stdout;
  } finally {
    Deno.removeSync(file);
  }
}

Deno.test("groff and mandoc find nothing wrong with the page", async () => {
  await format("groff", "-man", "-ww", "-Kutf8", "-Tutf8");
  assert.equal(await format("mandoc", "-Tlint", "-Wstyle"), "");
});

Deno.test("the page has all sections, commands, options, and nothing of the machine that it was made on", async () => {
  // Bold is a letter, a step back, and the letter again.
  const text = (await format("mandoc", "-Tutf8", "-Owidth=200")).replaceAll(new RegExp(".\b", "g"), "");
  const sections = [...text.matchAll(/^[A-Z][A-Z ]+$/gm)].map(([title]) => title);
  assert.deepEqual(sections, [
    ...["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "STREAMS", "EXIT STATUS", "ENVIRONMENT"],
    ...["FILES", "EXAMPLES", "SEE ALSO"],
  ]);
  for (const [name, { load }] of Object.entries(COMMANDS)) {
    assert.match(text, new RegExp(`^ +xsnd ${name}\\b`, "m"));
    for (const { flags } of (await load()).options) assert(text.includes(`  ${flags}`), `${name} ${flags}`);
  }
  assert.match(text, /^ +xsnd play <file> <stream>$/m);
  assert.match(text, /^ +xsnd trace plot /m, "commands below commands");
  assert.match(text, /XSND_LIBASOUND/);
  assert(!text.includes(root), "paths of this machine");
  assert(!text.includes("candidates"), "what is hidden");
});
