// SPDX-License-Identifier: MIT
/** Groups of users, as the C library finds them (group(5), or wherever nsswitch.conf(5) says). */
import { libc } from "./libc.ts";
import { cString } from "../base/c_string.ts";

/** The number of the group called `name`; undefined if there is none. */
export function groupId(name: string): number | undefined {
  const group = libc().getgrnam(cString(name)); // struct group { char *gr_name, *gr_passwd; gid_t gr_gid; ... }
  return group === null ? undefined : new Deno.UnsafePointerView(group).getUint32(16);
}
