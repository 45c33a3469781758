// SPDX-License-Identifier: MIT
/**
 * What may change of a card that is in use, without taking it away from its guest. snd_xen_front reads its directory when it
 * connects and never again, so what is in there cannot change under it, nor what the backend holds it to: both ends would go
 * by different cards. What only the backend reads can.
 */
import { mayWait } from "../../pcm/device_name.ts";
import type { CardPaths } from "../../xenbus/mod.ts";
import { usedDevice } from "../model/card.ts";
import { type Difference, isOfPermissions, type Nodes } from "./compare.ts";
import { POLICY_DENIED, POLICY_DEVICE, POLICY_DIRECTORY } from "../nodes/card_tree.ts";

/** A difference, and what there is to decide it by. */
interface Change {
  readonly difference: Difference;
  /** The directory that the node is in. */
  readonly place: "libxl" | "frontend" | "backend" | "policy";
  /** The rest of its path: `long-name`, `0/0/device`. */
  readonly name: string;
  /** The device that the stream of a policy's node has and gets; undefined where there is no such stream. */
  readonly deviceBefore: string | undefined;
  readonly deviceAfter: string | undefined;
}

interface Rule {
  readonly of: string;
  matches(change: Change): boolean;
  readonly isApplied: boolean;
  /** When what is applied holds, or why it is refused. */
  readonly reason: string;
}

/** The first that matches a change decides on it. */
export const RULES: readonly Rule[] = [
  {
    of: "permissions",
    matches: ({ difference }) => isOfPermissions(difference),
    isApplied: true,
    reason: "holds at once",
  },
  {
    of: "a device of the kind that may wait, in place of one that never does",
    matches: (change) => isOfDevice(change) && mayWait(change.deviceAfter!) && !mayWait(change.deviceBefore!),
    isApplied: false,
    reason: "a device that may wait, as a sound server's does, is served by a thread of the stream's own, " +
      "which it is given when its card is attached",
  },
  {
    of: "that a stream is denied",
    matches: (change) => isOfDevice(change) && nodeOf(change) === POLICY_DENIED,
    isApplied: true,
    reason: "holds at once",
  },
  {
    of: "a device",
    matches: isOfDevice,
    isApplied: true,
    reason: "holds from the next time that the guest opens the stream",
  },
  {
    of: "what the backend holds the guest to",
    matches: ({ place }) => place === "policy",
    isApplied: false,
    reason: "it has to be what the guest's driver goes by, which has read its own",
  },
  {
    of: "a card that is being detached",
    matches: ({ name }) => name === "online",
    isApplied: false,
    reason: "its backend was asked to let go of it, and has not done so yet",
  },
  {
    of: "which two ends belong together",
    matches: ({ place, name }) => place !== "frontend" || name === "" || /^backend(-id)?$/.test(name),
    isApplied: false,
    reason: "it ties the card's two ends together",
  },
  {
    of: "names, streams and their parameters",
    matches: ({ place }) => place === "frontend",
    isApplied: false,
    reason: "the guest's driver reads it only when it connects",
  },
];

/** The last part of the change's path. */
const nodeOf = ({ name }: Change) => name.slice(name.lastIndexOf("/") + 1);

function isOfDevice(change: Change): boolean {
  const { place, deviceBefore, deviceAfter } = change;
  return place === "policy" && [POLICY_DEVICE, POLICY_DENIED].includes(nodeOf(change)) &&
    deviceBefore !== undefined && deviceAfter !== undefined;
}

/** Names of nodes that are given for one reason; more do not make it clearer. */
const SHOWN_NAMES = 4;

export interface Decision {
  /** When what is applied holds, a line a reason: `0/0/device, 0/1/device: holds from ...`. */
  readonly notes: readonly string[];
  /** Why the card cannot change so, likewise. Empty: it can. */
  readonly refusals: readonly string[];
}

/** Judges by {@link RULES} the `differences` between what is present and wanted of the card at `paths`. */
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
  // A node that is nowhere in the card is in a directory that the card is to move to, or from.
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

/** The device that serves the stream whose policy is at `stream`. */
function deviceOf(nodes: Nodes, stream: string): string | undefined {
  const device = nodes.get(`${stream}/${POLICY_DEVICE}`)?.value;
  return device && usedDevice({ device, denied: nodes.has(`${stream}/${POLICY_DENIED}`) });
}

function abridged(names: readonly string[]): string {
  const more = names.length - SHOWN_NAMES;
  return names.slice(0, SHOWN_NAMES).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
