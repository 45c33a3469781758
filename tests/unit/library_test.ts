// SPDX-License-Identifier: MIT
/** Tests the library that deno.json exports: each export is documented, and each example runs. */
import assert from "node:assert/strict";

const root = new URL("../../", import.meta.url).pathname;
const { exports } = JSON.parse(Deno.readTextFileSync(`${root}deno.json`)) as {
  exports: Record<string, string>;
};
const MODULES = Object.values(exports);

interface Declaration {
  readonly location: { readonly filename: string };
  readonly kind: string;
  readonly jsDoc?: { readonly tags?: readonly { readonly kind: string; readonly doc?: string }[] };
}

interface Documentation {
  readonly nodes: Readonly<
    Record<string, { readonly symbols: readonly { name: string; declarations: readonly Declaration[] }[] }>
  >;
}

/** Runs `deno ARGS` and returns its output. On failure the output is the error's message. */
async function deno(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  const [said, failed] = [decoder.decode(stdout), decoder.decode(stderr)];
  assert(success, `deno ${args.join(" ")}\n${said}${failed}`);
  return said;
}

async function documentation(): Promise<readonly { name: string; declarations: readonly Declaration[] }[]> {
  const { nodes }: Documentation = JSON.parse(await deno("doc", "--json", ...MODULES));
  return Object.values(nodes).flatMap(({ symbols }) => symbols);
}

Deno.test("deno doc finds nothing amiss with the exports", async () => {
  await deno("doc", "--lint", ...MODULES);
});

Deno.test("every exported function and class has an example", async () => {
  const without = (await documentation()).filter(({ declarations }) =>
    declarations.some(({ kind, jsDoc }) =>
      (kind === "function" || kind === "class") &&
      !jsDoc?.tags?.some(({ kind, doc }) => kind === "example" && doc?.includes("```ts"))
    )
  );
  assert.deepEqual(without.map(({ name }) => name), []);
});

Deno.test("the examples of the exports are right, and run", async () => {
  const files = (await documentation()).flatMap(({ declarations }) =>
    declarations.map(({ location: { filename } }) => new URL(filename).pathname)
  );
  const all = [...new Set([...MODULES, ...files])];
  await deno("check", "--quiet", "--doc", ...all);
  // The line above checks the types. A check here repeats for every worker that an example starts.
  const said = await deno("test", "--quiet", "--doc", "--no-check", "--allow-all", ...all);
  const [, passed] = /(\d+) passed/.exec(said) ?? [];
  assert(Number(passed) >= 30, said);
});

Deno.test("deno publish would take the library and its licence, and no tests, docs or commands", async () => {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty"],
    cwd: root,
    env: { NO_COLOR: "1" },
  }).output();
  const said = [stdout, stderr].map((octets) => new TextDecoder().decode(octets)).join("");
  assert(success, said);
  const files = Array.from(
    said.matchAll(/^ *(file:\S+) \(/gm),
    ([, url]) => new URL(url!).pathname.slice(root.length),
  );
  const tops = new Set(files.map((file) => file.split("/")[0]));
  assert.deepEqual(
    [...tops].sort(),
    ["CHANGELOG.md", "LICENSE", "README.md", "deno.json", "ffi", "lib", "mod.ts"],
  );
});
