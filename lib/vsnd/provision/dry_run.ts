// SPDX-License-Identifier: MIT
/** Doing something to XenStore without doing it: in a transaction that is aborted, with a record of what it would have come to. */
import type { Permission, Store, StoreView } from "../../xen/ports.ts";
import type { TreeNode } from "../nodes/card_tree.ts";

export type StoreChange = ({ readonly op: "write" } & TreeNode) | {
  readonly op: "remove";
  readonly path: string;
};

export interface DryRun<T> {
  readonly result: T;
  /** In the order in which they would be made. */
  readonly changes: readonly StoreChange[];
}

/** Runs `body` on the store as it is and undoes all of it. What `body` throws is thrown. */
export function dryRun<T>(store: Store, body: (view: StoreView) => T): DryRun<T> {
  let dryRunResult: DryRun<T> | undefined;
  const abort = new Error("the dryRunResult is over");
  try {
    store.transaction((view) => {
      const recorder = new Recorder(view);
      dryRunResult = { result: body(recorder), changes: recorder.changes };
      throw abort;
    });
  } catch (error) {
    if (error !== abort) throw error;
  }
  return dryRunResult!;
}

/** A view that keeps a record of what changes through it. */
class Recorder implements StoreView {
  readonly changes: StoreChange[] = [];

  constructor(private readonly view: StoreView) {}

  write(path: string, value: string): void {
    this.#recordParents(path);
    this.view.write(path, value);
    this.#record(path);
  }

  mkdir(path: string): void {
    if (this.view.read(path) !== undefined) return;
    this.#recordParents(path);
    this.view.mkdir(path);
    this.#record(path);
  }

  setPermissions(path: string, permissions: readonly Permission[]): void {
    this.view.setPermissions(path, permissions);
    const last = this.changes.at(-1);
    if (last?.op === "write" && last.path === path) this.changes.pop();
    this.#record(path);
  }

  remove(path: string): void {
    if (this.view.read(path) === undefined) return;
    this.view.remove(path);
    this.changes.push({ op: "remove", path });
  }

  /** XenStore makes the directories that are missing above a new node. */
  #recordParents(path: string): void {
    const missing: string[] = [];
    for (let at = parentOf(path); at !== "" && this.view.read(at) === undefined; at = parentOf(at)) {
      missing.unshift(at);
    }
    for (const directory of missing) {
      this.view.mkdir(directory);
      this.#record(directory);
    }
  }

  #record(path: string): void {
    const [value, permissions] = [this.view.read(path), this.view.getPermissions(path)];
    if (value !== undefined) this.changes.push({ op: "write", path, value, permissions: permissions ?? [] });
  }

  read(path: string): string | undefined {
    return this.view.read(path);
  }
  list(path: string): string[] | undefined {
    return this.view.list(path);
  }
  getPermissions(path: string): Permission[] | undefined {
    return this.view.getPermissions(path);
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
