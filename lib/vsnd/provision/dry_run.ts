// SPDX-License-Identifier: MIT
/** Dry runs: changing XenStore in a transaction that is always aborted, and recording the changes. */
import type { Permission, Store, StoreView } from "../../xen/ports.ts";
import type { TreeNode } from "../nodes/card_tree.ts";

export type StoreChange = ({ readonly op: "write" } & TreeNode) | {
  readonly op: "remove";
  readonly path: string;
};

export interface DryRun<T> {
  readonly result: T;
  /** In the order of a real run. */
  readonly changes: readonly StoreChange[];
}

/** Runs `body` on the store's present content and undoes all its changes. Throws what `body` throws. */
export function dryRun<T>(store: Store, body: (view: StoreView) => T): DryRun<T> {
  let outcome: DryRun<T> | undefined;
  const abort = new Error("the dry run is over");
  try {
    store.transaction((view) => {
      const recorder = new Recorder(view);
      outcome = { result: body(recorder), changes: recorder.changes };
      throw abort;
    });
  } catch (error) {
    if (error !== abort) throw error;
  }
  return outcome!;
}

/** A view that records the changes made through it. */
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

  /** Makes and records the missing directories above a new node, which XenStore would make by itself. */
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
