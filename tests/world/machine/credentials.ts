// SPDX-License-Identifier: MIT
/** What the virtual kernel keeps of a process's user: credentials(7), and umask(2). */
import type { Process } from "./process.ts";

export interface User {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

export const ROOT: User = { uid: 0, gid: 0, groups: [] };

const DEFAULT_UMASK = 0o022;

const users = new WeakMap<Process, User>();
const umasks = new WeakMap<Process, number>();

/** The user of `process`: root, unless {@link actAs} says another one. */
export function userOf(process: Process): User {
  return users.get(process) ?? ROOT;
}

/** Gives `process` another user. */
export function actAs(process: Process, user: User): void {
  users.set(process, user);
}

export function umaskOf(process: Process): number {
  return umasks.get(process) ?? DEFAULT_UMASK;
}

/** As umask(2): sets the mask, and returns the former one. */
export function setUmask(process: Process, mask: number): number {
  const former = umaskOf(process);
  umasks.set(process, mask & 0o777);
  return former;
}

/** What a file's mode is about. */
interface Owned {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Whether `user` may access a file in the way `wanted`: 4 to read, 2 to write, 1 to execute or search. Root may. */
export function mayAccess(user: User, { mode, uid, gid }: Owned, wanted: number): boolean {
  if (user.uid === 0) return true;
  const shift = user.uid === uid ? 6 : user.gid === gid || user.groups.includes(gid) ? 3 : 0;
  return (mode >> shift & wanted) === wanted;
}
