// SPDX-License-Identifier: MIT
/** How a card that is in XenStore differs from one that is wanted: a difference a node. */
import * as sndif from "../../sndif/mod.ts";
import type { CardPaths } from "../../xenbus/mod.ts";
import type { StoreView } from "../../xen/ports.ts";
import { POLICY_DENIED, POLICY_DEVICE, POLICY_DIRECTORY, type TreeNode } from "../nodes/card_tree.ts";
import { formatPermissions } from "../nodes/xenstore_ls.ts";

/** A node that is there and not as wanted, or is missing, or is not wanted at all. */
export interface Difference {
  readonly path: string;
  readonly present: TreeNode | undefined;
  readonly wanted: TreeNode | undefined;
}

/** A card's nodes by path. */
export type Nodes = ReadonlyMap<string, TreeNode>;

/** Nodes that are configuration; the rest (state, ring-ref, ...) is what the two ends tell each other. */
const CONFIGURATION: ReadonlySet<string> = new Set([
  "frontend",
  "frontend-id",
  "backend",
  "backend-id",
  // A card that was told to go, and has not been taken away, is not as wanted.
  "online",
  POLICY_DEVICE,
  POLICY_DENIED,
  sndif.XENSND_FIELD_VCARD_SHORT_NAME,
  sndif.XENSND_FIELD_VCARD_LONG_NAME,
  sndif.XENSND_FIELD_DEVICE_NAME,
  sndif.XENSND_FIELD_TYPE,
  sndif.XENSND_FIELD_STREAM_UNIQUE_ID,
  sndif.XENSND_FIELD_CHANNELS_MIN,
  sndif.XENSND_FIELD_CHANNELS_MAX,
  sndif.XENSND_FIELD_SAMPLE_RATES,
  sndif.XENSND_FIELD_SAMPLE_FORMATS,
  sndif.XENSND_FIELD_BUFFER_SIZE,
]);

function isDirectory(name: string): boolean {
  return name === POLICY_DIRECTORY || /^\d{1,2}$/.test(name);
}

/** The configuration nodes of the card whose directories are `paths`. */
export function presentNodes(view: StoreView, paths: CardPaths): Nodes {
  const nodes = new Map<string, TreeNode>();
  for (const path of Object.values(paths)) collect(view, path, 3, nodes);
  return nodes;
}

/** Puts the configuration nodes at and below `path` into `into`; the guest cannot make it look deeper than `depth`. */
function collect(view: StoreView, path: string, depth: number, into: Map<string, TreeNode>): void {
  const value = view.read(path);
  if (value === undefined) return;
  into.set(path, { path, value, permissions: view.getPermissions(path) ?? [] });
  for (const name of view.list(path) ?? []) {
    if (isDirectory(name) ? depth > 0 : CONFIGURATION.has(name)) {
      collect(view, `${path}/${name}`, depth - 1, into);
    }
  }
}

/**
 * How `present`, of the card whose frontend's directory is `frontend`, differs from `wanted`, in the order of the latter.
 * Permissions in that directory are no difference: its guest may change them.
 */
export function differencesOf(present: Nodes, wanted: readonly TreeNode[], frontend: string): Difference[] {
  const unwanted = new Map(present);
  const differences: Difference[] = [];
  for (const node of wanted) {
    const name = node.path.slice(node.path.lastIndexOf("/") + 1);
    if (!CONFIGURATION.has(name) && !isDirectory(name)) continue;
    unwanted.delete(node.path);
    const found = present.get(node.path);
    const isGuests = `${node.path}/`.startsWith(`${frontend}/`);
    const isSame = found?.value === node.value && (isGuests || samePermissions(found, node));
    if (!isSame) differences.push({ path: node.path, present: found, wanted: node });
  }
  for (const node of unwanted.values()) {
    differences.push({ path: node.path, present: node, wanted: undefined });
  }
  return differences;
}

/** Whether only who may read and write the node is another. */
export function isOfPermissions({ present, wanted }: Difference): boolean {
  return present !== undefined && present.value === wanted?.value;
}

/** `PATH: "48000" -> "44100"`, or what else it is, in a line. */
export function describeDifference(difference: Difference): string {
  const { path, present, wanted } = difference;
  if (present === undefined) return `${path} is missing`;
  if (wanted === undefined) return `${path} is not wanted`;
  return isOfPermissions(difference)
    ? `${path}: permissions ${formatPermissions(present.permissions)} -> ${
      formatPermissions(wanted.permissions)
    }`
    : `${path}: ${JSON.stringify(present.value)} -> ${JSON.stringify(wanted.value)}`;
}

function samePermissions(one: TreeNode, other: TreeNode): boolean {
  return formatPermissions(one.permissions) === formatPermissions(other.permissions);
}
