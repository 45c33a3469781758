// SPDX-License-Identifier: MIT
/**
 * Reads and changes nodes by xenstored's rules: permissions, the errors that hide nodes, inheritance of new nodes, quotas. A
 * {@link View} works on a snapshot of its own. Nobody else sees its changes until the {@link Database} adopts the snapshot.
 */
import type { Permission } from "../../ports.ts";
import { childPath, parentPath } from "./store_paths.ts";
import { isUnprivileged, ownerOf, Right, rightsOf, type Subject } from "./permissions.ts";
import { type Node, nodeAt, replaced } from "./tree.ts";
import { XsError } from "./wire.ts";

/** The most that one unprivileged domain may have (xenstored's defaults). */
export const Quota = {
  nodes: 1000,
  watches: 128,
  transactions: 10,
  /** Nodes read or changed in one transaction. */
  transactionNodes: 1024,
  /** A node's record, with its header and the names of its children, stays below this. */
  entryBytes: 2048,
  permissionsPerNode: 5,
} as const;

/** One state of all nodes; immutable. */
export interface Snapshot {
  readonly root: Node;
  /** How many nodes each domain owns. */
  readonly owned: ReadonlyMap<number, number>;
}

/** A change, for watches. */
export interface Change {
  readonly path: string;
  /** Only watches on this very path fire: the node is gone because a node above was removed. */
  readonly exact: boolean;
  /** The access lists of the node, of its parent, and of the node before the change. A watcher needs read access by one. */
  readonly permissions: readonly (readonly Permission[])[];
}

const EMPTY = new Uint8Array();

export class View {
  readonly changes: Change[] = [];

  /**
   * @param nextGeneration returns a number that no node has had yet
   * @param accessing is called with the path of each node that a result depends on
   */
  constructor(
    public snapshot: Snapshot,
    private readonly nextGeneration: () => number,
    private readonly accessing: (path: string) => void = () => {},
  ) {}

  /** The node at `path`. Throws ENOENT or EACCES if there is no node that `subject` may read. */
  read(subject: Subject, path: string): Node {
    return this.#permitted(subject, path, Right.READ) ?? fail("ENOENT");
  }

  write(subject: Subject, path: string, value: Uint8Array): void {
    const node = this.#permitted(subject, path, Right.WRITE);
    if (node) this.#put(subject, path, { ...node, value });
    else this.#create(subject, path, value);
    this.#changed(path);
  }

  mkdir(subject: Subject, path: string): void {
    if (this.#permitted(subject, path, Right.WRITE)) return;
    this.#create(subject, path, EMPTY);
    this.#changed(path);
  }

  remove(subject: Subject, path: string): void {
    const node = this.#permitted(subject, path, Right.WRITE);
    if (path === "/") throw new XsError("EINVAL");
    if (!this.#node(parentPath(path))) throw new XsError("ENOENT");
    if (!node) return;
    this.#changed(path);
    this.#forget(path, node);
    const root = replaced(this.snapshot.root, path, undefined);
    this.snapshot = { ...this.snapshot, root };
    this.#touch(parentPath(path));
  }

  setPermissions(subject: Subject, path: string, permissions: readonly Permission[]): void {
    if (isUnprivileged(subject) && permissions.length > Quota.permissionsPerNode) throw new XsError("ENOSPC");
    const node = this.#permitted(subject, path, Right.WRITE | Right.OWNER) ?? fail("ENOENT");
    const [former, owner] = [ownerOf(node.permissions).domid, ownerOf(permissions).domid];
    if (isUnprivileged(subject) && owner !== former) throw new XsError("EPERM");
    this.#count(former, -1);
    this.#count(owner, 1);
    this.#put(subject, path, { ...node, permissions });
    this.#changed(path, node.permissions);
  }

  /** Gives the nodes of `domid` to dom0 and removes `domid` from all access lists: a later domain of that id has no rights. */
  disinherit(domid: number): void {
    const walk = (path: string, node: Node) => {
      for (const [name, child] of node.children) walk(childPath(path, name), child);
      if (!node.permissions.some((entry) => entry.domid === domid)) return;
      const owner = ownerOf(node.permissions);
      const entries = node.permissions.slice(1);
      const heir = owner.domid === domid ? { ...owner, domid: 0 } : owner;
      this.#count(owner.domid, -1);
      this.#count(heir.domid, 1);
      const current = nodeAt(this.snapshot.root, path)!;
      const permissions = [heir, ...entries.filter((entry) => entry.domid !== domid)];
      this.#replace(path, { ...current, permissions });
    };
    walk("/", this.snapshot.root);
  }

  /**
   * The node at `path` if `subject` has the `wanted` rights on it; undefined if there is no node and `subject` may make one.
   * Otherwise throws EACCES: without rights on the nearest node above nobody learns whether there is a node below.
   */
  #permitted(subject: Subject, path: string, wanted: number): Node | undefined {
    const node = this.#node(path);
    if (node) {
      return (rightsOf(subject, node.permissions) & wanted) === wanted ? node : fail("EACCES");
    }
    const [, above] = this.#nearest(path);
    return rightsOf(subject, above.permissions) & wanted ? undefined : fail("EACCES");
  }

  /** The nearest node at or above `path`, in the end the root. */
  #nearest(path: string): [path: string, node: Node] {
    const node = this.#node(path);
    return node ? [path, node] : this.#nearest(parentPath(path));
  }

