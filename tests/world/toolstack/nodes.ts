// SPDX-License-Identifier: MIT
/** A snapshot of XenStore: all nodes of a moment, for whoever judges them. */
import type { Permission, StoreView } from "../../../lib/xen/ports.ts";

export interface SnapshotNode {
  readonly value: string;
  readonly permissions: readonly Permission[];
}

/** Nodes by path. */
export type Nodes = ReadonlyMap<string, SnapshotNode>;

/** All nodes at and below `path`, as `view`'s domain sees them. */
export function snapshotOf(view: StoreView, path = "/"): Nodes {
  const nodes = new Map<string, SnapshotNode>();
  const walk = (at: string) => {
    const value = view.read(at);
    if (value === undefined) return;
    nodes.set(at, { value, permissions: view.getPermissions(at) ?? [] });
    for (const name of view.list(at) ?? []) walk(at === "/" ? `/${name}` : `${at}/${name}`);
  };
  walk(path);
  return nodes;
}

/** The nodes below `directory`, by their paths from there. */
export function below(nodes: Nodes, directory: string): Map<string, SnapshotNode> {
  const found = new Map<string, SnapshotNode>();
  for (const [path, node] of nodes) {
    if (path.startsWith(`${directory}/`)) found.set(path.slice(directory.length + 1), node);
  }
  return found;
}

/** The names of a node's children, in the order of the snapshot. */
export function childrenOf(nodes: Nodes, directory: string): string[] {
  return [...below(nodes, directory).keys()].filter((name) => !name.includes("/"));
}

/** `n0,r1`, as xenstore-ls prints permissions. */
export function permissionText(permissions: readonly Permission[]): string {
  return permissions.map(({ domid, access }) => `${access[0]}${domid}`).join(",");
}
