// SPDX-License-Identifier: MIT
/** Choosing kernel modules: what a small root needs, with all that those depend on. */
import { LabError, run, shell } from "./command.ts";

/** The only kernel version whose modules are below `root/lib/modules`. */
export function kernelVersion(root: string): string {
  const versions = Array.from(Deno.readDirSync(`${root}/lib/modules`), ({ name }) => name);
  if (versions.length !== 1) {
    throw new LabError(`expected one kernel in ${root}, found: ${versions.join(" ")}`);
  }
  return versions[0]!;
}

/**
 * Copies `modules` and their dependencies from `source/lib/modules` (indexed by depmod) to `target/lib/modules`,
 * uncompressed (busybox has no xz), and indexes them there. A name that this kernel has built in, or that its
 * architecture lacks, is left out.
 */
export async function copyModules(source: string, modules: readonly string[], target: string): Promise<void> {
  const version = kernelVersion(source);
  const from = `${source}/lib/modules/${version}`;
  const needs = new Map<string, string[]>();
  for (const line of (await Deno.readTextFile(`${from}/modules.dep`)).trim().split("\n")) {
    const [path, dependencies] = line.split(":");
    needs.set(moduleName(path!), [path!, ...dependencies!.trim().split(" ").filter((name) => name !== "")]);
  }
  const files = new Set(modules.flatMap((name) => needs.get(canonical(name)) ?? []));
  await shell(
    'cd "$1"; to=$2; shift 2; mkdir -p "$to"; cp --parents "$@" modules.order modules.builtin* "$to"; ' +
      'find "$to" -name "*.ko.xz" -exec xz -d {} +',
    from,
    `${target}/lib/modules/${version}`,
    ...files,
  );
  await run("depmod", ["-b", target, version]);
}

/** The kernel takes `-` and `_` in a module's name for the same. */
const canonical = (name: string) => name.replaceAll("-", "_");
const moduleName = (path: string) => canonical(path.split("/").at(-1)!.replace(/\.ko(\.xz)?$/, ""));
