// SPDX-License-Identifier: MIT
/** Comparing a card in XenStore with a wanted card, node by node. */
import * as sndif from "../../sndif/mod.ts";
import { type CardPaths, restoredPath } from "../../xenbus/mod.ts";
import type { StoreView } from "../../xen/ports.ts";
import { POLICY_DENIED, POLICY_DEVICE, POLICY_DIRECTORY, type TreeNode } from "../nodes/card_tree.ts";
import { formatPermissions } from "../nodes/xenstore_ls.ts";

/** A node that is different from the wanted one, missing, or not wanted. */
export interface Difference {
  readonly path: string;
  readonly present: TreeNode | undefined;
  readonly wanted: TreeNode | undefined;
}

/** A card's nodes by path. */
export type Nodes = ReadonlyMap<string, TreeNode>;

/** The nodes of the configuration. With all others (state, ring-ref, ...) the two ends talk to each other. */
const CONFIGURATION: ReadonlySet<string> = new Set([
  "frontend",
  "frontend-id",
  "backend",
  "backend-id",
  // A card that was asked to close, and has not been removed, differs from the wanted card.
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
  // Of a guest that may have been restored, the daemon has changed the node.
  const link = nodes.get(`${paths.frontend}/backend`);
  if (link?.value === restoredPath(paths.backend)) nodes.set(link.path, { ...link, value: paths.backend });
  return nodes;
}

/** Adds the configuration nodes at and below `path` to `into`. `depth` bounds the recursion, as the guest can nest directories. */
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
 * The differences between `present` and `wanted`, in the order of `wanted`, of the card whose frontend directory is `frontend`.
 * Permissions in that directory are ignored: the guest may change them.
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

/** Whether the two nodes differ in their permissions alone. */
export function isOfPermissions({ present, wanted }: Difference): boolean {
  return present !== undefined && present.value === wanted?.value;
}

/** The difference in one line, such as `PATH: "48000" -> "44100"`. */
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
