// SPDX-License-Identifier: MIT
/**
 * Bundles the program into plain JavaScript that needs no npm packages and no network. Entries are main.ts and every module
 * that is started by its URL (Workers, the embedded Xen's server); they share chunks. Other files that modules refer to by
 * `new URL("...", import.meta.url)` are copied.
 */
import { dirname, join, relative } from "node:path";

const REFERENCE = /new URL\(\s*"(\.{1,2}\/[^"]+)",\s*import\.meta\.url,?\s*\)/g;

/** The comment that the bundler writes above each module. */
const HEADING = /^\/\/ (\S+\.ts)$/gm;

/** Folders with the modules of the program. */
const SOURCES = ["cmd", "ffi", "lib"];

/** Bundles the program of the tree `project` into the folder `out`. */
export async function bundle(project: string, out: string): Promise<void> {
  const referred = referredFiles(project);
  const entries = ["main.ts", ...referred.filter(isModule)];
  await run(project, ["bundle", "--quiet", "--code-splitting", `--outdir=${out}`, ...entries]);
  for (const path of files(out, "")) mendReferences(out, path, referred);
  for (const path of referred.filter((path) => !isModule(path))) {
    Deno.mkdirSync(join(out, dirname(path)), { recursive: true });
    Deno.copyFileSync(join(project, path), join(out, path));
  }
}

const isModule = (path: string) => path.endsWith(".ts");

/** The files that modules of the project refer to by URL, sorted. */
function referredFiles(project: string): string[] {
  const found = SOURCES.flatMap((folder) => files(project, folder)).filter(isModule).flatMap((path) =>
    Array.from(
      Deno.readTextFileSync(join(project, path)).matchAll(REFERENCE),
      ([, written]) => join(dirname(path), written!),
    )
  );
  return [...new Set(found)].sort();
}

/** Rewrites the references in a bundled file: the module that wrote them stood in another folder. */
function mendReferences(out: string, path: string, referred: readonly string[]): void {
  const text = Deno.readTextFileSync(join(out, path));
  const headings = [...text.matchAll(HEADING)];
  const mended = text.replace(REFERENCE, (_, written: string, at: number) => {
    const module = headings.findLast(({ index }) => index < at)?.[1];
    const file = join(dirname(module ?? ""), written);
    if (!referred.includes(file)) {
      throw new Error(
        `${path}: ${module ?? "no module"} does not refer to ${file}: has the bundler's output changed?`,
      );
    }
    const there = relative(dirname(path), file).replace(/\.ts$/, ".js");
    return `new URL("${there.startsWith(".") ? there : `./${there}`}", import.meta.url)`;
  });
  if (mended !== text) Deno.writeTextFileSync(join(out, path), mended);
}

/** All files below `folder`, as paths relative to `root`, sorted. */
export function files(root: string, folder: string): string[] {
  const found = Array.from(Deno.readDirSync(join(root, folder)), (entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory ? files(root, path) : [path];
  });
  return found.flat().sort();
}

async function run(cwd: string, args: string[]): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), { args, cwd, stdout: "inherit" }).output();
  if (!success) throw new Error(`deno ${args.join(" ")} failed`);
}
