// SPDX-License-Identifier: MIT
/** `xsnd top` and the table of `xsnd status`: at a terminal, which is tmux's, and without a terminal. */
import assert from "node:assert/strict";
import { Exit } from "../../lib/base/error.ts";
import { assertFails, type Box, inBox, launcher, makeWav, sharedBox, until } from "./harness.ts";
import { Terminal } from "./terminal.ts";

const STREAM = "domU/0/0/0";
const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 960_000 };

const served = sharedBox(async (box) => {
  await box.provision("domU", [
    { type: "playback", device: "dummy:" },
    { type: "capture", device: "dummy:" },
  ]);
  await box.serve();
});

/** Runs `body` while a guest plays, paused by the operator; the sound outlasts every test. */
async function whilePlaying(body: (box: Box) => Promise<void>): Promise<void> {
  const box = served();
  const input = makeWav(box.path("in.wav"), sound);
  await using playing = box.spawn("play", input, STREAM);
  await box.untilStream(STREAM, ({ state, positionFrames }) => state === "running" && positionFrames > 0);
  await box.ok("trigger", "pause", STREAM);
  try {
    await body(box);
  } finally {
    // Not ok(): where the body fails, its error counts.
    await box.run("trigger", "resume", STREAM, "--timeout", "0");
    await playing.end("SIGINT");
  }
}

Deno.test("top fits 80 columns, with the notes, shows more in wider terminals, and q ends it", () =>
  whilePlaying(async (box) => {
    await using terminal = await Terminal.run(
      box,
      { columns: 80, rows: 12 },
      `${launcher} top --interval 0.3`,
    );
    const screen = await terminal.untilScreen(/domU\/0\/0\/1 .*\*/);
    const [daemon, cpu, empty, header, playback, capture] = screen.split("\n");
    assert.match(daemon!, /^\d{4}-\d\d-\d\dT.*Z daemon \d+, up \d+:\d\d:\d\d, \d+ MB; 2 streams, 1 running$/);
    assert.match(cpu!, /^CPU: daemon \d+\.\d%, of it the shared engine \d+\.\d% /);
    assert.equal(empty, "");
    assert.match(header!, /^STREAM +STATE( +RATE)? +FILL +LAT +POSITION +XRUNS +CPU% DEVICE +NOTES$/);
    assert.match(
      playback!,
      /^domU\/0\/0\/0 held( +48000)? +\d+% +[\d.]+ +0:00:0\d +\d+ +[\d.]+\* dummy: +paused by operator$/,
    );
    assert.match(capture!, /^domU\/0\/0\/1 closed( +-){3,4} +0 +[\d.]+\* dummy:$/);
    assert.equal(await terminal.tmux("display", "-p", "#{alternate_on} #{cursor_flag}"), "1 0\n");
    await terminal.tmux("resize-window", "-x", "120", "-y", "12");
    await terminal.untilScreen(/CPU% TYPE +DEVICE +NOTES/);
    await terminal.untilScreen(/ playback dummy: +paused by operator/);
    await terminal.tmux("resize-window", "-x", "40", "-y", "5");
    await terminal.untilScreen(/^\d{4}-.*\nCPU: .*\n\nSTREAM .*\ndomU.*\n$/);
    await terminal.tmux("send-keys", "xyq");
    await terminal.assertRestored(Exit.done);
  }));

