// SPDX-License-Identifier: MIT
/** Planning and provisioning: compare the wanted cards with XenStore, decide, and write the differences, in one transaction. */
import { Exit, XsndError } from "../../base/error.ts";
import {
  type CardAddress,
  cardPaths,
  type Domain,
  meaningOf,
  readStates,
  removeWithEmptyParents,
  stateName,
} from "../../xenbus/mod.ts";
import type { Store, StoreView } from "../../xen/ports.ts";
import type { CardConfig } from "../model/card.ts";
import { describeDifference, type Difference, differencesOf, presentNodes } from "./compare.ts";
import { type CardRecord, cardRecords } from "../nodes/inventory.ts";
import { decide } from "./change_rules.ts";
import { cardTree, type TreeNode, writeTree } from "../nodes/card_tree.ts";
import { readCardSettings, writeCardSettings } from "../nodes/operator_nodes.ts";

/** A card that XenStore is to hold. */
export interface WantedCard {
  /** The guest. */
  readonly domain: Domain;
  /** The card's place. */
  readonly address: CardAddress;
  /** The card. */
  readonly card: CardConfig;
}

/** What becomes of a wanted card. */
export interface PlannedCard extends WantedCard {
  /** A replaced card is detached from its guest and attached anew. */
  readonly action: "created" | "changed" | "replaced" | "unchanged";
  /** A line for each node that differs: `PATH: "48000" -> "44100"`. */
  readonly differences: readonly string[];
  /** When the changes of a card in use take effect, a line for each reason. */
  readonly notes: readonly string[];
  /** Why the card, which is in use, cannot be changed. */
  readonly refusal?: string;
}

/** Chooses the wanted cards by the present content of XenStore. */
export type Choice = (view: StoreView) => readonly WantedCard[];

/**
 * Writes the cards that `choose` returns. `choose` and the comparison see the same content of XenStore. Cards that are as wanted,
 * and other cards of the same domains, are not touched. Of a card in use, only the changes that change_rules.ts allows are
 * written. Throws {@link XsndError} (exit 1) and writes nothing at all if a card needs any other change.
 */
export function provision(store: Store, choose: Choice): PlannedCard[] {
  return store.transaction((view) => provisionIn(view, choose));
}

/** Like {@link provision}, in the caller's transaction. The caller must abort the transaction if this throws. */
export function provisionIn(view: StoreView, choose: Choice): PlannedCard[] {
  const plans = planIn(view, choose);
  const refusals = plans.flatMap(({ refusal }) => refusal ?? []);
  if (refusals.length > 0) throw new XsndError(refusals.join("\n"), Exit.failed);
  for (const plan of plans) apply(view, plan);
  return plans;
}

/** The plan of {@link provision}, with the changes that it would refuse. */
export function planIn(view: StoreView, choose: Choice): Plan[] {
  return choose(view).map((wanted) => planCard(view, wanted));
}

/** Throws {@link XsndError} (exit 1) if one of `wanted` would change a card that there is. */
export function requireNoChange(view: StoreView, wanted: readonly WantedCard[]): void {
  const changed = planIn(view, () => wanted).find(({ action }) =>
    action !== "created" && action !== "unchanged"
  );
  if (changed === undefined) return;
  const { domain: { name }, address: { card } } = changed;
  throw new XsndError(
    `${name} has a card ${card}, which is not the default card; \`xsnd provision ${name} -f FILE\` changes the card, ` +
      "--device PCM puts the default card on PCM in its place",
    Exit.failed,
  );
}

/** Removes a card's three directories. */
export function removeCard(view: StoreView, { paths }: CardRecord): void {
  for (const path of [paths.frontend, paths.backend, paths.libxl]) removeWithEmptyParents(view, path);
}

export interface Plan extends PlannedCard {
  readonly nodes: readonly TreeNode[];
  /** The present card. */
  readonly record: CardRecord | undefined;
  /** For a card in use, the differences, which alone are written. */
  readonly changes?: readonly Difference[];
}

function planCard(view: StoreView, wanted: WantedCard): Plan {
  const { domain, address, card } = wanted;
  const nodes = cardTree(address, card);
  const record = cardRecords(view, domain.domid).find((present) => present.address.card === address.card);
  const plan = { ...wanted, nodes, record, notes: [] };
  if (record === undefined) return { ...plan, action: "created", differences: [] };
  const present = presentNodes(view, record.paths);
  const changes = differencesOf(present, nodes, record.paths.frontend);
  const differences = changes.map(describeDifference);
  if (changes.length === 0) return { ...plan, action: "unchanged", differences };
  if (!meaningOf(readStates(view, record.paths)).isInUse) return { ...plan, action: "changed", differences };
  const { notes, refusals } = decide(
    changes,
    present,
    new Map(nodes.map((node) => [node.path, node])),
    record.paths,
  );
  const changed = { ...plan, action: "changed", differences, changes, notes } as const;
  return refusals.length === 0 ? changed : { ...changed, refusal: refusal(view, wanted, record, refusals) };
}

function apply(view: StoreView, { action, address, card, nodes, record, changes }: Plan): void {
  if (action === "unchanged") return;
  if (changes !== undefined) {
    for (const { path, wanted } of changes) {
      if (wanted === undefined) view.remove(path);
      else writeTree(view, [wanted]);
    }
    return;
  }
  const paths = cardPaths(address);
  // A card that changes keeps what operators have set.
  const kept = record === undefined ? new Map() : readCardSettings(view, record.paths.backend, card);
  if (record !== undefined) removeCard(view, record);
  for (const path of Object.values(paths)) view.remove(path); // remains without a record
  writeTree(view, nodes);
  writeCardSettings(view, paths.backend, card, kept);
}

function refusal(
  view: StoreView,
  { domain, address }: WantedCard,
  { paths }: CardRecord,
  reasons: readonly string[],
): string {
  const { frontend, backend } = readStates(view, paths);
  return `card ${address.card} of ${domain.name} is in use (frontend ${stateName(frontend)}, backend ${
    stateName(backend)
  }) and cannot ` +
    `change as wanted: ${
      reasons.join("; ")
    }. Unload the guest's driver first, or let --replace detach the card and ` +
    "attach it anew";
}
