// SPDX-License-Identifier: MIT
/** The launcher `./xsnd` runs from any directory, with any Deno, and with no more permissions than documented. */
import assert from "node:assert/strict";

const root = new URL("../..", import.meta.url).pathname;
const launcher = `${root}xsnd`;

async function run(command: string, args: string[], options: Deno.CommandOptions = {}) {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null", ...options })
    .output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

async function inTempDir(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "xsnd-launcher-" });
  try {
    await body(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("xsnd runs through links, from PATH, from anywhere", async () => {
  const expected = await run(launcher, ["--version"]);
  assert.equal(expected.code, 0, expected.stderr);
  await inTempDir(async (directory) => {
    await Deno.symlink(launcher, `${directory}/absolute`);
    await Deno.mkdir(`${directory}/bin`);
    await Deno.symlink("../absolute", `${directory}/bin/xsnd`);
    const PATH = `${directory}/bin:${Deno.env.get("PATH")}`;
    assert.deepEqual(await run(`${directory}/bin/xsnd`, ["--version"], { cwd: "/" }), expected);
    assert.deepEqual(await run("sh", ["-c", "xsnd --version"], { cwd: "/tmp", env: { PATH } }), expected);
    assert.deepEqual(await run("sh", ["xsnd", "--version"], { cwd: root }), expected);
  });
});

Deno.test("xsnd hands its arguments on as they are", async () => {
  const { code, stderr } = await run(launcher, ["check", "no such; $file *"]);
  assert.notEqual(code, 0);
  assert(stderr.includes("no such; $file *"), stderr);
});

Deno.test("xsnd without Deno says where it looked and what to do, with exit code 5", async () => {
  await inTempDir(async (directory) => {
    await Deno.copyFile(launcher, `${directory}/xsnd`);
    const { code, stderr } = await run("/bin/sh", [`${directory}/xsnd`], {
      clearEnv: true,
      env: { PATH: "/nonexistent" },
    });
    assert.equal(code, 5);
    assert.match(stderr, /Deno not found: .*\.cache.*PATH; run .*setup\.sh, or set XSND_DENO/);
  });
});

Deno.test("xsnd takes XSND_DENO, and grants running programs to sandbox and demo alone", async () => {
  await inTempDir(async (directory) => {
    const deno = `${directory}/deno`;
    await Deno.writeTextFile(deno, '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
    const flags = async (...args: string[]) =>
      (await run(launcher, args, { env: { XSND_DENO: deno } })).stdout.trimEnd().split("\n");
    const common = await flags("list", "--json");
    assert.deepEqual(common.slice(-2), ["list", "--json"]);
    for (const flag of ["--no-prompt", "--cached-only", "--frozen", "--allow-ffi"]) {
      assert(common.includes(flag), flag);
    }
    assert(!common.some((flag) => flag === "-A" || flag.startsWith("--allow-run") || flag === "--allow-env"));
    for (const command of ["sandbox", "demo"]) {
      assert((await flags(command)).includes("--allow-run"), command);
    }
  });
});

Deno.test("xsnd --help loads nothing of Xen or ALSA", async () => {
  const env = Object.fromEntries(
    ["LIBC", "LIBXENSTORE", "LIBXENGNTTAB", "LIBXENEVTCHN", "LIBASOUND"].map((
      name,
    ) => [`XSND_${name}`, "/nonexistent"]),
  );
  const { code, stdout, stderr } = await run(launcher, ["--help"], { env });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^Usage: xsnd /);
});