Deno.test("keys select a stream, mute it, pause it, change its volume, and sort, filter and explain the list", () =>
  whilePlaying(async (box) => {
    const size = { columns: 100, rows: 6 };
    await using terminal = await Terminal.run(box, size, `${launcher} top --interval 1000`);
    // The selected row is as long as the screen is wide; a row without notes has room for the events.
    const row = (state: string, notes = "") =>
      new RegExp(`^domU/0/0/0 ${state} .* dummy: *${notes}( +\\d+)? *$`, "m");
    const press = (...keys: string[]) => terminal.tmux("send-keys", ...keys);
    const first = await terminal.untilScreen(/^1 more below {2}\? help/m);
    assert.match(first, /^domU\/0\/0\/0 held .* paused by operator *\n1 more below/m);
    await press("p");
    await terminal.untilScreen(row("running"));
    await press("m");
    await terminal.untilScreen(row("running", "muted"));
    await press("m");
    await press("-");
    await terminal.untilScreen(row("running", "-1 dB"));
    await press("+");
    await terminal.untilScreen(row("running"));
    await press("p");
    await terminal.untilScreen(/^domU\/0\/0\/0 held /m);
    assert.equal((await box.stream(STREAM)).hold, "paused");
    // The other stream, which nobody has open, can be paused beforehand.
    await press("Down");
    await terminal.untilScreen(/^domU\/0\/0\/1 .*\n1 more above {2}\? help/m);
    await press("p");
    await terminal.untilScreen(/^domU\/0\/0\/1 held /m);
    await press("p");
    await terminal.untilScreen(/^domU\/0\/0\/1 closed /m);
    await press("s");
    await terminal.untilScreen(/^1 more above {2}by CPU% /m);
    await press("/", "0/0");
    await terminal.untilScreen(/^\/0\/0_$/m);
    await press("BSpace", "0/1", "Enter");
    await terminal.untilScreen(/^by CPU% {2}\/0\/0\/1 {2}\? help/m);
    await press("Escape");
    await terminal.untilScreen(/^1 more above {2}by CPU% {2}\? help/m);
    await press("?");
    await terminal.untilScreen(/^m +mute it, or end the mute$/m);
    await press("x", "Home");
    await terminal.untilScreen(/^1 more below /m);
    // A narrow screen tells of the keys that it has room for, and of no part of a key.
    await terminal.tmux("resize-window", "-x", "40", "-y", "6");
    await terminal.untilScreen(/^1 more below {2}by CPU% {2}\? help {2}q quit$/m);
    await press("q");
    await terminal.assertRestored(Exit.done);
  }));

Deno.test("Ctrl-Z gives the shell its screen, and fg gives top its own", async () => {
  const box = served();
  await using terminal = await Terminal.run(box, { columns: 80, rows: 10 }, "bash --norc --noprofile -i");
  await terminal.tmux("send-keys", `${launcher} top`, "Enter");
  await terminal.untilScreen(/^domU/m);
  await terminal.tmux("send-keys", "C-z");
  await terminal.untilScreen(/Stopped/);
  assert.equal(await terminal.tmux("display", "-p", "#{alternate_on} #{cursor_flag}"), "0 1\n");
  await terminal.tmux("send-keys", "fg", "Enter");
  await terminal.untilScreen(/^domU/m);
  assert.equal(await terminal.tmux("display", "-p", "#{alternate_on} #{cursor_flag}"), "1 0\n");
  await terminal.tmux("send-keys", "q");
  await until(
    "the shell has its screen",
    async () => await terminal.tmux("display", "-p", "#{alternate_on}") === "0\n",
  );
  await terminal.tmux("send-keys", "exit", "Enter");
  await terminal.untilScreen(/^code 0$/m);
});

Deno.test("Ctrl-Z stops no top that no shell could go on with", async () => {
  const box = served();
  await using terminal = await Terminal.run(box, { columns: 80, rows: 10 }, `${launcher} top --interval 0.1`);
  const first = await terminal.untilScreen(/^domU/m);
  await terminal.tmux("send-keys", "C-z");
  const time = /^\S+Z/.exec(first)![0];
  await until("it shows a later time", async () => {
    const screen = await terminal.screen();
    return /^domU/m.test(screen) && !screen.startsWith(time);
  });
  await terminal.tmux("send-keys", "q");
  await terminal.assertRestored(Exit.done);
});

