// SPDX-License-Identifier: MIT
/**
 * The files of an embedded Xen's directory, for its server and for the processes that act as its domains:
 *
 * | name                   | contents                                                                     |
 * | ---------------------- | ---------------------------------------------------------------------------- |
 * | `xenstored.sock`       | dom0's socket of the XenStore server                                         |
 * | `xenstored-DOMID.sock` | the socket of another domain                                                 |
 * | `grants-DOMID`         | the domain's grant table, and its granted pages                              |
 * | `evtchn-DOMID`         | the domain's table of event-channel ports                                    |
 * | `evtchn-DOMID.HANDLE`  | FIFO of an open handle: the numbers of its ports with an event               |
 * | `evtchn.lock`          | lock for binding and unbinding event channels                                |
 * | `control.sock`         | control socket of a daemon in the sandbox                                    |
 *
 * Both tables are arrays of 32-bit words that several processes map. Word 0 of each is {@link GONE} once the domain is released.
 * The file is unlinked then, and a later domain of that id gets a new file.
 */
import { XEN_PAGE_SIZE } from "../ports.ts";

/** Word 0 of the tables of a released domain; 0 before. */
export const GONE = 1;

/** Grant references of a domain: 0 to 7 are reserved, as in Xen; each other reference has one page. */
export const GRANT_ENTRIES = 8192;
/** Size of the table, which precedes the pages in a grants file. */
export const GRANT_TABLE_BYTES = GRANT_ENTRIES * 4;
export const GRANTS_FILE_BYTES = GRANT_TABLE_BYTES + GRANT_ENTRIES * XEN_PAGE_SIZE;

/** Event-channel ports of a domain. Port 0 is never valid: its words are the table's header. */
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
