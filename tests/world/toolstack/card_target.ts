// SPDX-License-Identifier: MIT
/**
 * What XenStore holds of a card once a toolstack has made or removed the card, as the toolstack's side sees it: the record, and the
 * backend's directory. A guest may write what it likes into the frontend's directory, so nothing is said of that.
 */
import { type CardAddress, cardPaths } from "../../../lib/xenbus/mod.ts";
import type { CardConfig, StreamConfig } from "../../../lib/vsnd/model/card.ts";
import { type Nodes, permissionText } from "./nodes.ts";
import type { XlCard } from "./xl_card.ts";

export interface AbsentCard {
  readonly maker: "nobody";
}

export interface XlMadeCard {
  readonly maker: "xl";
  readonly card: XlCard;
}

export interface XsndMadeCard {
  readonly maker: "xsnd";
  readonly card: CardConfig;
}

export type CardTarget = AbsentCard | XlMadeCard | XsndMadeCard;

export const ABSENT: AbsentCard = { maker: "nobody" };

export interface CardSituation {
  /** Whether a command has asked the backend to close the card. */
  readonly mayBeOffline: boolean;
  /** Whether the domain is going, or gone, and with it what is not the backend's. */
  readonly isOrphan: boolean;
}

/** The states that the backend's state node can have: the toolstack writes 1 and 5, the daemon 1, 2, 4, 5 and 6. */
const BACKEND_STATES = /^[12456]$/;

/** How the nodes differ from those of `target` at `address`, a line for each difference. */
export function targetProblems(
  nodes: Nodes,
  address: CardAddress,
  target: CardTarget,
  situation: CardSituation,
): string[] {
  const paths = cardPaths(address);
  if (target.maker === "nobody") {
    return Object.values(paths).flatMap((path) => nodes.has(path) ? [`${path} is left`] : []);
  }
  return [
    ...recordProblems(nodes, address, situation),
    ...backendProblems(nodes, address, target, situation),
  ];
}

function recordProblems(nodes: Nodes, address: CardAddress, { isOrphan }: CardSituation): string[] {
  const { libxl, frontend, backend } = cardPaths(address);
  if (!nodes.has(libxl)) return isOrphan ? [] : [`${libxl} is missing`];
  const wanted = { frontend, backend, "frontend-id": String(address.domid), online: "1", state: "1" };
  return differences(nodes, libxl, new Map(Object.entries(wanted)), ["n0"]);
}

function backendProblems(
  nodes: Nodes,
  address: CardAddress,
  target: XlMadeCard | XsndMadeCard,
  { mayBeOffline, isOrphan }: CardSituation,
): string[] {
  const { frontend, backend } = cardPaths(address);
  if (!nodes.has(backend)) return [`${backend} is missing`];
  const value = (name: string) => nodes.value(`${backend}/${name}`);
  const problems: string[] = [];
  const [online, state] = [value("online"), value("state")];
  if (online !== "1" && !(mayBeOffline && online === "0")) problems.push(`${backend}/online is ${online}`);
  if (!BACKEND_STATES.test(state ?? "")) problems.push(`${backend}/state is ${state}`);
  const wanted = new Map([["frontend", frontend], ["frontend-id", String(address.domid)]]);
  for (const [name, is] of [["online", online], ["state", state]] as const) {
    if (is !== undefined) wanted.set(name, is);
  }
  const shown = value("restored/state");
  if (shown !== undefined) {
    // A guest that may have been restored sees Closing for a while, and then what the daemon has written last.
    const isShown = shown === "5" || shown === state || online === "0";
    if (!isShown) problems.push(`${backend}/restored/state is ${shown}, and state ${state}`);
    wanted.set("restored", "").set("restored/state", shown);
  }
  const own = (name: string) => !/^(xsnd|pinned|operator)(\/|$)/.test(name);
  const { domid, backendDomid } = address;
  const permissions = [`n${backendDomid},r${domid}`];
  // xenstored takes a domain that is gone off all access lists.
  if (isOrphan) permissions.push(`n${backendDomid}`);
  problems.push(...differences(nodes, backend, wanted, permissions, own));
  problems.push(...policyProblems(nodes, backend, target, `n${backendDomid}`));
  return problems;
}

/** The policy of a card that xsnd made; the daemon's snapshot is checked where the card's making is known (`pinned.ts`). */
function policyProblems(
  nodes: Nodes,
  backend: string,
  target: XlMadeCard | XsndMadeCard,
  permissions: string,
): string[] {
  const hidden = [...nodes.below(backend)].flatMap(([name, node]) =>
    /^(pinned|operator)(\/|$)/.test(name) && permissionText(node.permissions) !== permissions
      ? [`${backend}/${name} has the permissions ${permissionText(node.permissions)}`]
      : []
  );
  const policy = `${backend}/xsnd`;
  if (target.maker === "xl") return nodes.has(policy) ? [...hidden, `${policy} is left`] : hidden;
  const snapshot = nodes.has(`${backend}/pinned`) ? [`${backend}/pinned is there with a policy`] : [];
  if (!nodes.has(policy)) return [...hidden, ...snapshot, `${policy} is missing`];
  return [...hidden, ...snapshot, ...differences(nodes, policy, policyNodes(target.card), [permissions])];
}

/** The nodes of a card's policy, from its directory. */
export function policyNodes({ pcms }: CardConfig): Map<string, string> {
  const nodes = new Map<string, string>();
  pcms.forEach(({ streams }, p) => {
    nodes.set(String(p), "");
    streams.forEach((stream, s) => {
      nodes.set(`${p}/${s}`, "");
      for (const [name, value] of streamNodes(stream)) nodes.set(`${p}/${s}/${name}`, value);
    });
  });
  return nodes;
}

function streamNodes({ type, device, denied, uniqueId, effective }: StreamConfig): [string, string][] {
  return [
    ["type", type === "playback" ? "p" : "c"],
    ["device", device],
    ...(denied ? [["denied", "1"] as [string, string]] : []),
    ["unique-id", uniqueId],
    ["sample-rates", effective.rates.join(",")],
    ["sample-formats", effective.formats.join(",")],
    ["channels-min", String(effective.channelsMin)],
    ["channels-max", String(effective.channelsMax)],
    ["buffer-size", String(effective.bufferSizeBytes)],
  ];
}

/** How the nodes below `directory` differ from `wanted`; `isMeant`: of which nodes that is asked. */
function differences(
  nodes: Nodes,
  directory: string,
  wanted: ReadonlyMap<string, string>,
  permissions: readonly string[],
  isMeant: (name: string) => boolean = () => true,
): string[] {
  const problems: string[] = [];
  const present = nodes.below(directory);
  for (const [name, { value, permissions: found }] of present) {
    if (!isMeant(name)) continue;
    if (!wanted.has(name)) problems.push(`${directory}/${name} is not wanted`);
    else if (value !== wanted.get(name)) {
      problems.push(
        `${directory}/${name} is ${JSON.stringify(value)}, not ${JSON.stringify(wanted.get(name))}`,
      );
    }
    if (!permissions.includes(permissionText(found))) {
      problems.push(
        `${directory}/${name} has the permissions ${permissionText(found)}, not ${permissions[0]}`,
      );
    }
  }
  for (const name of wanted.keys()) if (!present.has(name)) problems.push(`${directory}/${name} is missing`);
  return problems;
}
