// SPDX-License-Identifier: MIT
/**
 * What must be true of XenStore by the toolstack's account, as pure functions of a snapshot. Each returns a line for each problem.
 * `Account.settle` is the one that compares the cards' nodes with what was written.
 */
import { announcementPath } from "../../../lib/daemon/announcement.ts";
import {
  cardPaths,
  type CardStates,
  meaningOf,
  parseState,
  stateName,
  XenbusState,
} from "../../../lib/xenbus/mod.ts";
import type { Account, AccountedCard } from "./account.ts";
import type { Nodes } from "./nodes.ts";

const isNumber = (name: string) => /^\d+$/.test(name);

/** The backend directories of all cards, whoever made them. */
export function backendDirectories(nodes: Nodes): string[] {
  return nodes.children("/local/domain").flatMap((backend) => {
    const root = `/local/domain/${backend}/backend/vsnd`;
    return nodes.children(root).flatMap((guest) =>
      nodes.children(`${root}/${guest}`).map((card) => `${root}/${guest}/${card}`)
    );
  });
}

/** No directory of a card is left that the toolstack has removed, or never made: at the backend's, the guest's or libxl's place. */
export function staleCards(nodes: Nodes, account: Account): string[] {
  const problems: string[] = [];
  const look = (directory: string, domid: number) => {
    for (const card of nodes.children(directory)) {
      const accounted = account.card(domid, Number(card));
      const exists = accounted?.states.some(({ maker }) => maker !== "nobody") ?? false;
      if (!exists) problems.push(`${directory}/${card} is left of a removed card`);
    }
  };
  for (const domain of nodes.children("/local/domain").filter(isNumber)) {
    look(`/local/domain/${domain}/device/vsnd`, Number(domain));
    const backends = `/local/domain/${domain}/backend/vsnd`;
    for (const guest of nodes.children(backends)) {
      look(`${backends}/${guest}`, Number(guest));
      if (nodes.children(`${backends}/${guest}`).length === 0) {
        problems.push(`${backends}/${guest} is left empty`);
      }
    }
  }
  for (const domain of nodes.children("/libxl").filter(isNumber)) {
    look(`/libxl/${domain}/device/vsnd`, Number(domain));
  }
  return problems;
}

/** A removed domain has left nothing, and a domain that runs has its name. */
export function domainProblems(nodes: Nodes, account: Account): string[] {
  const problems: string[] = [];
  const orphans = new Set(
    account.cards.filter(({ isOrphan }) => isOrphan).map(({ address }) => address.domid),
  );
  for (const directory of ["/local/domain", "/libxl"]) {
    for (const name of nodes.children(directory).filter(isNumber)) {
      const domid = Number(name);
      if (domid === 0 || account.domain(domid) !== undefined || orphans.has(domid)) continue;
      problems.push(`${directory}/${domid} is left of a removed domain`);
    }
  }
  for (const uuid of nodes.children("/vm")) {
    if (account.formerUuids.has(uuid)) problems.push(`/vm/${uuid} is left of a removed domain`);
  }
  for (const { domid, name, phase } of account.domains) {
    if (phase !== "whole") continue;
    const found = nodes.value(`/local/domain/${domid}/name`);
    if (found !== name) problems.push(`domain ${domid} is called ${found}, not ${name}`);
  }
  return problems;
}

/**
 * The daemon's announcement says whether a daemon serves.
 * @param daemon `ended`: in order, and none has started since
 */
export function announcementProblems(nodes: Nodes, daemon: "serving" | "ended"): string[] {
  const path = announcementPath(0);
  if (daemon === "serving") {
    const status = nodes.value(`${path}/status`);
    return status === "running" ? [] : [`${path}/status is ${status} while the daemon serves`];
  }
  const data = path.slice(0, path.lastIndexOf("/"));
  return [path, data].flatMap((path) =>
    nodes.has(path) ? [`${path} is left of a daemon that has ended`] : []
  );
}

/** How a card stands with those who look at its states. */
export interface CardCircumstances {
  /** Whether the guest's driver keeps to XenBus. Otherwise the frontend's state is any text. */
  readonly isHonest: boolean;
  /** Whether a daemon serves the card, and has had the time to answer the last change. */
  readonly isServed: boolean;
}

/** The frontend's states that snd_xen_front and the toolstack write. */
const FRONTEND_STATES: ReadonlySet<XenbusState> = new Set([
  XenbusState.Initialising,
  XenbusState.Initialised,
  XenbusState.Connected,
  XenbusState.Closing,
  XenbusState.Closed,
]);

/** `frontend/backend`: the pairs in which a served card of an honest guest comes to rest. */
const RESTING: ReadonlySet<string> = new Set([
  // Offered: no driver has come yet, or the driver has gone.
  "Initialising/InitWait",
  "Closed/InitWait",
  "Connected/Connected",
]);

/** The states of both ends, as they stand in `nodes`. */
export function statesOf(nodes: Nodes, { address }: AccountedCard): CardStates {
  const { frontend, backend } = cardPaths(address);
  const state = (path: string) => {
    const value = nodes.value(`${path}/state`);
    return value === undefined ? undefined : parseState(value);
  };
  return { frontend: state(frontend), backend: state(backend) };
}

/** Each pair of states is one that libxl and the driver know; a card that nobody moves is in one of the pairs of rest. */
export function stateProblems(
  nodes: Nodes,
  cards: readonly AccountedCard[],
  circumstances: (card: AccountedCard) => CardCircumstances,
): string[] {
  return cards.flatMap((card) => {
    const states = statesOf(nodes, card);
    const what = pairProblem(states, card, circumstances(card));
    if (what === undefined) return [];
    const { domid, card: number } = card.address;
    const pair = `${stateName(states.frontend)}/${stateName(states.backend)}`;
    return [`card ${domid}/${number} is ${pair}: ${what}`];
  });
}

function pairProblem(
  states: CardStates,
  { mayBeOffline, isOrphan, states: targets }: AccountedCard,
  { isHonest, isServed }: CardCircumstances,
): string | undefined {
  const { frontend, backend } = states;
  if (isOrphan || targets.some(({ maker }) => maker === "nobody")) return undefined;
  const { phase } = meaningOf(states);
  if (phase === "closed" && backend !== XenbusState.Closed) return "libxl knows no such state of a backend";
  if (backend === XenbusState.Closed && !mayBeOffline) return "nobody has detached the card";
  if (!isHonest || mayBeOffline) return undefined;
  if (frontend === undefined) return "the frontend is missing";
  if (!FRONTEND_STATES.has(frontend)) return "the driver knows no such state of a frontend";
  if (!isServed || RESTING.has(`${stateName(frontend)}/${stateName(backend)}`)) return undefined;
  return "the two ends do not come together";
}
