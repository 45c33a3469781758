// SPDX-License-Identifier: MIT
/** `deno task release`, in a copy of this tree that is its own repository. */
import assert from "node:assert/strict";
import { releasesOf } from "../../packaging/changelog.ts";
import { Process, root } from "./harness.ts";

const NEXT = "99.0.0";
/** Folders of the project that a release does not need. */
const LEFT_OUT = [".cache", ".git", "dist", "tests"];

let tree: string;

const read = (name: string) => Deno.readTextFileSync(`${tree}/${name}`);

async function ok(command: string, args: string[], cwd = tree): Promise<string> {
  const { code, stdout, stderr } = await new Process(command, args, { cwd }).result;
  assert.equal(code, 0, stderr);
  return stdout;
}

const release = (...args: string[]) =>
  new Process(Deno.execPath(), ["task", "--quiet", "release", ...args], { cwd: tree }).result;

Deno.test.beforeAll(async () => {
  tree = Deno.makeTempDirSync({ prefix: "xsnd-release-test-" });
  const parts = Array.from(Deno.readDirSync(root), ({ name }) => name).filter((name) =>
    !LEFT_OUT.includes(name)
  );
  await ok("cp", ["-r", ...parts.map((part) => `${root}${part}`), tree]);
  const changelog = read("CHANGELOG.md");
  const unreleased = "## [Unreleased]\n\n- A change.\n\n";
  const cut = changelog.replace(/## \[Unreleased\][^]*?(?=^## )/m, "").replace(/^## /m, `${unreleased}## `);
  Deno.writeTextFileSync(`${tree}/CHANGELOG.md`, cut);
  await ok("git", ["init", "--quiet"]);
  await ok("git", ["add", "--all"]);
  const author = ["-c", "user.name=Test", "-c", "user.email=test@example.org"];
  await ok("git", [...author, "commit", "--quiet", "--message", "all"]);
});

Deno.test.afterAll(() => Deno.removeSync(tree, { recursive: true }));

Deno.test("a release that cannot be made changes nothing, and says why", async () => {
  const files = () => [read("deno.json"), read("CHANGELOG.md")];
  const before = files();
  const refused = async (reason: RegExp, ...args: string[]) => {
    const { code, stderr } = await release(...args);
    assert.notEqual(code, 0);
    assert.match(stderr, reason);
    assert.deepEqual(files(), before);
  };
  await refused(/which version/);
  await refused(/"next" is not a version; write MAJOR\.MINOR\.PATCH/, "next");
  await refused(/0\.0\.1 is not later than \d/, "0.0.1");
  // The output folder is a file, so the step after the changes fails.
  await refused(/deb\.ts.* failed/, NEXT, "--fast", `--output=${tree}/deno.json`);
  Deno.writeTextFileSync(`${tree}/new`, "");
  await refused(/not committed; commit them first:\n\?\? new/, NEXT);
  Deno.removeSync(`${tree}/new`);
});

Deno.test("a release has its version in one place, its changes, a package, and checksums", async () => {
  const output = `${tree}/.git/dist`;
  const { code, stdout, stderr } = await release(NEXT, "--fast", "--date=2099-01-02", `--output=${output}`);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /git tag -s v99\.0\.0/);
  assert.equal(JSON.parse(read("deno.json")).version, NEXT);
  assert.deepEqual(releasesOf(read("CHANGELOG.md"))[0], {
    version: NEXT,
    date: "2099-01-02",
    items: ["A change."],
  });
  assert.equal(await ok("git", ["status", "--porcelain"]), " M CHANGELOG.md\n M deno.json\n");
  const [deb] = Array.from(Deno.readDirSync(output), ({ name }) => name).filter((name) =>
    name.endsWith(".deb")
  );
  assert(deb !== undefined && deb.startsWith(`xsnd_${NEXT}_`), deb);
  assert.equal(await ok("dpkg-deb", ["--field", deb, "Version"], output), `${NEXT}\n`);
  assert.equal(await ok("sha256sum", ["--check", "--quiet", "SHA256SUMS"], output), "");
  await ok("dpkg-deb", ["--extract", deb, "root"], output);
  assert.equal(await ok(`${output}/root/usr/bin/xsnd`, ["--version"], output), `${NEXT}\n`);
});
