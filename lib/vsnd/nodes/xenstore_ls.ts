// SPDX-License-Identifier: MIT
/** XenStore's nodes as Debian's `xenstore-ls -f -p` prints them, line for line. */
import type { Permission } from "../../xen/ports.ts";
import type { TreeNode } from "./card_tree.ts";

/** n0,r1. */
export function formatPermissions(permissions: readonly Permission[]): string {
  return permissions.map(({ domid, access }) => `${access[0]}${domid}`).join(",");
}

/** `/libxl/1/device/vsnd/0/online = "1"   (n0)`. */
export function formatNode({ path, value, permissions }: TreeNode): string {
  const octets = Array.from(new TextEncoder().encode(value), escaped).join("");
  return `${path} = "${octets}"   (${formatPermissions(permissions)})`;
}

/** As `sanitise_value` of xs_lib.c. */
function escaped(octet: number): string {
  const character = String.fromCharCode(octet);
  if (character === "\\") return "\\\\";
  return octet >= 0x20 && octet < 0x7f ? character : `\\x${octet.toString(16).padStart(2, "0")}`;
}
