// SPDX-License-Identifier: MIT
/** `-o`, `--no-headers` and `--watch` of `list` and `status`, in a pipe and at a terminal. */
import assert from "node:assert/strict";
import { Exit } from "../../lib/base/error.ts";
import { launcher, Process, sharedBox } from "./harness.ts";
import { Terminal } from "./terminal.ts";

const DUMMY = { type: "playback", device: "dummy:" } as const;
const LONG = "a-guest-whose-name-is-longer-than-most-terminals-like";

const shared = sharedBox(
  async (box) => {
    await box.provision("domU", [DUMMY, { type: "capture", device: "dummy:" }]);
    await box.provision(LONG, [DUMMY]);
    await box.serve();
    await box.untilStream(`${LONG}/0/0/0`, ({ state }) => state === "detached");
  },
  "domU",
  LONG,
);

/** A line without the spaces that make it a row. */
const narrow = (line: string) => line.replace(/ +/g, " ");

Deno.test("-o name prints names alone, and --no-headers a table without its header", async () => {
  const box = shared();
  assert.equal(await box.ok("list", "-o", "name"), `domU/0\n${LONG}/0\n`);
  assert.equal(await box.ok("status", "--output=name"), `domU/0/0/0\ndomU/0/0/1\n${LONG}/0/0/0\n`);
  assert.equal(await box.ok("status", "domU/0/0/1", "-o", "name"), "domU/0/0/1\n");
  for (const command of ["list", "status"]) {
    const [header, ...rows] = (await box.ok(command)).split("\n");
    assert.match(header!, /^(DOMAIN|STREAM) /);
    const bare = (await box.ok(command, "--no-headers")).split("\n");
    assert.deepEqual(bare.map(narrow), rows.map(narrow));
  }
});

Deno.test("-o json and -o yaml say the same as --json", async () => {
  const box = shared();
  const steady = (text: string) =>
    text.replace(/("?(uptime|cpu|sharedEngineCpu|engineCpu)Seconds"?|"?\w*[bB]ytes"?): ?[\d.e-]+/g, "");
  for (const command of ["list", "status"]) {
    const json = steady(await box.ok(command, "--json"));
    assert.equal(steady(await box.ok(command, "-o", "json")), json);
    await box.ok(command, "-o", "yaml");
    const script = `import {parse} from "yaml"; console.log(JSON.stringify(parse(Deno.args[0])))`;
    const yaml = await box.ok(command, "-o", "yaml");
    const { stdout } = await new Process(Deno.execPath(), ["eval", "--ext=ts", script, "--", yaml]).result;
    const shape = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(shape)
        : typeof value === "object" && value !== null
        ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shape(one)]))
        : typeof value;
    assert.deepEqual(shape(JSON.parse(stdout)), shape(JSON.parse(await box.ok(command, "--json"))));
  }
});

Deno.test("a narrow terminal loses columns, -o wide and a pipe none", async () => {
  const box = shared();
  const see = async (columns: number, command: string) => {
    await using terminal = await Terminal.run(box, { columns, rows: 12 }, `${launcher} ${command}`);
    return (await terminal.untilScreen(/^code/m)).split("\n");
  };
  const [, header, ...rows] = await see(60, "list");
  assert.match(header!, /^DOMAIN +CARD +FRONTEND +BACKEND$/);
  assert(rows.some((row) => /^a-guest.*…\S*like +0 +Initialising/.test(row)), rows.join("\n"));
  const wide = await see(60, "list -o wide");
  assert(wide.join("").includes(LONG), "whole, though the terminal breaks the line");
  const piped = await see(60, "status --no-headers | cat");
  assert(piped.join("").includes(`${LONG}/0/0/0`), "whole in a pipe");
});

Deno.test("a serial console, which says 0 by 0, has 80 by 24", async () => {
  const box = shared();
  // script(1) gives its terminal no size if it has none itself.
  const see = async (command: string) => {
    const args = ["--quiet", "--return", "--command", `${launcher} ${command}`, "/dev/null"];
    const { code, stdout } = await new Process("script", args, { env: { ...box.environment, TERM: "xterm" } })
      .result;
    assert.equal(code, 0, stdout);
    return stdout.split(/\r?\n/);
  };
  const list = await see("list");
  assert(list.every((line) => line.length <= 80) && list.some((line) => line.length > 60), list.join("\n"));
  const top = await see("top --iterations 1 --interval 0.1");
  assert(top.some((line) => /domU\/0\/0\/1/.test(line)), top.join("\n"));
});

Deno.test("a command says at a terminal what it waits for, and nothing of it in a pipe", async () => {
  const box = shared();
  await using terminal = await Terminal.run(
    box,
    { columns: 80, rows: 12 },
    `${launcher} wait domU/0/0/0 --for running --timeout 3`,
  );
  await terminal.untilScreen(/^waiting until domU\/0\/0\/0 is running, [123] s left; Ctrl-C ends$/m);
  const screen = await terminal.untilScreen(/^code/m);
  assert.match(screen, /^before\nxsnd: .*domU.*\n(.*\n)?code \d+\n/, "the note is gone");
  const { stderr } = await box.run("wait", "domU/0/0/0", "--for", "running", "--timeout", "0.5");
  assert.match(stderr, /^xsnd: domU\/0\/0\/0 is detached, and not running \(waited 0\.\d+ s\)\n$/);
});

Deno.test("status and top do not wait for a daemon that is not there, unless they are told to", async () => {
  const box = shared();
  const nowhere = { XSND_CONTROL: box.path("none.sock") };
  for (const command of [["status"], ["top", "-n", "1"]]) {
    const began = performance.now();
    const { code, stderr } = await box.spawnWith(nowhere, ...command).result;
    const atOnceMs = performance.now() - began;
    assert.equal(code, Exit.noDaemon);
    assert.match(stderr, /^xsnd: no daemon answers at \S+none\.sock; start it/);
    const waiting = performance.now();
    const { stderr: said } = await box.spawnWith(nowhere, ...command, "--wait", "2.5").result;
    assert.match(said, /\(waited 2\.5 s\)/);
    assert(performance.now() - waiting > atOnceMs + 1000, "it has waited");
  }
});

Deno.test("--watch follows the changes in a table at a terminal, and q ends it", async () => {
  const box = shared();
  await using terminal = await Terminal.run(
    box,
    { columns: 80, rows: 12 },
    `${launcher} status domU --watch`,
  );
  await terminal.untilScreen(/^STREAM +.*NOTES\s*\ndomU\/0\/0\/0 .*\ndomU\/0\/0\/1 /);
  await box.ok("mute", "domU/0/0/0");
  await terminal.untilScreen(/^domU\/0\/0\/0 .* muted$/m);
  await terminal.tmux("resize-window", "-x", "50", "-y", "12");
  await terminal.untilScreen(/^STREAM +STATE +POSITION +XRUNS +NOTES$/m);
  await box.ok("unmute", "domU/0/0/0");
  await terminal.tmux("send-keys", "q");
  await terminal.assertRestored(Exit.done);
});

Deno.test("--watch at a terminal ends with Ctrl-C, too, and --json prints lines", async () => {
  const box = shared();
  {
    await using terminal = await Terminal.run(box, { columns: 80, rows: 12 }, `${launcher} list --watch`);
    await terminal.untilScreen(/^domU +0 /m);
    await terminal.tmux("send-keys", "C-c");
    await terminal.assertRestored(Exit.interrupted);
  }
  await using terminal = await Terminal.run(
    box,
    { columns: 80, rows: 24 },
    `${launcher} list --watch --json`,
  );
  await terminal.untilScreen(/"event":"state"/);
});
