// SPDX-License-Identifier: MIT
/** The user's errors: one line that names the cause, the right exit code, and no half-done work. */
import assert from "node:assert/strict";
import { Exit } from "../../lib/base/error.ts";
import {
  assertFails,
  type Box,
  inBox,
  launcher,
  makeWav,
  Process,
  type Result,
  root,
  testAtOnce,
  until,
  xsnd,
} from "./harness.ts";

const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 12_000 };

/** Runs `body` in a box, and asserts that XenStore is unchanged. */
function unchanged(body: (box: Box) => Promise<void>): Promise<void> {
  return inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }, {
      type: "capture",
      device: "dummy:",
    }]);
    const before = await box.xenstore("ls", "-f", "-p", "/");
    await body(box);
    assert.equal(await box.xenstore("ls", "-f", "-p", "/"), before);
  });
}

testAtOnce("errors", {
  "play gives up a backend that does not come: exit 124, and the card can be used later": () =>
    inBox(async (box) => {
      await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
      const input = makeWav(box.path("in.wav"), sound);
      assertFails(
        await box.run("play", input, "domU"),
        Exit.timedOut,
        /waited 10 s for the backend of card domU\/0 to become InitWait, and it is Initialising; is `xsnd serve` running/,
      );
      await box.serve();
      await box.ok("play", input, "domU");
    }),

  "a file that will not do: no daemon is needed to be told, and no card is touched": () =>
    unchanged(async (box) => {
      const whole = makeWav(box.path("in.wav"), sound);
      Deno.writeFileSync(box.path("cut.wav"), Deno.readFileSync(whole).subarray(0, 30));
      Deno.writeTextFileSync(
        box.path("text.wav"),
        "This is no sound at all, but long enough to have a header.",
      );
      Deno.writeFileSync(box.path("empty.wav"), new Uint8Array());
      const cases: [args: string[], message: RegExp][] = [
        [["none.wav"], /cannot open .*none\.wav: no such file or directory/],
        [["."], /it is a directory/],
        [["cut.wav"], /cut\.wav: it ends before its samples: .*get a complete copy/],
        [["text.wav"], /text\.wav: it is not a WAV file/],
        [["empty.wav"], /empty\.wav/],
      ];
      for (const [[file, ...options], message] of cases) {
        assertFails(await box.run("play", box.path(file!), "domU", ...options), Exit.failed, message);
      }
    }),

  "a domain, card or stream that there is not": () =>
    unchanged(async (box) => {
      const input = makeWav(box.path("in.wav"), sound);
      for (const [verb, file] of [["play", input], ["record", box.path("out.wav")]]) {
        assertFails(
          await box.run(verb!, file!, "nobody"),
          Exit.failed,
          /no domain "nobody"; there are .*domU \(1\)/,
        );
        assertFails(
          await box.run(verb!, file!, "domU/7"),
          Exit.failed,
          /there is no stream domU\/7; `xsnd provision domU`/,
        );
        assertFails(await box.run(verb!, file!, "Domain-0"), Exit.failed, /there is no stream Domain-0/);
        assertFails(
          await box.run(verb!, file!, ""),
          Exit.usage,
          /"" is no stream name; write DOMAIN\/CARD\/PCM\/STREAM/,
        );
      }
      assert.throws(() => Deno.statSync(box.path("out.wav")), Deno.errors.NotFound);
    }),

  "a configuration that is not right: exit 6, whoever reads it": () =>
    unchanged(async (box) => {
      const config = box.path("bad.yaml");
      Deno.writeTextFileSync(
        config,
        "domains:\n  domU:\n    cards:\n      - colour: red\n        pcms: []\n",
      );
      for (const args of [["provision", "-f", config], ["serve", "--config", config], ["check", config]]) {
        const { code, stdout, stderr } = await box.run(...args);
        assert.deepEqual([code, stdout], [Exit.badConfiguration, ""], stderr);
        assert.match(stderr, /bad\.yaml:4:9: domains\.domU\.cards\[0\]\.colour: unknown key/);
        assert(!/^\s+at /m.test(stderr), stderr);
      }
      const nowhere = box.path("nowhere.yaml");
      assertFails(
        await box.run("serve", "--config", nowhere),
        Exit.badConfiguration,
        /no such file/,
      );
    }),

  "no daemon: exit 3, after the time that was given": () =>
    unchanged(async (box) => {
      const message = /no daemon answers at .*control\.sock \(waited 0\.2 s\); start it with `xsnd serve`/;
      assertFails(await box.run("status", "--timeout", "0.2"), Exit.noDaemon, message);
      assertFails(await box.run("status", "--json", "--timeout", "0.2"), Exit.noDaemon, message);
      assertFails(await box.run("trigger", "pause", "domU", "--timeout", "0.2"), Exit.noDaemon, message);
      const odd = { XSND_CONTROL: "/dev/null/control.sock" };
      assertFails(
        await box.spawnWith(odd, "status", "--timeout", "0.2").result,
        Exit.noDaemon,
        /cannot reach a daemon at \/dev\/null\/control\.sock/,
      );
    }),

  "serve where it cannot listen: a message, and nothing is removed or served": () =>
    unchanged(async (box) => {
      const file = box.path("precious");
      Deno.writeTextFileSync(file, "kept");
      for (const path of [file, `${file}/control.sock`, box.path("x".repeat(200))]) {
        assertFails(
          await box.spawnWith({ XSND_CONTROL: path }, "serve").result,
          Exit.failed,
          /cannot listen at /,
        );
      }
      assert.equal(Deno.readTextFileSync(file), "kept");
    }),

  "a guest's own XenStore does not let it play for others: exit 4": () =>
    unchanged(async (box) => {
      const input = makeWav(box.path("in.wav"), sound);
      const env = { XENSTORED_PATH: `${box.xen}/xenstored-1.sock`, XSND_SANDBOX: "" };
      for (const args of [["play", input, "domU"], ["record", box.path("out.wav"), "domU"]]) {
        assertFails(
          await box.spawnWith(env, ...args).result,
          Exit.permission,
          /cannot list \/local\/domain: EACCES/,
        );
      }
    }),

  "a library that is not there: exit 5, with the package to install; nothing is written": () =>
    unchanged(async (box) => {
      const input = makeWav(box.path("in.wav"), sound);
      const commands = [
        ["list"],
        ["serve"],
        ["play", input, "domU"],
        ["record", box.path("out.wav"), "domU"],
        ["demo", "--input", input],
        ["provision", "domU"],
        ["deprovision", "domU"],
      ];
      for (const args of commands) {
        assertFails(
          await box.spawnWith({ XSND_LIBXENSTORE: "/nonexistent" }, ...args).result,
          Exit.xenOrLibraryMissing,
          /^xsnd: cannot load libxenstore\.so\.4: \/nonexistent: .*install Debian's libxenstore4, or set XSND_LIBXENSTORE/,
        );
      }
      // Only commands that open devices need ALSA; serve reports a missing library before it serves.
      assertFails(
        await box.spawnWith({ XSND_LIBASOUND: "/nonexistent" }, "serve").result,
        Exit.xenOrLibraryMissing,
        /cannot load libasound\.so\.2: .*install Debian's libasound2, or set XSND_LIBASOUND/,
      );
      assert.match(await box.ok("list"), /domU/);
    }),

  "no Xen: exit 5": async () => {
    const nowhere = { XENSTORED_PATH: "/nowhere", XSND_SANDBOX: "" };
    for (
      const args of [["serve"], ["play", "fixtures/melody.wav", "domU"], ["record", "/dev/null", "domU"]]
    ) {
      assertFails(await xsnd(args, nowhere), Exit.xenOrLibraryMissing, /cannot open XenStore at \/nowhere/);
    }
  },

  "an output that cannot be written: the card is let go of": () =>
    inBox(async (box) => {
      await box.provision("domU", [{ type: "capture", device: "dummy:" }]);
      await box.serve();
      for (const path of [box.path("no/x.wav"), box.directory, "/dev/full"]) {
        assertFails(await box.run("record", path, "domU", "--seconds", "0.1"), Exit.failed, /cannot create /);
        await box.untilStream("domU/0/0/0", ({ state }) => state === "detached");
      }
      await box.ok("record", box.path("x.wav"), "domU", "--seconds", "0.1");
    }),
});

