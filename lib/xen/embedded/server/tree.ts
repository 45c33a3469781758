// SPDX-License-Identifier: MIT
/**
 * The nodes: an immutable tree. A change makes a new root that shares everything untouched with the old one, so
 * a transaction's snapshot is one reference, and a change that fails half-way has changed nothing.
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
   * Changes whenever the node's own value, permissions or list of names of children does, and not when something
   * further down does. Never 0, which stands for a node that does not exist.
   */
  readonly generation: number;
}

/** The node at `path`, if there is one. */
export function nodeAt(root: Node, path: string): Node | undefined {
  let node: Node | undefined = root;
  for (const name of pathSegments(path)) node = node?.children.get(name);
  return node;
}

/** 0 if there is no node at `path`. */
export function generationAt(root: Node, path: string): number {
  return nodeAt(root, path)?.generation ?? 0;
}

/** The root with `replacement` at `path`, or nothing there if it is undefined. All nodes above must exist. */
export function replaced(root: Node, path: string, replacement: Node | undefined): Node {
  const rebuild = (node: Node, [name, ...below]: string[]): Node => {
    const children = new Map(node.children);
    const child = below.length === 0 ? replacement : rebuild(children.get(name)!, below);
    if (child) children.set(name, child);
    else children.delete(name);
    return { ...node, children };
  };
  const names = pathSegments(path);
  return names.length === 0 ? replacement! : rebuild(root, names);
}
