// SPDX-License-Identifier: MIT
/** Whose work the package holds besides xsnd itself, and under which terms: Deno's, and the npm modules in the bundle. */
import { join } from "node:path";

interface NpmPackage {
  readonly name: string;
  readonly version: string;
  readonly localPath: string;
}

/** The package's copyright file: each part's name and version, and its licence as its authors wrote it. */
export async function copyright(project: string, denoVersion: string): Promise<string> {
  const parts = (await npmPackages(project)).map(({ name, version, localPath }) =>
    part(`${name} ${version}, bundled into /usr/lib/xsnd`, licenceOf(localPath))
  );
  return [
    "xsnd: sound for Xen guests.\n",
    part(`${`Deno ${denoVersion}`.trimEnd()}, /usr/lib/xsnd/deno`, DENO),
    ...parts,
  ].join("\n");
}

/** As its LICENSE.md has it, which is not beside the binary. */
const DENO = `MIT License

Copyright 2018-2026 the Deno authors

Permission is hereby granted, free of charge, to any person obtaining a copy of
this software and associated documentation files (the "Software"), to deal in
the Software without restriction, including without limitation the rights to
use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of
the Software, and to permit persons to whom the Software is furnished to do so,
subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS
FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER
IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

/** Debian has the text of this one once for all packages. */
const APACHE = "Apache License, version 2.0, as in /usr/share/common-licenses/Apache-2.0.";

function part(title: string, licence: string): string {
  return `${title}\n${"-".repeat(title.length)}\n\n${licence.trim()}\n`;
}

/** Those that the program itself uses, and those that they use, by name. */
async function npmPackages(project: string): Promise<NpmPackage[]> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "main.ts"],
    cwd: project,
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("deno info failed");
  const info = JSON.parse(new TextDecoder().decode(stdout));
  const used = new Set<string>();
  const use = (id: string) => {
    if (used.has(id)) return;
    used.add(id);
    info.npmPackages[id].dependencies.forEach(use);
  };
  for (const { npmPackage } of info.modules) if (npmPackage !== undefined) use(npmPackage);
  return [...used].sort().map((id) => info.npmPackages[id]);
}

function licenceOf(directory: string): string {
  const name = Array.from(Deno.readDirSync(directory), ({ name }) => name).sort().find((name) =>
    /^licen[cs]e/i.test(name)
  );
  if (name !== undefined) {
    const text = Deno.readTextFileSync(join(directory, name));
    return /^\s*Apache License\s+Version 2\.0/.test(text) ? APACHE : text;
  }
  const { license, author } = JSON.parse(Deno.readTextFileSync(join(directory, "package.json")));
  if (license === undefined) throw new Error(`${directory}: under which licence?`);
  return `${license}, by ${author?.name ?? author}`;
}
