// SPDX-License-Identifier: MIT
/**
 * A snapshot of XenStore: all nodes of a moment, for whoever judges them. xenstored's tree is immutable, so a snapshot is its root,
 * and two snapshots with the same root are the same.
 */
import { childPath } from "../../../lib/xen/embedded/server/store_paths.ts";
import { type Node, nodeAt } from "../../../lib/xen/embedded/server/tree.ts";
import type { Permission } from "../../../lib/xen/ports.ts";

export interface SnapshotNode {
  readonly value: string;
  readonly permissions: readonly Permission[];
}

const decoder = new TextDecoder();

const described = ({ value, permissions }: Node): SnapshotNode => ({
  value: decoder.decode(value),
  permissions,
});

export class Nodes {
  /** @param root of xenstored's database */
  constructor(readonly root: Node) {}

  has(path: string): boolean {
    return nodeAt(this.root, path) !== undefined;
  }

  get(path: string): SnapshotNode | undefined {
    const node = nodeAt(this.root, path);
    return node && described(node);
  }

  value(path: string): string | undefined {
    const node = nodeAt(this.root, path);
    return node && decoder.decode(node.value);
  }

  /** The names of the node's children, in the order in which they were made. */
  children(path: string): string[] {
    return [...nodeAt(this.root, path)?.children.keys() ?? []];
  }

  /** The nodes below `path`, by their paths from there, each after its parent. */
  below(path: string): Map<string, SnapshotNode> {
    const found = new Map<string, SnapshotNode>();
    const walk = (node: Node, at: string) => {
      for (const [name, child] of node.children) {
        const path = at === "" ? name : `${at}/${name}`;
        found.set(path, described(child));
        walk(child, path);
      }
    };
    const top = nodeAt(this.root, path);
    if (top !== undefined) walk(top, "");
    return found;
  }

  /** The nodes at and below `path`, a line each: `PATH = "VALUE" (n0,r1)`. */
  lines(path: string): string[] {
    const lines: string[] = [];
    const walk = (node: Node, at: string) => {
      const { value, permissions } = described(node);
      lines.push(`${at} = ${JSON.stringify(value)} (${permissionText(permissions)})`);
      for (const [name, child] of node.children) walk(child, childPath(at, name));
    };
    const top = nodeAt(this.root, path);
    if (top !== undefined) walk(top, path);
    return lines;
  }
}

/** `n0,r1`, as xenstore-ls prints permissions. */
export function permissionText(permissions: readonly Permission[]): string {
  return permissions.map(({ domid, access }) => `${access[0]}${domid}`).join(",");
}
