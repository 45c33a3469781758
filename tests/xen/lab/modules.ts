// SPDX-License-Identifier: MIT
/** Copies kernel modules and their dependencies into a small root. */
import { LabError, run, shell } from "./command.ts";

/** The version of the only kernel with modules in `root/lib/modules`. */
export function kernelVersion(root: string): string {
  const versions = Array.from(Deno.readDirSync(`${root}/lib/modules`), ({ name }) => name);
  if (versions.length !== 1) {
    throw new LabError(`expected one kernel in ${root}, found: ${versions.join(" ")}`);
  }
  return versions[0]!;
}

/**
 * Copies `modules` and their dependencies from `source/lib/modules` (indexed by depmod) to `target/lib/modules`,
 * uncompressed (busybox has no xz), and indexes them there. Modules that are built into the kernel, or that its
 * architecture lacks, are left out.
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

/** A module's name with `_` for `-`: the kernel treats both as the same. */
const canonical = (name: string) => name.replaceAll("-", "_");
const moduleName = (path: string) => canonical(path.split("/").at(-1)!.replace(/\.ko(\.xz)?$/, ""));
