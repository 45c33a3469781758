/**
 * The program as plain JavaScript that needs no npm modules and no network: main.ts, and each other module that is started by
 * itself (Workers, the embedded Xen's server), which share what they have in common. Files that modules refer to
 * by `new URL("...", import.meta.url)` come along.
 */
import { dirname, join, relative } from "node:path";

const REFERENCE = /new URL\(\s*"(\.{1,2}\/[^"]+)",\s*import\.meta\.url,?\s*\)/g;

/** Folders that the program is made of. */
const SOURCES = ["cmd", "ffi", "lib"];

/** Bundles the program of the tree `project` into the folder `out`. */
export async function bundle(project: string, out: string): Promise<void> {
  const references = findReferences(project);
  const modules = [...references.values()].filter(isModule);
  const entries = ["main.ts", ...new Set(modules)].sort();
  await run(project, ["bundle", "--quiet", "--code-splitting", `--outdir=${out}`, ...entries]);
  for (const path of files(out, "")) mendReferences(out, path, references);
  for (const path of [...references.values()].filter((path) => !isModule(path))) {
    Deno.mkdirSync(join(out, dirname(path)), { recursive: true });
    Deno.copyFileSync(join(project, path), join(out, path));
  }
}

const isModule = (path: string) => path.endsWith(".ts");

/** What modules refer to, as they write it, and the file of the project that it is. */
function findReferences(project: string): Map<string, string> {
  const references = new Map<string, string>();
  for (const path of SOURCES.flatMap((folder) => files(project, folder))) {
    for (const [, written] of Deno.readTextFileSync(join(project, path)).matchAll(REFERENCE)) {
      const file = join(dirname(path), written);
      // In a bundle, nothing but this text tells which file it was.
      if ((references.get(written) ?? file) !== file) {
        throw new Error(
          `${path}: "${written}" is ${file}, and ${references.get(written)} elsewhere; rename one`,
        );
      }
      references.set(written, file);
    }
  }
  return references;
}

/** Lets a bundled file refer to the others from where it is now. */
function mendReferences(out: string, path: string, references: ReadonlyMap<string, string>): void {
  const text = Deno.readTextFileSync(join(out, path));
  const mended = text.replace(REFERENCE, (_, written: string) => {
    const file = references.get(written);
    if (file === undefined) throw new Error(`${path}: nothing in the sources refers to ${written}`);
    const there = relative(dirname(path), file).replace(/\.ts$/, ".js");
    return `new URL("${there.startsWith(".") ? there : `./${there}`}", import.meta.url)`;
  });
  if (mended !== text) Deno.writeTextFileSync(join(out, path), mended);
}

/** All files below `folder`, as paths below `root`, in order. */
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