Deno.test("Ctrl-C, SIGTERM and the daemon's end leave the terminal as it was", async () => {
  const box = served();
  const command = (rest: string) => `sh -c 'echo $$ >${box.path("pid")}; exec ${launcher} top ${rest}'`;
  const size = { columns: 80, rows: 10 };
  {
    await using terminal = await Terminal.run(box, size, command(""));
    await terminal.untilScreen(/^domU/m);
    await terminal.tmux("send-keys", "C-c");
    await terminal.assertRestored(Exit.interrupted);
  }
  {
    await using terminal = await Terminal.run(box, size, command("--interval 1000"));
    await terminal.untilScreen(/^domU/m);
    Deno.kill(Number(Deno.readTextFileSync(box.path("pid"))), "SIGTERM");
    await terminal.assertRestored(Exit.interrupted);
  }
  await inBox(async (other) => {
    const daemon = await other.serve();
    await using terminal = await Terminal.run(other, size, `${launcher} top --interval 0.1`);
    await terminal.untilScreen(/daemon/);
    await daemon.end("SIGTERM");
    const screen = await terminal.untilScreen(/^code/m);
    assert.match(screen, /^before\nxsnd: the daemon hung up[^\n]*\ncode 3\n/);
    assert.equal(await terminal.tmux("display", "-p", "#{alternate_on} #{cursor_flag}"), "0 1\n");
  });
});

Deno.test("off a terminal, and with --batch, top prints plain lines", () =>
  whilePlaying(async (box) => {
    const text = await box.ok("top", "--iterations", "2", "--interval", "0.1");
    const views = text.split("\n\n");
    assert.equal(views.length, 2);
    for (const view of views) {
      const lines = view.trimEnd().split("\n");
      assert.equal(lines.length, 5);
      assert.match(lines[2]!, /^STREAM .* PERIOD .* NOTES +EVENTS$/, "whole");
      assert.match(lines[3]!, /^domU\/0\/0\/0 held /);
    }
    assert(!/\p{Cc}/u.test(text.replaceAll("\n", "")), "no escape codes");
    const reports = (await box.ok("top", "-n", "2", "-i", "0.1", "--json")).trimEnd().split("\n").map((
      line,
    ) => JSON.parse(line));
    assert.equal(reports.length, 2);
    for (const { version, streams } of reports) assert.deepEqual([version, streams.length], [2, 2]);
    assert(reports[1].uptimeSeconds > reports[0].uptimeSeconds);
    assert(reports[1].cpuSeconds >= reports[1].sharedEngineCpuSeconds);
  }));

Deno.test("top ends with 130 on SIGINT, 3 without a daemon and 2 for what is no interval", async () => {
  const box = served();
  const top = box.spawn("top", "--batch", "--interval", "1000");
  await until("a view", () => /^domU/m.test(top.stdout));
  assert.equal((await top.end("SIGINT")).code, Exit.interrupted);
  const nowhere = { XSND_CONTROL: box.path("nothing.sock") };
  assertFails(
    await box.spawnWith(nowhere, "top", "--timeout", "0.1").result,
    Exit.noDaemon,
    /no daemon answers/,
  );
  for (const args of [["-i", "0"], ["-i", "soon"], ["-n", "0"], ["-n", "1.5"]]) {
    assert.equal((await box.run("top", ...args)).code, Exit.usage, args.join(" "));
  }
});

Deno.test("status is a table of at most 80 columns", () =>
  whilePlaying(async (box) => {
    const [header, playback, capture, end] = (await box.ok("status")).split("\n");
    assert.match(header!, /^STREAM +TYPE +STATE +RATE +POSITION +XRUNS +DEVICE +NOTES$/);
    assert.match(
      playback!,
      /^domU\/0\/0\/0 +playback +held +48000 +0:00:0\d +\d+ +dummy: +paused by operator$/,
    );
    assert.match(capture!, /^domU\/0\/0\/1 +capture +closed +- +- +0 +dummy:$/);
    assert.equal(end, "");
    for (const line of [header, playback, capture]) assert(line!.length <= 80, line);
  }));
