// SPDX-License-Identifier: MIT
/** `xsnd serve --group`: which users may connect to the daemon's control socket. */
import assert from "node:assert/strict";
import { assertFails, type Box, inBox, Process, until } from "./harness.ts";

/** A group of every Debian, and its id. */
const [GROUP, GID] = ["daemon", 1];

/** Whether user `nobody` with the supplementary `groups` may connect to the socket at `path`. */
async function mayConnect(path: string, groups: string): Promise<boolean> {
  const connect = "use IO::Socket::UNIX; exit !IO::Socket::UNIX->new(shift)";
  const nobody = [
    "--reuid=nobody",
    "--regid=nogroup",
    groups === "" ? "--clear-groups" : `--groups=${groups}`,
  ];
  const { code, stderr } = await new Process("setpriv", [...nobody, "perl", "-e", connect, path], {
    cwd: "/",
  }).result;
  assert.equal(stderr, "");
  return code === 0;
}

/** A file's permissions in octal, and its group's id. */
function accessOf(path: string): [mode: string, gid: number] {
  const { mode, gid } = Deno.statSync(path);
  return [(mode! & 0o777).toString(8), gid!];
}

/** Starts a daemon with its control socket at `socket`; the daemon makes the directory. */
async function serveAt(box: Box, socket: string, ...args: string[]): Promise<Process> {
  const daemon = box.spawnWith({ XSND_CONTROL: socket }, "serve", ...args);
  await until("the daemon answers", async () => {
    assert(!daemon.ended, daemon.stderr);
    return (await box.spawnWith({ XSND_CONTROL: socket }, "status").result).code === 0;
  });
  return daemon;
}

Deno.test({
  name: "serve lets root alone use its socket, or the members of --group too (needs root)",
  ignore: Deno.uid() !== 0,
  fn: () =>
    inBox(async (box) => {
      Deno.chmodSync(box.directory, 0o755);
      const directory = box.path("run");
      const socket = `${directory}/control.sock`;
      const daemon = await serveAt(box, socket);
      assert.deepEqual([accessOf(directory), accessOf(socket)], [["700", 0], ["600", 0]]);
      assert.equal(await mayConnect(socket, GROUP), false);
      await daemon.end("SIGTERM");
      Deno.removeSync(directory, { recursive: true });
      await serveAt(box, socket, "--group", GROUP);
      assert.deepEqual([accessOf(directory), accessOf(socket)], [["750", GID], ["660", GID]]);
      assert.equal(await mayConnect(socket, GROUP), true);
      assert.equal(await mayConnect(socket, ""), false);
    }),
});

Deno.test("serve leaves a directory that is not its own as it is", () =>
  inBox(async (box) => {
    Deno.mkdirSync(box.path("theirs"));
    Deno.chmodSync(box.path("theirs"), 0o755);
    const before = accessOf(box.path("theirs"));
    await serveAt(box, `${box.path("theirs")}/control.sock`);
    assert.deepEqual(accessOf(box.path("theirs")), before);
  }));

Deno.test("serve --group says which group there is not, and does not start", () =>
  inBox(async (box) => {
    const message =
      /cannot share the control socket with the group "no-such-group": there is none .*groupadd --system/;
    assertFails(await box.run("serve", "--group", "no-such-group"), 2, message);
    assert.throws(() => Deno.statSync(`${box.xen}/control.sock`), Deno.errors.NotFound);
  }));
