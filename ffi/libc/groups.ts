// SPDX-License-Identifier: MIT
/** Looks up groups of users in the C library's sources: group(5), or those that nsswitch.conf(5) names. */
import { libc } from "./libc.ts";
import { cString } from "../base/c_string.ts";

/** The number of the group called `name`; undefined if there is no such group. */
export function groupId(name: string): number | undefined {
  const group = libc().getgrnam(cString(name)); // struct group { char *gr_name, *gr_passwd; gid_t gr_gid; ... }
  return group === null ? undefined : new Deno.UnsafePointerView(group).getUint32(16);
}
