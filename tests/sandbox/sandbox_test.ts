// SPDX-License-Identifier: MIT
/** `xsnd sandbox` as a shell sees it: exit codes, signals, leftover files. */
import assert from "node:assert/strict";

const root = new URL("../../", import.meta.url).pathname;

interface Result {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Runs `body` with an empty runtime directory, and asserts that the sandbox leaves nothing in it. */
async function withRuntimeDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await body(directory);
    assert.deepEqual([...Deno.readDirSync(directory)], [], "something was left behind");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function spawn(runtime: string, args: string[]): Deno.ChildProcess {
  return new Deno.Command(`${root}xsnd`, {
    args: ["sandbox", ...args],
    env: { XDG_RUNTIME_DIR: runtime, XSND: `${root}xsnd` },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function run(runtime: string, ...args: string[]): Promise<Result> {
  const { code, stdout, stderr } = await spawn(runtime, args).output();
  const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
  return { code, out: text(stdout), error: text(stderr) };
}

/** Waits for the first line on the command's stdout. */
async function firstLine(process: Deno.ChildProcess): Promise<string> {
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`no line, only ${JSON.stringify(text)}`);
    text += value;
  }
  await reader.cancel();
  return text.split("\n")[0]!;
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn === 1000) throw new Error(`never came true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function isAlive(pid: number): boolean {
  try {
    // A zombie has ended too.
    return !/^State:\tZ/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test("sandbox gives COMMAND a XenStore with the named guests, and no trace of another", () =>
  withRuntimeDirectory(async (runtime) => {
    const script = 'ls "$XSND_SANDBOX"/*.sock; echo "$XENSTORED_PATH"; xenstore-list /local/domain; ' +
      "xenstore-read /local/domain/1/name /local/domain/2/name; stat -c %a $XSND_SANDBOX";
    const { code, out, error } = await run(
      runtime,
      "--domain",
      "domU",
      "--domain=web",
      "--",
      "sh",
      "-ec",
      script,
    );
    assert.deepEqual([code, error], [0, ""]);
    const directory = out.match(/^.*(?=\/xenstored-1\.sock)/m)![0];
    assert.ok(directory.startsWith(`${runtime}/`));
    const sockets = ["xenstored-1.sock", "xenstored-2.sock", "xenstored.sock", "xenstored.sock"];
    const expected = [
      ...sockets.map((name) => `${directory}/${name}`),
      "0",
      "1",
      "2",
      "domU",
      "web",
      "700",
      "",
    ];
    assert.deepEqual(out.split("\n"), expected);
  }));

Deno.test("sandbox has a daemon's socket of its own, whatever is set outside", () =>
  withRuntimeDirectory(async (runtime) => {
    Deno.env.set("XSND_CONTROL", `${runtime}/elsewhere.sock`);
    try {
      const { out } = await run(runtime, "--", "sh", "-c", 'echo "$XSND_CONTROL"; $XSND status 2>&1');
      assert.match(out, /^(.*\/xsnd-\w+\/control\.sock)\nxsnd: no daemon .* \1/);
    } finally {
      Deno.env.delete("XSND_CONTROL");
    }
  }));

Deno.test("sandbox returns COMMAND's exit code", () =>
  withRuntimeDirectory(async (runtime) => {
    for (const code of [0, 1, 7, 255]) {
      assert.equal((await run(runtime, "--", "sh", "-c", `exit ${code}`)).code, code);
    }
    assert.equal((await run(runtime, "--", "sh", "-c", "kill -KILL $$")).code, 137);
    assert.equal((await run(runtime, "--", "sh", "-c", "kill -TERM $$")).code, 143);
  }));

Deno.test("sandbox passes on COMMAND's arguments, options among them, and its streams", () =>
  withRuntimeDirectory(async (runtime) => {
    const { out, error } = await run(
      runtime,
      "--",
      "sh",
      "-c",
      'echo "$@"; echo oops >&2',
      "sh",
      "--domain",
      "a b",
      "--",
    );
    assert.deepEqual([out, error], ["--domain a b --\n", "oops\n"]);
  }));

Deno.test("sandbox says in one line what it cannot do", () =>
  withRuntimeDirectory(async (runtime) => {
    const cases: [args: string[], code: number, error: RegExp][] = [
      [
        ["--", "no-such-command"],
        127,
        /^xsnd sandbox: cannot run no-such-command: not found; check the name and PATH\n$/,
      ],
      [["--", "/etc/passwd"], 126, /^xsnd sandbox: cannot run \/etc\/passwd: .*Permission denied.*\n$/],
      [
        ["--domain", "a", "--domain", "a", "--", "true"],
        2,
        /^xsnd: cannot make a domain "a": there is one already\n$/,
      ],
      [
        ["--domain", "Domain-0", "--", "true"],
        2,
        /^xsnd: cannot make a domain "Domain-0": there is one already\n$/,
      ],
      [["--domain", "12", "--", "true"], 2, /^xsnd: .*not a number\n$/],
      [["--domain", "a/b", "--", "true"], 2, /^xsnd: .*no slash\n$/],
      [[], 2, /missing required argument/],
    ];
    for (const [args, code, error] of cases) {
      const result = await run(runtime, ...args);
      assert.match(result.error, error);
      assert.equal(result.code, code, args.join(" "));
    }
  }));

Deno.test("sandbox passes signals on, and ends with COMMAND only", () =>
  withRuntimeDirectory(async (runtime) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      const name = signal.slice(3);
      // The command handles the signal; its XenStore must still answer meanwhile.
      const script =
        `trap 'xenstore-read /local/domain/0/name >&2; exit 5' ${name}; echo up; while :; do sleep 0.05; done`;
      const process = spawn(runtime, ["--", "sh", "-c", script]);
      const line = await firstLine(process);
      assert.equal(line, "up");
      process.kill(signal);
      assert.equal(await new Response(process.stderr).text(), "Domain-0\n", signal);
      assert.equal((await process.status).code, 5);
    }
    const process = spawn(runtime, ["--", "sh", "-c", "echo up; exec sleep 1000"]);
    await firstLine(process);
    process.kill("SIGTERM");
    await process.stderr.cancel();
    assert.equal((await process.status).code, 143);
  }));

Deno.test("a sandbox that is killed takes its server and its directory along", () =>
  withRuntimeDirectory(async (runtime) => {
    const process = spawn(runtime, ["--domain", "domU", "--", "sh", "-c", "echo $$; exec sleep 1000"]);
    const command = Number(await firstLine(process));
    const children = () =>
      Deno.readTextFileSync(`/proc/${process.pid}/task/${process.pid}/children`).trim().split(" ");
    const server = children().map(Number).find((pid) => pid !== command)!;
    assert.ok(isAlive(server));
    assert.equal([...Deno.readDirSync(runtime)].length, 1);
    process.kill("SIGKILL");
    await process.status;
    await process.stderr.cancel();
    await until(() => !isAlive(server) && [...Deno.readDirSync(runtime)].length === 0);
    Deno.kill(command, "SIGKILL");
  }));

Deno.test("a sandbox whose server was killed still ends with COMMAND, and cleans up", () =>
  withRuntimeDirectory(async (runtime) => {
    const script =
      "for pid in $(cat /proc/$PPID/task/$PPID/children); do [ $pid = $$ ] || kill -KILL $pid; done; exit 3";
    assert.equal((await run(runtime, "--", "sh", "-c", script)).code, 3);
  }));

Deno.test("sandboxes nest, each with its own XenStore", () =>
  withRuntimeDirectory(async (runtime) => {
    const inner = '"$XSND" sandbox --domain inner -- xenstore-read /local/domain/1/name';
    const script = `${inner}; xenstore-read /local/domain/1/name; ${inner}`;
    const { code, out, error } = await run(runtime, "--domain", "outer", "--", "sh", "-ec", script);
    assert.deepEqual([code, out, error], [0, "inner\nouter\ninner\n", ""]);
  }));

Deno.test("a runtime directory whose path is too long for a socket is passed over", async () => {
  const parent = await Deno.makeTempDir();
  try {
    const long = `${parent}/${"d".repeat(100)}`;
    await Deno.mkdir(long);
    const { code, out } = await run(long, "--", "sh", "-c", "echo $XSND_SANDBOX");
    assert.equal(code, 0);
    assert.match(out, /^\/tmp\/xsnd-/);
    assert.deepEqual([...Deno.readDirSync(long)], []);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
});
