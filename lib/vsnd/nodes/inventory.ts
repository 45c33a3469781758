// SPDX-License-Identifier: MIT
/** The cards that XenStore knows, ours and those that `xl` made: where they are, what they may do, how they are. */
import { XsndError } from "../../base/error.ts";
import type { Direction } from "../../pcm/pcm.ts";
import {
  type CardAddress,
  type CardPaths,
  cardPaths,
  type Domain,
  domainName,
  libxlCardsPath,
  parseBackendPath,
  readState,
  type XenbusState,
} from "../../xenbus/mod.ts";
import type { StoreView } from "../../xen/ports.ts";
import type { CardPolicy, StreamParams } from "../model/card.ts";
import { type FrontendCard, type FrontendPcm, readFrontendCard } from "./frontend_dir.ts";
import { readBackendPolicy } from "./policy_nodes.ts";

/** A card as the toolstack's record in /libxl says, which no guest can write. */
export interface CardRecord {
  readonly address: CardAddress;
  readonly paths: CardPaths;
}

export interface PresentStream {
  /** Undefined only where `xl` or the guest wrote something else. */
  readonly type: Direction | undefined;
  readonly uniqueId: string;
  /** Undefined without a policy. */
  readonly device: string | undefined;
  readonly denied?: boolean;
  readonly effective: StreamParams;
}

export interface PresentCard extends CardRecord {
  readonly domain: Domain;
  readonly backend: Domain;
  /** Who made the card: only ours have a policy; the others' streams are what the guest can write. */
  readonly provisionedBy: "xsnd" | "xl";
  readonly shortName?: string;
  readonly longName?: string;
  readonly pcms: readonly { readonly name?: string; readonly streams: readonly PresentStream[] }[];
  readonly frontendState: XenbusState | undefined;
  readonly backendState: XenbusState | undefined;
  readonly problems: readonly string[];
}

/** Numbers of the domains that the toolstack keeps records of. */
export function recordedDomids(view: StoreView): number[] {
  return numbers(view.list("/libxl"));
}

/** The records of a domain's cards, by number. */
export function cardRecords(view: StoreView, domid: number): CardRecord[] {
  return numbers(view.list(libxlCardsPath(domid))).map((card) => cardRecord(view, domid, card));
}

function numbers(names: readonly string[] | undefined): number[] {
  return (names ?? []).filter((name) => /^\d{1,5}$/.test(name)).map(Number).sort((a, b) => a - b);
}

/** A record that is not whole counts as one of a card served by domain 0, so that it can be seen and removed. */
function cardRecord(view: StoreView, domid: number, card: number): CardRecord {
  const recorded = parseBackendPath(view.read(`${libxlCardsPath(domid)}/${card}/backend`) ?? "");
  const address = { domid, card, backendDomid: recorded?.backendDomid ?? 0 };
  const paths = cardPaths(address);
  const frontend = view.read(`${paths.libxl}/frontend`);
  return { address, paths: frontend?.startsWith(`/local/domain/${domid}/`) ? { ...paths, frontend } : paths };
}

/** The cards of one domain. */
export function readCards(view: StoreView, domain: Domain): PresentCard[] {
  return cardRecords(view, domain.domid).map((record) => readCard(view, domain, record));
}

/** The cards of all domains. */
export function readAllCards(view: StoreView): PresentCard[] {
  return recordedDomids(view).flatMap((domid) => readCards(view, { domid, name: domainName(view, domid) }));
}

function readCard(view: StoreView, domain: Domain, record: CardRecord): PresentCard {
  const { address: { backendDomid }, paths } = record;
  const { pcms, problems, ...frontend } = readFrontendCard(view, paths.frontend);
  const policy = policyOrProblem(view, paths.backend);
  return {
    ...record,
    ...frontend,
    domain,
    backend: { domid: backendDomid, name: domainName(view, backendDomid) },
    provisionedBy: policy === undefined ? "xl" : "xsnd",
    pcms: typeof policy === "object" ? withPolicy(policy, pcms) : withoutPolicy(pcms),
    problems: typeof policy === "string" ? [policy, ...problems] : problems,
    frontendState: readState(view, paths.frontend),
    backendState: readState(view, paths.backend),
  };
}

/** One card's broken policy must not hide all other cards. */
function policyOrProblem(view: StoreView, backendPath: string): CardPolicy | string | undefined {
  try {
    return readBackendPolicy(view, backendPath);
  } catch (error) {
    if (error instanceof XsndError) return error.message;
    throw error;
  }
}

function withoutPolicy(pcms: FrontendCard["pcms"]): PresentCard["pcms"] {
  return pcms.map((pcm) => ({
    ...pcm,
    streams: pcm.streams.map((stream) => ({ ...stream, device: undefined })),
  }));
}

/** The policy's streams; only the names of PCMs come from the guest's side. */
function withPolicy(policy: CardPolicy, frontend: readonly FrontendPcm[]): PresentCard["pcms"] {
  return policy.pcms.map(({ streams }, index) => {
    const name = frontend[index]?.name;
    return { ...(name !== undefined && { name }), streams };
  });
}
