// SPDX-License-Identifier: MIT
/** `xsnd completions` in real shells, with the domains and streams that exist when the user presses the key. */
import assert from "node:assert/strict";

import { Process, root, sharedBox, xsnd } from "./harness.ts";

const box = sharedBox(async (box) => {
  const dummy = { device: "dummy:" };
  await box.provision("domU", [{ type: "playback", ...dummy }, { type: "capture", ...dummy }]);
});

/** The candidates that the scripts get for the last of `words`. */
async function candidates(...words: string[]): Promise<string[]> {
  const stdout = await box().ok("completions", "candidates", "--", ...words);
  return stdout.split("\n").slice(0, -1).map((line) => line.split("\t")[0]!);
}

Deno.test("commands, options, choices, files, domains and streams are completed", async () => {
  const cases: [words: string[], expected: string[]][] = [
    [["tri"], ["trigger"]],
    [["help", "unm"], ["unmute"]],
    [["trigger", ""], ["start", "pause", "resume", "stop"]],
    [["trigger", "pause", "d"], ["domU/0/0/0", "domU/0/0/1"]],
    [["trigger", "--timeout", "3", "pause", "domU/0/0/1"], ["domU/0/0/1"]],
    [["trigger", "pause", "domU", ""], ["domU/0/0/0", "domU/0/0/1"]],
    [["help", "trace", "rep"], ["replay"]],
    [["help", "mute", ""], []],
    [["show", ""], ["Domain-0", "domU"]],
    [["show", "--j"], ["--json"]],
    [["show", "--json", "--j"], []],
    [["provision", "-f", ""], [":files"]],
    [["provision", "--file="], [":files"]],
    [["check", "a"], [":files"]],
    [["play", "--behaviour", "linux-7"], ["linux-7.2"]],
    [["play", "--behaviour=linux-7"], ["--behaviour=linux-7.2"]],
    [["play", "--behaviour", "=", "linux-7"], ["linux-7.2"]], // bash's three words
    [["play", "--behaviour", "="], ["linux-6.1", "linux-7.2"]],
    [["sandbox", "--domain", "a", "--", "l"], [":files"]],
    [["completions", ""], ["bash", "zsh", "fish"]],
    [["dance", ""], []],
  ];
  for (const [words, expected] of cases) {
    assert.deepEqual(await candidates(...words), expected, words.join(" "));
  }
});

Deno.test("without Xen, or a library, there are no names and not a word", async () => {
  const absent = { XSND_SANDBOX: "", XENSTORED_PATH: "/nonexistent" };
  for (const env of [absent, { ...absent, XSND_LIBXENSTORE: "/nonexistent" }]) {
    const result = await xsnd(["completions", "candidates", "--", "trigger", "pause", ""], env);
    assert.deepEqual(result, { code: 0, stdout: "", stderr: "" });
  }
});

/** Runs `shell` with `xsnd` on its PATH; returns undefined if the machine lacks the shell. */
async function inShell(shell: string, ...args: string[]): Promise<string | undefined> {
  const env = { ...box().environment, PATH: `${root}:${Deno.env.get("PATH")}`, HOME: box().directory };
  const there = await new Process("sh", ["-c", `command -v ${shell}`]).result;
  if (there.code !== 0) return undefined;
  const { code, stdout, stderr } = await new Process(shell, args, { env }).result;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  return stdout;
}

Deno.test("bash completes", async () => {
  const script = `
    source <(xsnd completions bash)
    press() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _xsnd; printf '%s|' "\${COMPREPLY[@]}"; echo; }
    complete -p xsnd
    press xsnd tri
    press xsnd trigger pause ''
    press xsnd play --behaviour = linux-7
    press xsnd check "${root}READ"`;
  assert.deepEqual((await inShell("bash", "--norc", "-c", script))?.split("\n"), [
    "complete -F _xsnd xsnd",
    "trigger|",
    "domU/0/0/0|domU/0/0/1|",
    "linux-7.2|",
    `${root}README.md|`,
    "",
  ]);
});

Deno.test("fish completes", async () => {
  const press = (line: string) => `complete --do-complete '${line}'`;
  const script = [
    "xsnd completions fish | source",
    press("xsnd tri"),
    press("xsnd trigger pause "),
    press("xsnd check READ"),
  ];
  const stdout = await inShell("fish", "--no-config", "-c", script.join("; "));
  if (stdout === undefined) return;
  assert.deepEqual(stdout.split("\n"), [
    "trigger\tpause, resume, stop or start a stream, as operator",
    "domU/0/0/0",
    "domU/0/0/1",
    "README.md",
    "",
  ]);
});

Deno.test("zsh completes, at a terminal", async () => {
  // zpty gives the line editor a terminal. The shell then runs, and so prints, the completed line.
  const script = `
    zmodload zsh/zpty
    zpty shell 'zsh -f -i'
    zpty -w shell 'PS1=; setopt no_beep; autoload -U compinit; compinit -u -D; source <(xsnd completions zsh)'
    zpty -w shell 'xsnd() { if [[ $1 == completions ]]; then command xsnd "$@"; else print "<$*>"; fi }'
    press() { zpty -w -n shell "$1"$'\\t'; sleep 0.1; zpty -w shell ' .'; }
    press 'xsnd tri'
    press 'xsnd trigger pau'
    press 'xsnd mute domU/0/0/'
    press 'xsnd check READ'
    zpty -w shell 'print -r END"-"END; exit'
    zpty -r -m shell seen '*END-END*'
    print -r -- "$seen"`;
  const stdout = await inShell("zsh", "-f", "-c", script);
  if (stdout === undefined) return;
  assert.match(stdout, /<trigger \.>/);
  assert.match(stdout, /<trigger pause \.>/);
  assert.match(stdout, /<check README\.md \.>/);
});
