// SPDX-License-Identifier: MIT
/**
 * An immutable tree of nodes. A change makes a new root, which shares all unchanged nodes with the old root. So a snapshot is one
 * reference, and a change that fails half-way has no effect.
 */
import type { Permission } from "../../ports.ts";
import { pathSegments } from "./store_paths.ts";

export interface Node {
  readonly value: Uint8Array;
  /** Never empty: the first entry is the owner's. */
  readonly permissions: readonly Permission[];
  /** In order of creation, as xenstored lists them. */
  readonly children: ReadonlyMap<string, Node>;
  /**
   * Changes with the node's own value, permissions and list of children's names, and not with nodes further down. Never 0, the
   * generation of a missing node.
   */
  readonly generation: number;
}

/** The node at `path`; undefined if there is no such node. */
export function nodeAt(root: Node, path: string): Node | undefined {
  if (path === "/") return root;
  let node: Node | undefined = root;
  for (let from = 1; node !== undefined && from > 0;) {
    const to = path.indexOf("/", from);
    node = node.children.get(to < 0 ? path.slice(from) : path.slice(from, to));
    from = to + 1;
  }
  return node;
}

/** The generation of the node at `path`; 0 if there is no such node. */
export function generationAt(root: Node, path: string): number {
  return nodeAt(root, path)?.generation ?? 0;
}

/** The new root after the node at `path` is replaced, or removed if `replacement` is undefined. All nodes above exist. */
export function replaced(root: Node, path: string, replacement: Node | undefined): Node {
  const rebuild = (node: Node | undefined, [name, ...below]: string[]): Node | undefined => {
    if (name === undefined) return replacement;
    if (node === undefined) throw new TypeError(`${path} has no parent`);
    const children = new Map(node.children);
    const child = rebuild(children.get(name), below);
    if (child) children.set(name, child);
    else children.delete(name);
    return { ...node, children };
  };
  const changed = rebuild(root, pathSegments(path));
  if (changed === undefined) throw new TypeError("the root cannot be removed");
  return changed;
}
