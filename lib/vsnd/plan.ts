/** Comparing the cards that are wanted with those in XenStore, and writing what differs: all in one transaction. */
import { Exit, XsndError } from "../error.ts";
import * as sndif from "../sndif/mod.ts";
import {
  type CardAddress,
  cardPaths,
  type Domain,
  readState,
  removeWithEmptyParents,
  stateName,
  XenbusState,
} from "../xenbus/mod.ts";
import type { Permission, Store, StoreView } from "../xen/ports.ts";
import type { CardConfig } from "./card.ts";
import { type CardRecord, cardRecords } from "./inventory.ts";
import {
  cardTree,
  POLICY_DENIED,
  POLICY_DEVICE,
  POLICY_DIRECTORY,
  type TreeNode,
  writeTree,
} from "./tree.ts";

export interface WantedCard {
  readonly domain: Domain;
  readonly address: CardAddress;
  readonly card: CardConfig;
}

export interface PlannedCard extends WantedCard {
  readonly action: "created" | "changed" | "unchanged";
  /** Of a changed card, one line a node: `sample-rates: "48000" -> "44100"`. */
  readonly differences: readonly string[];
}

/**
 * Makes XenStore hold the cards that `choose` names, which sees the same state as the comparison. Cards that are as
 * wanted are not touched, nor are others of the same domains. Throws {@link XsndError} (exit 1), and writes nothing at
 * all, if a card would change under a frontend or backend that uses it.
 */
export function provision(store: Store, choose: (view: StoreView) => readonly WantedCard[]): PlannedCard[] {
  return store.transaction((view) => {
    const plans = choose(view).map((wanted) => planCard(view, wanted));
    const refusals = plans.flatMap((plan) => plan.refusal ?? []);
    if (refusals.length > 0) throw new XsndError(refusals.join("\n"), Exit.failed);
    for (const plan of plans) {
      if (plan.action === "unchanged") continue;
      if (plan.record !== undefined) removeCard(view, plan.record);
      for (const path of Object.values(cardPaths(plan.address))) view.remove(path); // left over by somebody
      writeTree(view, plan.nodes);
    }
    return plans.map(({ domain, address, card, action, differences }) => ({
      domain,
      address,
      card,
      action,
      differences,
    }));
  });
}

/** Removes a card's three directories. */
export function removeCard(view: StoreView, { paths }: CardRecord): void {
  for (const path of [paths.frontend, paths.backend, paths.libxl]) removeWithEmptyParents(view, path);
}

interface Plan extends PlannedCard {
  readonly nodes: readonly TreeNode[];
  /** The card that is there now. */
  readonly record: CardRecord | undefined;
  /** Why the card must not be changed now. */
  readonly refusal?: string;
}

function planCard(view: StoreView, wanted: WantedCard): Plan {
  const { domain, address, card } = wanted;
  const nodes = cardTree(address, card);
  const record = cardRecords(view, domain.domid).find((present) => present.address.card === address.card);
  if (record === undefined) return { ...wanted, action: "created", differences: [], nodes, record };
  const differences = compare(view, record, nodes);
  if (differences.length === 0) return { ...wanted, action: "unchanged", differences, nodes, record };
  return { ...wanted, action: "changed", differences, nodes, record, refusal: refusal(view, wanted, record) };
}

const IN_USE: ReadonlySet<XenbusState | undefined> = new Set([
  XenbusState.Initialised,
  XenbusState.Connected,
  XenbusState.Closing,
  XenbusState.Reconfiguring,
  XenbusState.Reconfigured,
]);

/** The frontend's state alone would not do: the guest can write what it likes there. */
function refusal(
  view: StoreView,
  { domain, address }: WantedCard,
  { paths }: CardRecord,
): string | undefined {
  const frontend = readState(view, paths.frontend);
  const backend = readState(view, paths.backend);
  if (!IN_USE.has(frontend) && !IN_USE.has(backend)) return undefined;
  return `card ${address.card} of ${domain.name} is in use (frontend ${stateName(frontend)}, backend ` +
    `${stateName(backend)}) and would change; unload the guest's driver, or ` +
    `\`xsnd deprovision ${domain.name} ${address.card}\` first`;
}

/** Nodes that are configuration; the rest (state, ring-ref, ...) is what the two ends tell each other. */
const CONFIGURATION: ReadonlySet<string> = new Set([
  "frontend",
  "frontend-id",
  "backend",
  "backend-id",
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

/** How the card that is there differs from `wanted`, one line a configuration node. */
function compare(view: StoreView, { paths }: CardRecord, wanted: readonly TreeNode[]): string[] {
  const present = new Map<string, TreeNode>();
  for (const path of Object.values(paths)) collect(view, path, 3, present);
  const isGuests = (path: string) => `${path}/`.startsWith(`${paths.frontend}/`); // who may change permissions, too
  const differences: string[] = [];
  for (const node of wanted) {
    const name = node.path.slice(node.path.lastIndexOf("/") + 1);
    if (!CONFIGURATION.has(name) && !isDirectory(name)) continue;
    const found = present.get(node.path);
    present.delete(node.path);
    if (found === undefined) differences.push(`${node.path} is missing`);
    else if (found.value !== node.value) {
      differences.push(`${node.path}: ${JSON.stringify(found.value)} -> ${JSON.stringify(node.value)}`);
    } else if (!isGuests(node.path) && !samePermissions(found, node)) {
      differences.push(
        `${node.path}: permissions ${format(found.permissions)} -> ${format(node.permissions)}`,
      );
    }
  }
  return [...differences, ...[...present.keys()].map((path) => `${path} is not wanted`)];
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

function samePermissions(one: TreeNode, other: TreeNode): boolean {
  return format(one.permissions) === format(other.permissions);
}

/** As `xenstore-ls -p` prints them: n0,r1. */
function format(permissions: readonly Permission[]): string {
  return permissions.map(({ domid, access }) => `${access[0]}${domid}`).join(",");
}
