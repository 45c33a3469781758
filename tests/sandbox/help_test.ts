// SPDX-License-Identifier: MIT
/** `xsnd --help` is quick, and works on machines without Xen and sound. */
import assert from "node:assert/strict";
import { Exit } from "../../lib/base/error.ts";
import { launcher, root, xsnd } from "./harness.ts";

const COMMANDS = [
  "provision",
  "diff",
  "deprovision",
  "list",
  "show",
  "serve",
  "trigger",
  "volume",
  "mute",
  "unmute",
  "status",
  "events",
  "logs",
  "wait",
  "top",
  "play",
  "record",
  "trace",
  "sandbox",
  "demo",
  "test",
  "doctor",
  "check",
  "example",
  "probe",
  "import",
  "export",
  "version",
  "completions",
];

/** An environment in which xsnd can load none of its libraries. Deno's own libc is not affected. */
const NO_LIBRARIES = Object.fromEntries(
  ["LIBC", "LIBXENSTORE", "LIBXENGNTTAB", "LIBXENEVTCHN", "LIBASOUND"].map((
    name,
  ) => [`XSND_${name}`, "/nonexistent"]),
);

Deno.test("--help names every command, and so does no argument at all", async () => {
  for (const args of [["--help"], ["-h"], ["help"], []]) {
    const { code, stdout, stderr } = await xsnd(args, NO_LIBRARIES);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    for (const name of COMMANDS) assert.match(stdout, new RegExp(`^ {2}${name}\\b`, "m"));
    for (const line of stdout.split("\n")) assert(line.length <= 80, line);
  }
  const { stdout } = await xsnd(["--help"], NO_LIBRARIES);
  const listed = [...stdout.matchAll(/^ {2}(\w+) {2,}/gm)].map(([, name]) => name);
  assert.deepEqual(listed.toSorted(), COMMANDS.toSorted(), "those and no others, but `help`");
});

Deno.test("commands are grouped by what they are for", async () => {
  const { stdout } = await xsnd(["--help"], NO_LIBRARIES);
  const groups = ["Provisioning", "Serving", "Control", "Watching", "Trying out", "Help"];
  assert.deepEqual([...stdout.matchAll(/^(.+):$/gm)].map(([, title]) => title), ["Options", ...groups]);
});

Deno.test("every command explains itself without Xen and ALSA", async () => {
  for (const name of [...COMMANDS, ...["record", "show", "replay", "plot"].map((name) => `trace ${name}`)]) {
    const { code, stdout, stderr } = await xsnd([...name.split(" "), "--help"], NO_LIBRARIES);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, name);
    assert.match(stdout, new RegExp(`^Usage: xsnd ${name}\\b`));
    assert.match(stdout, new RegExp(`^Examples:\\n {2}.*\\bxsnd ${name}\\b.*\\n {6}\\S`, "m"), name);
    assert.match(stdout, /^Exit codes:\n {2}0 {4}\S.*\n(.*\n)* {2}2 {4}the command line/m, name);
    for (const line of stdout.split("\n")) assert(line.length <= 80, `${name}: ${line}`);
  }
  const { stdout } = await xsnd(["help", "serve"], NO_LIBRARIES);
  assert.match(stdout, /^Usage: xsnd serve\b/);
  const record = await xsnd(["help", "trace", "record"], NO_LIBRARIES);
  const wait = await xsnd(["help", "wait"], NO_LIBRARIES);
  assert.match(wait.stdout, /^Usage: xsnd wait --for <state> \[options\] <stream>\n/, "a required option");
  assert.match(record.stdout, /^Usage: xsnd trace record \[options\] <stream>\n/);
  const trace = await xsnd(["help", "trace"], NO_LIBRARIES);
  assert.match(trace.stdout, /\n {2}replay /, "its subcommands");
});

Deno.test("a command line that is wrong has the same prefix as any other error", async () => {
  for (const args of [["nosuch"], ["trace", "plot"], ["volume", "--nosuch"], ["wait"]]) {
    const { code, stderr } = await xsnd(args, NO_LIBRARIES);
    assert.equal(code, 2);
    assert.match(stderr, /^xsnd: (unknown|required|missing)/, args.join(" "));
  }
});

Deno.test("version says it of everything, also without libraries", async () => {
  const { code, stdout } = await xsnd(["version", "--json"]);
  const { xsnd: version, deno, daemon, xen, libraries } = JSON.parse(stdout);
  assert.deepEqual([code, deno, daemon, xen], [0, Deno.version.deno, null, null]);
  assert.match(libraries["libasound.so.2"].file, /libasound/);
  const bare = await xsnd(["version"], { XSND_LIBASOUND: "/nonexistent" });
  assert.match(bare.stdout, new RegExp(`^xsnd +${version.replaceAll(".", "\\.")}\n`));
  assert.match(bare.stdout, /^libasound\.so\.2 +missing$/m);
});

