// SPDX-License-Identifier: MIT
/** The privileges of `xsnd serve`: the Deno permissions that its launcher grants, and its domain's rights in XenStore. */
import assert from "node:assert/strict";
import {
  assertSameSamples,
  inBox,
  launcher,
  makeWav,
  Process,
  type Result,
  root,
  samplesOf,
  until,
} from "./harness.ts";

/** The permission flags that the launcher of `xsnd serve ARGS` gives Deno, with these variables and no sandbox. */
async function permissions(env: Record<string, string>, ...args: string[]): Promise<string[]> {
  const { stdout } = await launch(env, "/tmp", ...args);
  return stdout.split("\n").filter((flag) => /^(-A|--allow-.*|--ignore-.*)$/.test(flag));
}

/** Calls the launcher in `cwd` with a Deno that prints its arguments. */
async function launch(env: Record<string, string>, cwd: string, ...args: string[]): Promise<Result> {
  const directory = await Deno.makeTempDir();
  try {
    const deno = `${directory}/deno`;
    await Deno.writeTextFile(deno, '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
    const options = { env: { XSND_DENO: deno, XSND_SANDBOX: "", ...env }, cwd };
    return await new Process(launcher, ["serve", ...args], options).result;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("serve may write in its own directory, use its own socket, start no program, and nothing else", async () => {
  const flags = await permissions({});
  assert.deepEqual(flags.filter((flag) => !flag.includes("-env")), [
    "--allow-ffi",
    "--allow-read",
    "--allow-write=/run/xsnd",
    "--allow-net=unix:/run/xsnd/control.sock,unix:/run/xsnd/control.sock~",
  ]);
});

Deno.test("serve may write and listen where its user says, and only there", async () => {
  const of = async (env: Record<string, string>, ...args: string[]) =>
    (await permissions(env, ...args)).filter((flag) => /write|net/.test(flag));
  assert.deepEqual(await of({ XSND_CONTROL: "here/socket", XSND_FILES: "/srv/a,/srv/b" }), [
    "--allow-write=/tmp/here,/srv/a,/srv/b",
    "--allow-net=unix:/tmp/here/socket,unix:/tmp/here/socket~",
  ]);
  assert.deepEqual(await of({}, "--metrics", "unix:/run/m.sock"), [
    "--allow-write=/run/xsnd,/run/m.sock",
    "--allow-net=unix:/run/xsnd/control.sock,unix:/run/xsnd/control.sock~,unix:/run/m.sock",
  ]);
  for (const none of ["*", "0.0.0.0:80", "127.0.0.1:1,10.0.0.1", "unix:", "example:1"]) {
    assert.deepEqual(await of({}, "--metrics", none), await of({}), none);
  }
  assert.deepEqual(await of({ XSND_FILES: ",/srv/a/,rel," }), [
    "--allow-write=/run/xsnd,/srv/a,/tmp/rel",
    "--allow-net=unix:/run/xsnd/control.sock,unix:/run/xsnd/control.sock~",
  ]);
  for (const args of [["--trace-on-xrun", "traces/"], ["--trace-on-xrun=/tmp/traces"]]) {
    assert.deepEqual(await of({ XSND_FILES: "/srv/a" }, ...args), [
      "--allow-write=/run/xsnd,/srv/a,/tmp/traces",
      "--allow-net=unix:/run/xsnd/control.sock,unix:/run/xsnd/control.sock~",
    ]);
  }
  // For a socket in /, the daemon may write that one file and nothing else in /.
  assert.deepEqual(await of({}, "--metrics", "unix:/m.sock"), [
    "--allow-write=/run/xsnd,/m.sock",
    "--allow-net=unix:/run/xsnd/control.sock,unix:/run/xsnd/control.sock~,unix:/m.sock",
  ]);
  assert.deepEqual(await of({}, "--metrics=localhost:9465", "-q"), [
    "--allow-write=/run/xsnd",
    "--allow-net=unix:/run/xsnd/control.sock,unix:/run/xsnd/control.sock~,127.0.0.1:9465",
  ]);
});

Deno.test("xsnd serve refuses paths that would grant all of / or another directory, and starts nothing", async () => {
  const inRoot = /: serve (may write in the socket's directory, which would be|could write in) all of \/; /;
  const comma = /: a path with a comma would permit writing elsewhere; choose a path without commas$/m;
  const directory = /: that is a directory; name a file in it$/m;
  const refused: [Record<string, string>, string[], RegExp, string?][] = [
    ...["/x.sock", "//x.sock", "/./x.sock", "/run/../x.sock"].map((
      XSND_CONTROL,
    ): [Record<string, string>, string[], RegExp] => [{ XSND_CONTROL }, [], inRoot]),
    [{ XSND_CONTROL: "x.sock" }, [], inRoot, "/"],
    [{ XSND_CONTROL: "/run/a,/etc/x.sock" }, [], comma],
    [{ XSND_CONTROL: "/run/xsnd/" }, [], directory],
    [{ XSND_CONTROL: "/run/xsnd/.." }, [], directory],
    [{ XSND_FILES: "/" }, [], inRoot],
    [{ XSND_FILES: "/srv/a,/srv/.." }, [], inRoot],
    [{ XSND_FILES: "." }, [], inRoot, "/"],
    [{}, ["--trace-on-xrun", "/"], inRoot],
    [{}, ["--trace-on-xrun=/run/.."], inRoot],
    [{}, ["--trace-on-xrun", "/run/a,/etc"], comma],
    [{}, ["--metrics", "unix:/run/a,/etc/m.sock"], comma],
    [{}, ["--metrics=unix:/run/xsnd/"], directory],
  ];
  for (const [env, args, said, cwd = "/tmp"] of refused) {
    const { code, stdout, stderr } = await launch(env, cwd, ...args);
    const what = `${JSON.stringify(env)} ${args.join(" ")}: ${stdout}${stderr}`;
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" }, what);
    assert.match(
      stderr,
      /^xsnd: (the control socket \(XSND_CONTROL\)|files of dummy PCMs \(XSND_FILES\)|traces \(--trace-on-xrun\)|metrics) cannot be at \//,
      what,
    );
    assert.match(stderr, said, what);
  }
});

Deno.test("what serve is granted is enough to listen, and not to write, listen or start anything elsewhere", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const flags = await permissions(
      { XSND_CONTROL: `${directory}/control.sock` },
      "--metrics",
      `unix:${directory}/m.sock`,
    );
    const program = `
      import { ControlServer } from "${root}lib/control/control_server.ts";
      using _control = await ControlServer.listen("${directory}/control.sock");
      await Deno.serve({ path: "${directory}/m.sock", onListen() {} }, () => new Response()).shutdown();
      const refused = (what, body) => {
        try { body(); } catch (error) { if (error instanceof Deno.errors.NotCapable) return; throw error; }
        console.log(what);
      };
      refused("a file", () => Deno.writeTextFileSync("/tmp/xsnd-privilege", ""));
      refused("a port", () => Deno.listen({ port: 0 }).close());
      refused("a socket", () => Deno.listen({ transport: "unix", path: "/tmp/xsnd-privilege" }).close());
      refused("a program", () => new Deno.Command("true").outputSync());
      refused("a variable", () => { if (Deno.env.get("PATH") === undefined) throw new Deno.errors.NotCapable(); });
    `;
    const file = `${directory}/program.ts`;
    await Deno.writeTextFile(file, program);
    const args = [
      "run",
      "--quiet",
      "--no-prompt",
      "--no-check",
      "--config",
      `${root}deno.json`,
      ...flags,
      file,
    ];
    const { code, stdout, stderr } = await new Process(Deno.execPath(), args).result;
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("serve in a driver domain does with that domain's rights", () =>
  inBox(
    async (box) => {
      const played = box.path("played.wav");
      const file = box.path("domU.yaml");
      const card = {
        pcms: [{ streams: [{ type: "playback", device: `dummy:${played}` }] }],
      };
      Deno.writeTextFileSync(
        file,
        JSON.stringify({ domains: { domU: { backend: "driver", cards: [card] } } }),
      );
      await box.ok("provision", "domU", "-f", file);
      const daemon = await box.serveWith({ XSND_DOMID: "1" });
      const wav = makeWav(box.path("sound.wav"), {
        format: "s16_le",
        channels: 2,
        rate: 48000,
        frames: 24_000,
      });
      await box.ok("play", wav, "domU");
      assertSameSamples(samplesOf(played), samplesOf(wav));
      // The daemon knows the guest by its number only: a driver domain may not read another domain's name.
      assert.deepEqual((await box.status()).streams.map(({ stream }) => stream), ["2/0/0/0"]);
      assert.equal((await box.run("volume", "2/0/0/0", "-6")).code, 0);
      await box.ok("deprovision", "domU");
      await until("the card is gone", async () => (await box.status()).streams.length === 0);
      assert(!daemon.ended && !/^\s+at /m.test(daemon.stderr), daemon.stderr);
      assert.equal((await daemon.end("SIGTERM")).code, 0);
    },
    "driver",
    "domU",
  ));
