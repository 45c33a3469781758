// SPDX-License-Identifier: MIT
/**
 * Where the two ends of a virtual sound card live in XenStore: the paths of libxl (`libxl__device_frontend_path`,
 * `_backend_path`, `_libxl_path` in libxl_device.c), and one exception for domain 0.
 */
import { XENSND_DRIVER_NAME as vsnd } from "../sndif/constants.ts";

/** A virtual sound card's address: the guest, the card's number in it, and the domain that serves it. */
export interface CardAddress {
  readonly domid: number;
  /** The card's number in its domain: libxl's `devid`. */
  readonly card: number;
  readonly backendDomid: number;
}

/** The three directories of a card. */
export interface CardPaths {
  /** The toolstack's record; only it may read and write there. */
  readonly libxl: string;
  /** Owned by the guest, readable by the backend. */
  readonly frontend: string;
  /** Owned by the backend, readable by the guest. */
  readonly backend: string;
}

/** Directory that holds a domain's cards as the toolstack records them. */
export function libxlCardsPath(domid: number): string {
  return `/libxl/${domid}/device/${vsnd}`;
}

/** Directory that holds the frontends' directories of the cards that `backendDomid` serves. */
export function backendsPath(backendDomid: number): string {
  return `/local/domain/${backendDomid}/backend/${vsnd}`;
}

/**
 * A card's frontend directory. Domain 0 as a guest of its own keeps it outside `device/`: dom0's kernel watches
 * that directory and would load snd_xen_front for what it finds there.
 */
export function frontendPath(domid: number, card: number): string {
  return domid === 0
    ? `/local/domain/0/xsnd/${vsnd}/${card}`
    : `/local/domain/${domid}/device/${vsnd}/${card}`;
}

export function cardPaths({ domid, card, backendDomid }: CardAddress): CardPaths {
  return {
    libxl: `${libxlCardsPath(domid)}/${card}`,
    frontend: frontendPath(domid, card),
    backend: `${backendsPath(backendDomid)}/${domid}/${card}`,
  };
}

/** The address that a card's backend directory stands for; undefined for any other path. */
export function parseBackendPath(path: string): CardAddress | undefined {
  const match = /^\/local\/domain\/(\d{1,5})\/backend\/vsnd\/(\d{1,5})\/(\d{1,5})$/.exec(path);
  if (match === null) return undefined;
  const [backendDomid, domid, card] = match.slice(1).map(Number);
  return { domid, card, backendDomid };
}