  #node(path: string): Node | undefined {
    this.accessing(path);
    return nodeAt(this.snapshot.root, path);
  }

  /** Makes `path` and the missing nodes above. New nodes inherit their access list; an unprivileged domain owns its new nodes. */
  #create(subject: Subject, path: string, value: Uint8Array): void {
    const [top, parent] = this.#nearest(path);
    const permissions = isUnprivileged(subject)
      ? [{ ...ownerOf(parent.permissions), domid: subject.domid }, ...parent.permissions.slice(1)]
      : parent.permissions;
    const owner = ownerOf(permissions).domid;
    const missing: string[] = [];
    for (let at = path; at !== top; at = parentPath(at)) missing.unshift(at);
    for (const made of missing) {
      const owned = this.snapshot.owned.get(owner) ?? 0;
      if (isUnprivileged(subject) && owned >= Quota.nodes) throw new XsError("ENOSPC");
      this.#count(owner, 1);
      const node = { value: made === path ? value : EMPTY, permissions, children: new Map(), generation: 0 };
      this.#put(subject, made, node);
    }
    this.#put(subject, top, nodeAt(this.snapshot.root, top)!);
  }

  /** Uncounts a removed node and all nodes below, and notes the change of each node below for its own watches. */
  #forget(path: string, node: Node): void {
    this.#count(ownerOf(node.permissions).domid, -1);
    for (const [name, child] of node.children) {
      const childsPath = childPath(path, name);
      this.accessing(childsPath);
      const permissions = [child.permissions, node.permissions];
      this.changes.push({ path: childsPath, exact: true, permissions });
      this.#forget(childsPath, child);
    }
  }

  #put(subject: Subject, path: string, node: Node): void {
    if (isUnprivileged(subject) && entryBytes(node) >= Quota.entryBytes) throw new XsError("ENOSPC");
    this.#replace(path, node);
  }

  #replace(path: string, node: Node): void {
    const root = replaced(this.snapshot.root, path, { ...node, generation: this.nextGeneration() });
    this.snapshot = { ...this.snapshot, root };
  }

  #touch(path: string): void {
    this.#replace(path, nodeAt(this.snapshot.root, path)!);
  }

  #count(domid: number, difference: number): void {
    const owned = new Map(this.snapshot.owned);
    owned.set(domid, (owned.get(domid) ?? 0) + difference);
    this.snapshot = { ...this.snapshot, owned };
  }

  #changed(path: string, ...former: (readonly Permission[])[]): void {
    const { root } = this.snapshot;
    const lists = [nodeAt(root, path)!.permissions, nodeAt(root, parentPath(path))!.permissions, ...former];
    this.changes.push({ path, exact: false, permissions: lists });
  }
}

/** Octets of the node's record in xenstored's database: `struct xs_tdb_record_hdr`, access list, value, children's names. */
function entryBytes(node: Node): number {
  let names = 0;
  for (const name of node.children.keys()) names += name.length + 1;
  return 24 + 8 * node.permissions.length + node.value.length + names;
}

function fail(code: ConstructorParameters<typeof XsError>[0]): never {
  throw new XsError(code);
}
