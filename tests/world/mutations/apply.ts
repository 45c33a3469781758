// SPDX-License-Identifier: MIT
/** A copy of the project in a temporary folder, in which one defect at a time is planted. */
import { join } from "node:path";
import type { Mutation } from "./mutation.ts";
import { mutated } from "./mutations.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;

/** The folders that are copied: what is changed meanwhile in the original does not matter. Others are links. */
const COPIED = ["ffi", "lib", "tests"];

/** What the copy shares of Deno's cache: packages, and not what Deno makes of the copy's own files. */
const SHARED_CACHE = ["npm", "remote", "registries"];

export class ProjectCopy implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "xsnd-mutation-" });
  readonly #cache = join(this.path, ".deno_dir");

  constructor() {
    for (const { name, isDirectory, isSymlink } of Deno.readDirSync(ROOT)) {
      const [from, to] = [join(ROOT, name), join(this.path, name)];
      if (name === ".git") continue;
      if (COPIED.includes(name)) copyFolder(from, to);
      else if (isDirectory || isSymlink) Deno.symlinkSync(from, to);
      // A program that looks for its files beside itself must find those of the copy.
      else Deno.copyFileSync(from, to);
    }
    Deno.mkdirSync(this.#cache);
    const cache = Deno.env.get("DENO_DIR");
    for (const name of cache === undefined ? [] : SHARED_CACHE) {
      Deno.symlinkSync(join(cache!, name), join(this.#cache, name));
    }
  }

  /** Plants `mutation` until the result is disposed. */
  plant(mutation: Mutation): Disposable {
    const path = join(this.path, mutation.file);
    const text = Deno.readTextFileSync(path);
    Deno.writeTextFileSync(path, mutated(mutation, text));
    return { [Symbol.dispose]: () => Deno.writeTextFileSync(path, text) };
  }

  /** A `deno` command that runs in the copy. */
  deno(args: readonly string[], signal?: AbortSignal): Deno.Command {
    return new Deno.Command(Deno.execPath(), {
      args: [...args],
      cwd: this.path,
      env: { DENO_DIR: this.#cache, NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal,
    });
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to);
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyFolder(join(from, name), join(to, name));
    else Deno.copyFileSync(join(from, name), join(to, name));
  }
}
