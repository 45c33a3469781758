// SPDX-License-Identifier: MIT
/** The error messages of commands about cards. */
import assert from "node:assert/strict";
import { Exit } from "../../lib/base/error.ts";
import { xsnd } from "./harness.ts";
import { assertOk, inSandbox } from "./shell.ts";

async function withTempDir(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("each command says in one line what is wrong, with its exit code, and writes nothing", async () => {
  await withTempDir(async (dir) => {
    const file = (name: string, text: string) => {
      Deno.writeTextFileSync(`${dir}/${name}.yaml`, text);
      return `${dir}/${name}.yaml`;
    };
    const guest = (backend: string) =>
      `{ backend: "${backend}", cards: [ { pcms: [ { streams: [ { type: p, device: d } ] } ] } ] }`;
    const cases: [command: string, code: number, message: RegExp][] = [
      ["provision", Exit.usage, /provision what\? name a DOMAIN, or a file with --file/],
      ["provision domU --device ''", Exit.usage, /the device "" is empty; write the name of an ALSA PCM/],
      ["provision domU --device x -f y", Exit.usage, /cannot be used with/],
      [
        "provision nobody",
        Exit.failed,
        /there is no domain "nobody"; there are Domain-0 \(0\), domU \(1\), guest2 \(2\)/,
      ],
      ["provision 9", Exit.failed, /there is no domain "9"/],
      [
        "provision -f nowhere.yaml",
        Exit.badConfiguration,
        /cannot read .* nowhere\.yaml: no such file/,
      ],
      [
        `provision -f ${file("key", "domains: {}\nsound: 1\n")}`,
        Exit.badConfiguration,
        /key\.yaml:2:1: sound: unknown key/,
      ],
      [
        `provision -f ${file("gone", `domains: { domU: ${guest("0")}, gone: ${guest("0")} }`)}`,
        Exit.failed,
        /no domain "gone"/,
      ],
      [
        `provision -f ${file("back", `domains: { domU: ${guest("gone")} }`)}`,
        Exit.failed,
        /no domain "gone"/,
      ],
      [
        `provision -f ${file("both", `domains: { domU: ${guest("0")}, "1": ${guest("0")} }`)}`,
        Exit.badConfiguration,
        /domU twice/,
      ],
      [
        "provision guest2 -f fixtures/domU.yaml",
        Exit.failed,
        /has no cards for guest2; it has cards for domU/,
      ],
      [
        "provision domU --wait=served",
        Exit.usage,
        /'served' is invalid.*Allowed choices are initwait, connected/,
      ],
      [
        "provision domU --timeout 1q",
        Exit.usage,
        /'1q' is invalid. Write a number of seconds, such as 2\.5, or a time such as 500ms or 1m30s/,
      ],
      ["diff", Exit.usage, /diff what\? name a DOMAIN, or a file with --file/],
      ["diff nobody", Exit.failed, /there is no domain "nobody"/],
      ["diff -f nowhere.yaml", Exit.badConfiguration, /no such file/],
      ["deprovision domU", Exit.failed, /domU has no virtual sound card/],
      ["deprovision nobody", Exit.failed, /there is no domain "nobody"/],
      ["deprovision domU first", Exit.usage, /'first' is invalid/],
      ["deprovision domU --timeout soon", Exit.usage, /'soon' is invalid/],
      ["show nobody", Exit.failed, /there is no domain "nobody"; there are/],
      ["show domu", Exit.failed, /there is no domain "domu" \(did you mean domU\?\); there are/],
      ["show", Exit.usage, /missing required argument 'domain'/],
      ["list everything", Exit.usage, /too many arguments|Expected 0 arguments/],
      ["check nowhere.yaml", Exit.badConfiguration, /no such file/],
      [`check ${dir}/key.yaml`, Exit.badConfiguration, /key\.yaml:2:1: sound: unknown key/],
    ];
    const result = await inSandbox(`
      xenstore-ls -f -p / > $XSND_SANDBOX/before
      ${cases.map(([command]) => `status xsnd ${command}; echo "end of ${command}" >&2`).join("\n")}
      xenstore-ls -f -p / | cmp - $XSND_SANDBOX/before; rm $XSND_SANDBOX/before`);
    const codes = result.stdout.trim().split("\n");
    const errors = result.stderr.split(/end of .*\n/);
    cases.forEach(([command, code, message], index) => {
      assert.equal(codes[index], `status ${code}`, `${command}: ${errors[index]}`);
      assert.match(errors[index]!, message, command);
      if (code !== Exit.usage) assert.equal(errors[index]!.trim().split("\n").length, 1, errors[index]);
      assert.ok(!/^\s+at /m.test(errors[index]!), `a stack: ${errors[index]}`);
    });
    assert.equal(codes.length, cases.length, result.stdout);
  });
});

Deno.test("as a guest every command but check is refused: exit 4", async () => {
  const result = await inSandbox(`
    for command in "list" "show domU" "provision domU" "provision domU --dry-run" "diff domU" "deprovision domU" "wait domU --for=connected"; do
      status as_guest env -u XSND_SANDBOX "$XSND_LAUNCHER" $command
    done`);
  assert.equal(result.stdout, "status 4\n".repeat(7), result.stderr);
  for (const line of result.stderr.trim().split("\n")) {
    assert.match(line, /EACCES; only the toolstack's domain/);
  }
});

Deno.test("without Xen: check works, the others say how to get one (exit 5)", async () => {
  const nowhere = { XENSTORED_PATH: "/nowhere", XSND_SANDBOX: "" };
  const check = await xsnd(["check", "fixtures/two-guests.yaml"], nowhere);
  assertOk(check);
  assert.equal(check.stdout, "fixtures/two-guests.yaml is right: 2 domains, 3 cards, 6 streams\n");
  for (const args of [["list"], ["provision", "domU"], ["deprovision", "domU"], ["show", "domU"]]) {
    const { code, stdout, stderr } = await xsnd(args, nowhere);
    assert.equal(code, Exit.xenOrLibraryMissing, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /cannot open XenStore at \/nowhere .*`xsnd sandbox` brings its own\n$/);
  }
});

Deno.test("check --json gives each finding with path, line and column", async () => {
  await withTempDir(async (dir) => {
    const path = `${dir}/x.yaml`;
    Deno.writeTextFileSync(
      path,
      "domains:\n  domU:\n    cards:\n      - pcms: [ { streams: [ { type: x, device: d } ] } ]\n",
    );
    const { code, stdout, stderr } = await xsnd(["check", "--json", path]);
    assert.equal(code, Exit.badConfiguration);
    const why = "the Linux frontend refuses the whole card if one stream has an unknown type";
    const what = "domains.domU.cards[0].pcms[0].streams[0].type";
    assert.equal(
      stderr,
      `xsnd: ${path}:4:32: ${what}: "x" is not allowed; ${why}; write playback or capture\n`,
    );
    assert.deepEqual(JSON.parse(stdout), {
      file: path,
      valid: false,
      findings: [{
        path: what,
        line: 4,
        column: 32,
        what: '"x" is not allowed',
        why,
        instead: "write playback or capture",
      }],
      notes: [],
    });
  });
});
