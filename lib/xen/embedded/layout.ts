// SPDX-License-Identifier: MIT
/**
 * What an embedded Xen's directory holds, for its server and for the processes that act as domains in it:
 *
 * | name                   | what                                                                         |
 * | ---------------------- | ---------------------------------------------------------------------------- |
 * | `xenstored.sock`       | dom0's way into XenStore                                                     |
 * | `xenstored-DOMID.sock` | the same for another domain                                                  |
 * | `grants-DOMID`         | the domain's grant table, and the pages it grants                            |
 * | `evtchn-DOMID`         | the domain's table of event-channel ports                                    |
 * | `evtchn-DOMID.HANDLE`  | FIFO of one open handle: the numbers of its ports that have an event         |
 * | `evtchn.lock`          | held while event channels are bound or unbound                               |
 * | `control.sock`         | where a daemon inside listens                                                |
 *
 * Both tables are arrays of 32-bit words that several processes map. Word 0 of each is {@link GONE} once the
 * domain was released; the file is unlinked then, and a later domain of that id gets a new one.
 */
import { XEN_PAGE_SIZE } from "../ports.ts";

/** In word 0 of a domain's tables when there is no such domain any more; 0 before. */
export const GONE = 1;

/** Grant references of a domain: 0 to 7 are reserved, as in Xen, and one page is behind each of the others. */
export const GRANT_ENTRIES = 8192;
/** The first page of a grants file that is data; those before it are the table. */
export const GRANT_TABLE_BYTES = GRANT_ENTRIES * 4;
export const GRANTS_FILE_BYTES = GRANT_TABLE_BYTES + GRANT_ENTRIES * XEN_PAGE_SIZE;

/** Event-channel ports of a domain; port 0 is never valid, and its words are the table's header. */
export const PORTS = 1024;
/** Words of the table for each port. */
export const PORT_WORDS = 4;
export const EVTCHN_FILE_BYTES = PORTS * PORT_WORDS * 4;

export function socketPath(directory: string, domid: number): string {
  return `${directory}/xenstored${domid === 0 ? "" : `-${domid}`}.sock`;
}

export function controlPath(directory: string): string {
  return `${directory}/control.sock`;
}

export function grantsPath(directory: string, domid: number): string {
  return `${directory}/grants-${domid}`;
}

export function evtchnPath(directory: string, domid: number): string {
  return `${directory}/evtchn-${domid}`;
}

export function fifoPath(directory: string, domid: number, handle: number): string {
  return `${evtchnPath(directory, domid)}.${handle}`;
}

export function evtchnLockPath(directory: string): string {
  return `${directory}/evtchn.lock`;
}
