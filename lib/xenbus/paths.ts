// SPDX-License-Identifier: MIT
/**
 * The XenStore paths of a card's two ends and of the toolstack's record. They are libxl's (`libxl__device_frontend_path`,
 * `_backend_path`, `_libxl_path` in libxl_device.c), except for a card of domain 0.
 */
import { XENSND_DRIVER_NAME as vsnd } from "../sndif/constants.ts";

/** A card's address: the guest, the card's number in the guest, and the domain that serves the card. */
export interface CardAddress {
  /** The guest's number. */
  readonly domid: number;
  /** The card's number in its domain: libxl's `devid`. */
  readonly card: number;
  /** The number of the domain that serves the card. */
  readonly backendDomid: number;
}

/** The three directories of a card. */
export interface CardPaths {
  /** The toolstack's record. Only the toolstack may read and write there. */
  readonly libxl: string;
  /** Owned by the guest, readable by the backend. */
  readonly frontend: string;
  /** Owned by the backend, readable by the guest. */
  readonly backend: string;
}

/** The directory of the toolstack's records of a domain's cards. */
export function libxlCardsPath(domid: number): string {
  return `/libxl/${domid}/device/${vsnd}`;
}

/** The directory of all backend directories of `backendDomid`, which are named GUEST/CARD below. */
export function backendsPath(backendDomid: number): string {
  return `/local/domain/${backendDomid}/backend/${vsnd}`;
}

/**
 * A card's frontend directory. A card of domain 0 has its directory outside of `device/`: domain 0's kernel watches `device/`
 * and would load snd_xen_front for the card.
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

/**
 * The directory, below a card's backend directory, in which a guest that may have been restored finds the backend's state. The
 * frontend's `backend` node names it then.
 */
export function restoredPath(backend: string): string {
  return `${backend}/restored`;
}

/** The address of the card whose backend directory is `path`; undefined for any other path. */
export function parseBackendPath(path: string): CardAddress | undefined {
  const match = /^\/local\/domain\/(\d{1,5})\/backend\/vsnd\/(\d{1,5})\/(\d{1,5})$/.exec(path);
  if (match === null) return undefined;
  const [, backendDomid, domid, card] = match;
  return { domid: Number(domid), card: Number(card), backendDomid: Number(backendDomid) };
}