Deno.test("--version says which one it is", async () => {
  const { version } = JSON.parse(Deno.readTextFileSync(`${root}deno.json`));
  const { code, stdout } = await xsnd(["--version"], NO_LIBRARIES);
  assert.deepEqual([code, stdout], [0, `${version}\n`]);
});

Deno.test("--help loads no library of Xen or ALSA, and no module that binds one", async () => {
  // LD_DEBUG makes the dynamic loader name every file that it opens.
  const { code, stderr, stdout } = await xsnd(["--help"], { LD_DEBUG: "files" });
  assert.equal(code, 0);
  assert.match(stdout, /Usage: xsnd/);
  assert.match(stderr, /libc\.so\.6/, "the loader speaks");
  assert(!/libxen|libasound/.test(stderr));
  const loud = await xsnd(["list"], { LD_DEBUG: "files", XENSTORED_PATH: "/nowhere", XSND_SANDBOX: "" });
  assert.match(loud.stderr, /libxenstore/, "it would show");
});

Deno.test("--help takes at most three times as long as Deno takes for nothing", async () => {
  const time = async (command: string, args: string[], env: Record<string, string>) => {
    const start = performance.now();
    const { success } = await new Deno.Command(command, {
      args,
      env,
      cwd: root,
      stdout: "null",
      stderr: "null",
    })
      .output();
    assert(success);
    return performance.now() - start;
  };
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;
  const rounds: { readonly helpMs: number; readonly bareMs: number }[] = [];
  for (let round = 0; round < 3; round++) {
    const help: number[] = [], bare: number[] = [];
    // Both run in turns, under the same load of the machine.
    for (let i = 0; i < 9; i++) {
      bare.push(await time(Deno.execPath(), ["eval", "0"], {}));
      help.push(await time(launcher, ["--help"], {}));
    }
    rounds.push({ helpMs: median(help), bareMs: median(bare) });
  }
  // Another program may slow one of the two: the quietest round counts.
  assert(
    rounds.some(({ helpMs, bareMs }) => helpMs <= 3 * bareMs),
    rounds.map(({ helpMs, bareMs }) =>
      `${helpMs.toFixed(0)} ms, and \`deno eval 0\` takes ${bareMs.toFixed(0)} ms`
    ).join("; "),
  );
});

Deno.test("what is not understood is exit 2, with a suggestion where there is one", async () => {
  const cases: [args: string[], message: RegExp][] = [
    [["servr"], /unknown command 'servr'[\s\S]*\(Did you mean serve\?\)/],
    [["provison", "domU"], /unknown command 'provison'[\s\S]*Did you mean (one of )?.*provision/],
    [["dance"], /unknown command 'dance'/],
    [["--loud"], /unknown option '--loud'/],
    [
      ["play", "--behavior", "linux-6.1", "a", "b"],
      /unknown option '--behavior'[\s\S]*\(Did you mean --behaviour\?\)/,
    ],
    [["play"], /missing required argument 'file'/],
    [["play", "a"], /missing required argument 'stream'/],
    [["play", "a", "b", "c"], /too many arguments/],
    [
      ["play", "a", "b", "--behaviour", "linux-5"],
      /'linux-5' is invalid.*Allowed choices are linux-6\.1, linux-7\.2/,
    ],
    [["record", "a", "b", "--format", "wav"], /'wav' is invalid.*Allowed choices are s8, u8, s16_le, /],
    [["play", "a", "b", "--period-frames", "1.5"], /'1\.5' is invalid.*whole number/],
    [["demo", "--input"], /'--input <file>' argument missing/],
    [["demo", "--buffer-frames", "0"], /'0' is invalid/],
    [["status", "--timeout", "soon"], /'soon' is invalid/],
    [["trigger", "pause", "domU", "--timeout", "86401"], /'86401' is invalid.*at most 86400, a day/],
    [["doctor", "--timeout", "0"], /'0' is invalid.*positive number of seconds/],
    [["trigger", "dance", "domU"], /'dance' is invalid.*Allowed choices are start, pause, resume, stop\.$/m],
    [["trigger", "puase", "domU"], /'puase' is invalid.*\(did you mean pause\?\)\.$/m],
    [["record", "a", "b", "--format", "s16le"], /'s16le' is invalid.*\(did you mean s16_le\?\)\.$/m],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await xsnd(args, NO_LIBRARIES);
    assert.deepEqual([code, stdout], [Exit.usage, ""], `xsnd ${args.join(" ")}: ${stderr}`);
    assert.match(stderr, message);
    assert(!/^\s+at /m.test(stderr), stderr);
  }
});
