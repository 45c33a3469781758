// SPDX-License-Identifier: MIT
/**
 * The rights of a domain on a node, by the node's access list (`perm_for_conn` and `xs_strings_to_perms` of xenstored). The list's
 * first entry names the owner, who has all rights, and the rights of domains without an entry.
 */
import type { Access, Permission } from "../../ports.ts";
import { XsError } from "./wire.ts";

/** Rights as bits. SET_PERMS needs OWNER besides WRITE. */
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

/** Whether quotas and permissions apply to the domain. Neither applies to dom0. */
export function isUnprivileged(subject: Subject): boolean {
  return subject.domid !== 0;
}

/** The first entry of an access list, which is never empty. */
export function ownerOf([owner]: readonly Permission[]): Permission {
  if (owner === undefined) throw new TypeError("an access list without an owner");
  return owner;
}

/** The {@link Right} bits of `subject` on a node with this access list. */
export function rightsOf(subject: Subject, permissions: readonly Permission[]): number {
  const isSubject = ({ domid }: Permission) => domid === subject.domid || domid === subject.target;
  const owner = ownerOf(permissions);
  if (!isUnprivileged(subject) || isSubject(owner)) return ALL;
  return RIGHTS[(permissions.slice(1).find(isSubject) ?? owner).access];
}

/** Parses an entry such as `r1`. Throws EINVAL for any other text. */
export function parsePermission(text: string): Permission {
  const [, letter, digits] = /^([nrwb])(\d{1,5})$/.exec(text) ?? [];
  const [domid, access] = [Number(digits), LETTERS[letter ?? ""]];
  if (access === undefined || domid > 0xffff) throw new XsError("EINVAL");
  return { domid, access };
}

export function formatPermission({ domid, access }: Permission): string {
  return `${access[0]}${domid}`;
}
