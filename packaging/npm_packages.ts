// SPDX-License-Identifier: MIT
/** The npm packages of deno.lock: name, version, integrity, dependencies, licence, and whether the program or only its tests use them. */
import { join } from "node:path";

export interface NpmPackage {
  readonly name: string;
  readonly version: string;
  /** `sha512-` and the hash in base64, as deno.lock has it. */
  readonly integrity: string;
  /** Packages that this one imports, as `name@version`. */
  readonly dependencies: readonly string[];
  /** Whether the program imports the package; the tests alone import the others. */
  readonly isBundled: boolean;
  /** The licence's SPDX identifier, from package.json. */
  readonly licence: string;
  /** Notices such as `2025 Colin McDonnell`, without the word Copyright; else the author in package.json, if any. */
  readonly copyright: readonly string[];
  /** The licence's text without its title and the copyright notices; undefined if the package holds none. */
  readonly licenceText: string | undefined;
}

/** The part of `deno info --json` that this file reads. */
interface Info {
  readonly modules: readonly { readonly npmPackage?: string }[];
  readonly npmPackages: Readonly<
    Record<string, { name: string; version: string; dependencies: string[]; localPath: string }>
  >;
}

/**
 * All packages of the tree `project`, by name. Throws Error for a package that is not in
 * Deno's cache or names no licence.
 */
export async function npmPackages(project: string): Promise<NpmPackage[]> {
  const lock = JSON.parse(Deno.readTextFileSync(join(project, "deno.lock")));
  const info = await denoInfo(project);
  const bundled = bundledPackages(info);
  return Object.keys(lock.npm).sort().map((id) => {
    const known = info.npmPackages[id];
    if (known === undefined) throw new Error(`deno.lock has ${id}, which \`deno info\` does not know`);
    const { name, version, dependencies, localPath } = known;
    const integrity: string = lock.npm[id].integrity;
    return { name, version, integrity, dependencies, isBundled: bundled.has(id), ...licenceIn(localPath) };
  });
}

async function denoInfo(project: string): Promise<Info> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "main.ts"],
    cwd: project,
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("deno info failed");
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** The packages that modules of the program import, and those that these import. */
function bundledPackages(info: Info): ReadonlySet<string> {
  const found = new Set<string>();
  const add = (id: string) => {
    if (found.has(id)) return;
    found.add(id);
    info.npmPackages[id]?.dependencies.forEach(add);
  };
  for (const { npmPackage } of info.modules) if (npmPackage !== undefined) add(npmPackage);
  return found;
}

/** A line of a licence that is a copyright notice. Apache's template `Copyright [yyyy]` is none. */
const NOTICE = /^\s*Copyright (?:\([Cc]\) )?(?!\[)(.+?)\s*$/;

function licenceIn(directory: string): Pick<NpmPackage, "licence" | "copyright" | "licenceText"> {
  const { license: licence, author } = JSON.parse(Deno.readTextFileSync(join(directory, "package.json")));
  if (typeof licence !== "string") throw new Error(`${directory}/package.json names no licence`);
  const file = Array.from(Deno.readDirSync(directory), ({ name }) => name).sort()
    .find((name) => /^licen[cs]e/i.test(name));
  const lines = file === undefined ? [] : Deno.readTextFileSync(join(directory, file)).split("\n");
  const notices = lines.filter((line) => NOTICE.test(line));
  const body = lines.slice(lines.findIndex((line) => NOTICE.test(line)) + 1).join("\n");
  return {
    licence,
    copyright: notices.length > 0
      ? notices.map((line) => NOTICE.exec(line)![1]!)
      : [author?.name ?? author ?? []].flat(),
    licenceText: body.replace(/^\s*All rights reserved\.$/m, "").trim() || undefined,
  };
}