/** Runs `xsnd ARGS` of the given tree as an unprivileged user. */
function asNobody(
  args: readonly string[],
  env: Record<string, string>,
  { xsnd, more }: Tree = { xsnd: launcher, more: {} },
): Promise<Result> {
  const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
  return new Process("setpriv", [...nobody, xsnd, ...args], { env: { ...env, ...more } }).result;
}

interface Tree {
  readonly xsnd: string;
  /** The environment with which the tree's launcher finds Deno and the modules. */
  readonly more: Record<string, string>;
}

/** The project in a place that all users can read: its own, or otherwise a copy below `directory`. */
async function treeForAll(directory: string): Promise<Tree> {
  if ((await asNobody(["--version"], {})).code === 0) return { xsnd: launcher, more: {} };
  const copy = `${directory}/tree`;
  Deno.mkdirSync(copy);
  const parts = ["xsnd", "main.ts", "cmd", "ffi", "lib", "deno.json", "deno.lock", ".cache/deno_dir"];
  const { code, stderr } = await new Process("cp", [
    "-RL",
    "--reflink=auto",
    ...parts.map((part) => root + part),
    copy,
  ]).result;
  assert.equal(code, 0, stderr);
  const deno = `${copy}/deno`;
  Deno.copyFileSync(Deno.execPath(), deno);
  return { xsnd: `${copy}/xsnd`, more: { XSND_DENO: deno, DENO_DIR: `${copy}/deno_dir` } };
}

Deno.test({
  name: "another user may not: exit 4, and the daemon is none the worse",
  ignore: Deno.uid() !== 0,
  fn: () =>
    inBox(async (box) => {
      Deno.chmodSync(box.directory, 0o755);
      const tree = await treeForAll(box.directory);
      const as = (...args: string[]) =>
        asNobody(args, { ...box.environment, XSND_CONTROL: socket, HOME: box.directory }, tree);
      const socket = box.path("control.sock");
      const daemon = box.spawnWith({ XSND_CONTROL: socket }, "serve");
      await until("it listens", () =>
        [...Deno.readDirSync(box.directory)].some(({ name }) => name === "control.sock"));
      const refused = /may not talk to the daemon at .*control\.sock: permission denied; run as root/;
      assertFails(await as("status"), Exit.permission, refused);
      assertFails(await as("trigger", "pause", "domU"), Exit.permission, refused);
      for (
        const args of [["serve"], ["list"], ["provision", "domU"], ["play", `${box.directory}/x.wav`, "domU"]]
      ) {
        assertFails(await as(...args), Exit.permission, /cannot open XenStore at .*: EACCES; run as root/);
      }
      assert(!daemon.ended);
      const { code, stdout } = await box.spawnWith({ XSND_CONTROL: socket }, "status").result;
      assert.deepEqual([code, stdout], [0, "no streams; `xsnd provision DOMAIN` makes a card\n"]);
    }),
});
