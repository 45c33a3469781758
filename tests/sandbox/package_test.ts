// SPDX-License-Identifier: MIT
/** The Debian package: its content, and that the installed files work without this tree and without a network. */
import assert from "node:assert/strict";
import { VERSION } from "../../lib/base/version.ts";
import { makePackage } from "../../packaging/deb.ts";
import { Process, type Result } from "./harness.ts";

let directory: string;
let deb: string;

/** The folder of the unpacked package. */
const unpacked = () => `${directory}/root`;

Deno.test.beforeAll(async () => {
  directory = Deno.makeTempDirSync({ prefix: "xsnd-package-test-" });
  deb = await makePackage({ output: directory, fast: true });
  await ok("dpkg-deb", "--extract", deb, unpacked());
  for (const name of ["home", "cache"]) Deno.mkdirSync(`${directory}/${name}`);
});

Deno.test.afterAll(() => Deno.removeSync(directory, { recursive: true }));

async function ok(command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Process(command, args).result;
  assert.equal(code, 0, stderr);
  return stdout;
}

const isRoot = Deno.uid() === 0;
/** Whether this user may unshare a network namespace; root in a container may not. */
const mayUnshare = (await new Process("unshare", ["--net", "true"]).result).code === 0;

/** Runs the package's xsnd, or a script with xsnd on PATH, with an empty home and, if {@link mayUnshare}, without a network. */
function alone(...command: string[]): Promise<Result> {
  const path = `${unpacked()}/usr/bin:/usr/bin:/bin`;
  const offline = mayUnshare ? ["unshare", "--net"] : [];
  const environment = [`PATH=${path}`, `HOME=${directory}/home`, `DENO_DIR=${directory}/cache`];
  return new Process("env", ["--ignore-environment", ...environment, ...offline, ...command], {
    cwd: directory,
  }).result;
}

