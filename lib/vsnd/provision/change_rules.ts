// SPDX-License-Identifier: MIT
/**
 * The rules for changing a card in use, without detaching the card from its guest. snd_xen_front reads its directory when it
 * connects, and never again. So neither the directory nor the parameters that the backend enforces can change: the two ends would
 * go by different parameters. Nodes that only the backend reads can change.
 */
import { mayWait } from "../../pcm/device_name.ts";
import type { CardPaths } from "../../xenbus/mod.ts";
import { usedDevice } from "../model/card.ts";
import { type Difference, isOfPermissions, type Nodes } from "./compare.ts";
import { POLICY_DENIED, POLICY_DEVICE, POLICY_DIRECTORY } from "../nodes/card_tree.ts";

/** A difference, with the facts that the rules go by. */
interface Change {
  readonly difference: Difference;
  /** The directory of the node. */
  readonly place: "libxl" | "frontend" | "backend" | "policy";
  /** The node's path below that directory: `long-name`, `0/0/device`. */
  readonly name: string;
  /** For a node of a stream's policy, the stream's device before and after; undefined where there is no such stream. */
  readonly deviceBefore: string | undefined;
  readonly deviceAfter: string | undefined;
}

interface Rule {
  /** The kind of change, for tests and readers. */
  readonly of: string;
  matches(change: Change): boolean;
  readonly isApplied: boolean;
  /** When an applied change takes effect, or why a change is refused. */
  readonly reason: string;
}

/** The first rule that matches a change decides. */
export const RULES: readonly Rule[] = [
  {
    of: "permissions",
    matches: ({ difference }) => isOfPermissions(difference),
    isApplied: true,
    reason: "takes effect at once",
  },
  {
    of: "a device that may block, in place of one that never does",
    matches: (change) => isOfDevice(change) && mayWait(change.deviceAfter!) && !mayWait(change.deviceBefore!),
    isApplied: false,
    reason: "a device that may block, such as a sound server's, needs an engine of the stream's own, " +
      "and a stream gets its engine when the card is attached",
  },
  {
    of: "whether a stream is denied",
    matches: (change) => isOfDevice(change) && nodeOf(change) === POLICY_DENIED,
    isApplied: true,
    reason: "takes effect at once",
  },
  {
    of: "a device",
    matches: isOfDevice,
    isApplied: true,
    reason: "takes effect when the guest next opens the stream",
  },
  {
    of: "parameters that the backend enforces",
    matches: ({ place }) => place === "policy",
    isApplied: false,
    reason: "the guest's driver has read its parameters already, and the backend's must be the same",
  },
  {
    of: "a card that is being detached",
    matches: ({ name }) => name === "online",
    isApplied: false,
    reason: "the backend was asked to close the card, and has not closed it yet",
  },
  {
    of: "the tie between the two ends",
    matches: ({ place, name }) => place !== "frontend" || name === "" || /^backend(-id)?$/.test(name),
    isApplied: false,
    reason: "the node ties the card's two ends together",
  },
  {
    of: "names, streams and their parameters",
    matches: ({ place }) => place === "frontend",
    isApplied: false,
    reason: "the guest's driver reads the node only when it connects",
  },
];

/** The node's own name, the last part of its path. */
const nodeOf = ({ name }: Change) => name.slice(name.lastIndexOf("/") + 1);

function isOfDevice(change: Change): boolean {
  const { place, deviceBefore, deviceAfter } = change;
  return place === "policy" && [POLICY_DEVICE, POLICY_DENIED].includes(nodeOf(change)) &&
    deviceBefore !== undefined && deviceAfter !== undefined;
}

/** The most node names that are printed for one reason. */
const SHOWN_NAMES = 4;

export interface Decision {
  /** When the applied changes take effect, a line for each reason: `0/0/device, 0/1/device: takes effect ...`. */
  readonly notes: readonly string[];
  /** Why changes are refused, a line for each reason. Empty if all can be applied. */
  readonly refusals: readonly string[];
}

/** Decides by {@link RULES} on the `differences` between the present and the wanted nodes of the card at `paths`. */
export function decide(
  differences: readonly Difference[],
  present: Nodes,
  wanted: Nodes,
  paths: CardPaths,
): Decision {
  const names = new Map<Rule, string[]>();
  for (const difference of differences) {
    const change = changeOf(difference, present, wanted, paths);
    const rule = RULES.find((rule) => rule.matches(change))!;
    names.set(rule, [...names.get(rule) ?? [], change.name === "" ? difference.path : change.name]);
  }
  const lines = (isApplied: boolean) =>
    [...names].filter(([rule]) => rule.isApplied === isApplied)
      .map(([{ reason }, names]) => `${abridged(names)}: ${reason}`);
  return { notes: lines(true), refusals: lines(false) };
}

function changeOf(difference: Difference, present: Nodes, wanted: Nodes, paths: CardPaths): Change {
  const places = [
    ["policy", `${paths.backend}/${POLICY_DIRECTORY}`],
    ["frontend", paths.frontend],
    ["backend", paths.backend],
    ["libxl", paths.libxl],
  ] as const;
  const found = places.find(([, directory]) => `${difference.path}/`.startsWith(`${directory}/`));
  // A node outside of the card's directories belongs to a directory that the card moves to, or from.
  const [place, directory] = found ?? ["libxl", ""];
  const stream = difference.path.slice(0, difference.path.lastIndexOf("/"));
  return {
    difference,
    place,
    name: difference.path.slice(directory.length + 1),
    deviceBefore: deviceOf(present, stream),
    deviceAfter: deviceOf(wanted, stream),
  };
}

/** The device that serves the stream whose policy is in the directory `stream`. */
function deviceOf(nodes: Nodes, stream: string): string | undefined {
  const device = nodes.get(`${stream}/${POLICY_DEVICE}`)?.value;
  return device && usedDevice({ device, denied: nodes.has(`${stream}/${POLICY_DENIED}`) });
}

function abridged(names: readonly string[]): string {
  const more = names.length - SHOWN_NAMES;
  return names.slice(0, SHOWN_NAMES).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
