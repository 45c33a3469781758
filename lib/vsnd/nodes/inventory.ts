// SPDX-License-Identifier: MIT
/** Reading all cards in XenStore, made by xsnd or by `xl`: their places, their streams and their states. */
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

/** A card's place by the toolstack's record in /libxl, which no guest can write. */
export interface CardRecord {
  readonly address: CardAddress;
  readonly paths: CardPaths;
}

export interface PresentStream {
  /** Undefined only where `xl` or the guest wrote neither direction. */
  readonly type: Direction | undefined;
  readonly uniqueId: string;
  /** Undefined for a card without a policy. */
  readonly device: string | undefined;
  readonly denied?: boolean;
  readonly effective: StreamParams;
}

export interface PresentCard extends CardRecord {
  readonly domain: Domain;
  readonly backend: Domain;
  /** The maker of the card. Only cards of xsnd have a policy; the streams of others come from nodes that the guest can write. */
  readonly provisionedBy: "xsnd" | "xl";
  readonly shortName?: string;
  readonly longName?: string;
  readonly pcms: readonly { readonly name?: string; readonly streams: readonly PresentStream[] }[];
  readonly frontendState: XenbusState | undefined;
  readonly backendState: XenbusState | undefined;
  readonly problems: readonly string[];
}

/** The numbers of all domains with a toolstack record. */
export function recordedDomids(view: StoreView): number[] {
  return numbers(view.list("/libxl"));
}

/** The records of a domain's cards, in the order of their numbers. */
export function cardRecords(view: StoreView, domid: number): CardRecord[] {
  return numbers(view.list(libxlCardsPath(domid))).map((card) => cardRecord(view, domid, card));
}

function numbers(names: readonly string[] | undefined): number[] {
  return (names ?? []).filter((name) => /^\d{1,5}$/.test(name)).map(Number).sort((a, b) => a - b);
}

/** An incomplete record counts as that of a card which domain 0 serves, so that people can see and remove the card. */
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

/** The policy, or the error as a text: one card's broken policy must not hide all other cards. */
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

/** The policy's streams. Only the names of the PCMs come from the frontend's directory. */
function withPolicy(policy: CardPolicy, frontend: readonly FrontendPcm[]): PresentCard["pcms"] {
  return policy.pcms.map(({ streams }, index) => {
    const name = frontend[index]?.name;
    return { ...(name !== undefined && { name }), streams };
  });
}
