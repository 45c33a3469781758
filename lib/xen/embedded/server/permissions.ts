// SPDX-License-Identifier: MIT
/**
 * Who may do what with a node (`perm_for_conn` and `xs_strings_to_perms` of xenstored). The first entry of an
 * access list names the owner, who may do everything, and what domains without an entry of their own may do.
 */
import type { Access, Permission } from "../../ports.ts";
import { XsError } from "./wire.ts";

/** Rights as bits; OWNER is what SET_PERMS asks for besides WRITE. */
export const Right = { READ: 1, WRITE: 2, OWNER: 4 } as const;
const ALL = Right.READ | Right.WRITE | Right.OWNER;

const RIGHTS: Record<Access, number> = {
  none: 0,
  read: Right.READ,
  write: Right.WRITE,
  both: Right.READ | Right.WRITE,
};
const LETTERS: Record<string, Access> = { n: "none", r: "read", w: "write", b: "both" };

/** A domain as the permission rules see it. */
export interface Subject {
  readonly domid: number;
  /** The domain on whose behalf this one acts (SET_TARGET: a device-model domain and its guest). */
  readonly target?: number;
}

/** Whether quotas and permissions apply; dom0 is above both. */
export function isUnprivileged(subject: Subject): boolean {
  return subject.domid !== 0;
}

/** The {@link Right} bits that `subject` has on a node with this access list. */
export function rightsOf(subject: Subject, permissions: readonly Permission[]): number {
  const isSubject = ({ domid }: Permission) => domid === subject.domid || domid === subject.target;
  const [owner, ...entries] = permissions;
  if (!isUnprivileged(subject) || isSubject(owner)) return ALL;
  return RIGHTS[(entries.find(isSubject) ?? owner).access];
}

/** `r1` and the like; EINVAL on anything else. */
export function parsePermission(text: string): Permission {
  const [, letter, digits] = /^([nrwb])(\d{1,5})$/.exec(text) ?? [];
  const domid = Number(digits);
  if (letter === undefined || domid > 0xffff) throw new XsError("EINVAL");
  return { domid, access: LETTERS[letter] };
}

export function formatPermission({ domid, access }: Permission): string {
  return `${access[0]}${domid}`;
}
