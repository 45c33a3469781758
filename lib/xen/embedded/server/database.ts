// SPDX-License-Identifier: MIT
/** The current state of all nodes, and transactions on that state, with conflict detection. */
import { isUnprivileged, type Subject } from "./permissions.ts";
import { generationAt, type Node } from "./tree.ts";
import { type Change, Quota, type Snapshot, View } from "./view.ts";
import { XsError } from "./wire.ts";

export class Database {
  #generation = 0;
  readonly #nextGeneration = () => ++this.#generation;
  #snapshot: Snapshot;

  /** Begins with the root alone, which is dom0's and accessible to nobody else. */
  constructor() {
    const root: Node = {
      value: new Uint8Array(),
      permissions: [{ domid: 0, access: "none" }],
      children: new Map(),
      generation: this.#nextGeneration(),
    };
    this.#snapshot = { root, owned: new Map([[0, 1]]) };
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Runs `body` on the current state, and adopts its changes. If `body` throws, nothing changes. */
  run<T>(body: (view: View) => T): { result: T; changes: readonly Change[] } {
    const view = new View(this.#snapshot, this.#nextGeneration);
    const result = body(view);
    this.#snapshot = view.snapshot;
    return { result, changes: view.changes };
  }

  begin(subject: Subject): Transaction {
    return new Transaction(this, subject, this.#nextGeneration);
  }
}

/**
 * Reads and writes on a snapshot of its own. Records all nodes that its results depend on, missing nodes included. The commit
 * succeeds only if none of these nodes has changed. The commit repeats the writes on the current state, with the same outcome,
 * since the writes depend on no other node.
 */
export class Transaction {
  readonly #base: Snapshot;
  readonly #view: View;
  readonly #accessed = new Set<string>();
  readonly #log: ((view: View) => unknown)[] = [];

  constructor(
    private readonly database: Database,
    private readonly subject: Subject,
    nextGeneration: () => number,
  ) {
    this.#base = database.snapshot;
    this.#view = new View(this.#base, nextGeneration, (path) => this.#access(path));
  }

  /** Runs `body` in the transaction. A `body` that changes a node runs again at the commit. */
  run<T>(body: (view: View) => T): T {
    const before = this.#view.snapshot;
    try {
      const result = body(this.#view);
      if (this.#view.snapshot !== before) this.#log.push(body);
      return result;
    } catch (error) {
      this.#view.snapshot = before;
      throw error;
    }
  }

  /** Applies the writes and returns the changes, one a path. Throws EAGAIN if another writer's change conflicts. */
  commit(): readonly Change[] {
    const { root } = this.database.snapshot;
    for (const path of this.#accessed) {
      if (generationAt(root, path) !== generationAt(this.#base.root, path)) throw new XsError("EAGAIN");
    }
    const { changes } = this.database.run((view) => this.#log.forEach((body) => body(view)));
    return merged(changes);
  }

  #access(path: string): void {
    if (this.#accessed.size >= Quota.transactionNodes && isUnprivileged(this.subject)) {
      throw new XsError("ENOSPC");
    }
    this.#accessed.add(path);
  }
}

function merged(changes: readonly Change[]): readonly Change[] {
  const byPath = new Map<string, Change>();
  for (const change of changes) {
    const key = `${change.exact}${change.path}`;
    const permissions = [...byPath.get(key)?.permissions ?? [], ...change.permissions];
    byPath.set(key, { ...change, permissions });
  }
  return [...byPath.values()];
}