Deno.test("the package says what it is, and its files are root's", async () => {
  assert.equal(await ok("dpkg-deb", "--field", deb, "Version"), `${VERSION}\n`);
  assert.match(
    await ok("dpkg-deb", "--field", deb, "Depends"),
    /libasound2 .*libxenstore4, libxengnttab1, libxenevtchn1/,
  );
  const list = (await ok("dpkg-deb", "--contents", deb)).trimEnd().split("\n");
  for (const line of list) assert.match(line, /^(drwxr-xr-x|-rw-r--r--|-rwxr-xr-x|lrwxrwxrwx) root\/root /);
  const paths = list.map((line) => line.split(/ \.\//)[1]);
  for (
    const path of [
      "usr/bin/xsnd -> ../lib/xsnd/xsnd",
      "usr/lib/xsnd/deno",
      "usr/share/man/man1/xsnd.1.gz",
      "usr/share/man/man1/xsnd-trigger.1.gz",
      "usr/share/man/man5/xsnd.yaml.5.gz",
      "usr/share/man/man1/xsnd-serve.1.gz",
      "usr/share/bash-completion/completions/xsnd",
      "usr/share/zsh/vendor-completions/_xsnd",
      "usr/share/fish/vendor_completions.d/xsnd.fish",
      "usr/share/xsnd/xsnd.schema.json",
      "usr/share/doc/xsnd/copyright",
      "usr/share/doc/xsnd/xsnd.cdx.json",
      "usr/share/doc/xsnd/changelog.gz",
      "usr/share/doc/xsnd/examples/domU.yaml",
      "lib/systemd/system/xsnd.service",
      "lib/systemd/system/xsnd-standby.service",
      "etc/default/xsnd",
    ]
  ) assert(paths.includes(path), `${path} is not in it`);
});

Deno.test("the same sources make the same package", async () => {
  const again = await makePackage({ output: `${directory}/again`, fast: true });
  assert.deepEqual(await new Process("cmp", [deb, again]).result, { code: 0, stdout: "", stderr: "" });
});

Deno.test("nothing in the package names this tree, or refers to TypeScript", async () => {
  const tree = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
  // grep exits with 1 if nothing matches, and with 2 if a file cannot be read.
  const named = await new Process("grep", ["-rlFI", tree, unpacked()]).result;
  assert.deepEqual([named.code, named.stdout], [1, ""]);
  const modules = await new Process("grep", [
    "-rlE",
    "--include=*.js",
    '"[^"]*\\.ts", *import\\.meta',
    unpacked(),
  ]).result;
  assert.deepEqual([modules.code, modules.stdout], [1, ""]);
});

Deno.test("its xsnd runs with nothing of this tree, and no network", async () => {
  const help = await alone("xsnd", "--help");
  assert.deepEqual([help.code, help.stderr], [0, ""]);
  assert.match(help.stdout, /^Usage: xsnd /);
  assert.deepEqual(await alone("xsnd", "--version"), { code: 0, stdout: `${VERSION}\n`, stderr: "" });
  const demo = await alone("xsnd", "demo", "--json");
  assert.deepEqual([demo.code, demo.stderr], [0, ""]);
  assert.equal(JSON.parse(demo.stdout).bitExact, true);
  assert.deepEqual(Array.from(Deno.readDirSync(`${directory}/home`)), [], "left in the home");
});

Deno.test("its daemon serves, and every command that loads more works", async () => {
  const script = `
    set -e
    xsnd provision domU -f ${unpacked()}/usr/share/doc/xsnd/examples/dummy.yaml
    xsnd serve --metrics unix:metrics.sock 2>log & daemon=$!
    xsnd trace record domU/0/0/0 -o trace --until closed --timeout 20 & trace=$!
    xsnd status --wait 20 >/dev/null
    xsnd play ${unpacked()}/usr/lib/xsnd/fixtures/melody.wav domU/0/0/0
    wait $trace
    xsnd trace plot trace -o page.html
    xsnd doctor --json >doctor.json || [ $? = 1 ]
    xsnd export domU >domU.cfg && xsnd import domU.cfg >domU.yaml && xsnd check domU.yaml
    kill $daemon; wait $daemon`;
  const { code, stdout, stderr } = await alone(
    "xsnd",
    "sandbox",
    "--domain",
    "domU",
    "--",
    "sh",
    "-c",
    script,
  );
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /played 144000 frames .* 0 xruns/);
  assert.match(Deno.readTextFileSync(`${directory}/page.html`), /uPlot/);
  assert.doesNotThrow(() => JSON.parse(Deno.readTextFileSync(`${directory}/doctor.json`)));
});

Deno.test("the completions that come with it find it", async () => {
  const script = `. ${unpacked()}/usr/share/bash-completion/completions/xsnd
    COMP_WORDS=(xsnd tri) COMP_CWORD=1; _xsnd; echo "\${COMPREPLY[@]}"`;
  assert.deepEqual(await alone("bash", "-c", script), { code: 0, stdout: "trigger\n", stderr: "" });
});

Deno.test({
  name: "dpkg installs and purges it (needs root)",
  ignore: !isRoot,
  fn: async () => {
    const system = `${directory}/system`;
    for (const path of ["var/lib/dpkg/updates", "var/lib/dpkg/info"]) {
      Deno.mkdirSync(`${system}/${path}`, { recursive: true });
    }
    for (const name of ["status", "available"]) Deno.writeTextFileSync(`${system}/var/lib/dpkg/${name}`, "");
    // The new root has no shell, so the package's scripts run in this system. It has none of the dependencies either.
    const dpkg = (...args: string[]) =>
      ok(
        "dpkg",
        `--root=${system}`,
        "--force-script-chrootless",
        "--force-depends",
        "--log=/dev/null",
        ...args,
      );
    await dpkg("--install", deb);
    assert.match(
      await ok("dpkg-query", `--root=${system}`, "--show", "--showformat=\${db:Status-Status}", "xsnd"),
      /^installed$/,
    );
    assert(Deno.statSync(`${system}/usr/bin/../lib/xsnd/xsnd`).isFile);
    await dpkg("--purge", "xsnd");
    for (const path of ["usr", "etc/default", "lib"]) {
      assert.throws(() => Deno.statSync(`${system}/${path}`), Deno.errors.NotFound, path);
    }
  },
});
