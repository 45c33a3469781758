// SPDX-License-Identifier: MIT
/** Formatting XenStore nodes like the lines of `xenstore-ls -f -p` in Debian. */
import type { Permission } from "../../xen/ports.ts";
import type { TreeNode } from "./card_tree.ts";

/** Permissions as `n0,r1`. */
export function formatPermissions(permissions: readonly Permission[]): string {
  return permissions.map(({ domid, access }) => `${access[0]}${domid}`).join(",");
}

/** A node as `/libxl/1/device/vsnd/0/online = "1"   (n0)`. */
export function formatNode({ path, value, permissions }: TreeNode): string {
  const octets = Array.from(new TextEncoder().encode(value), escaped).join("");
  return `${path} = "${octets}"   (${formatPermissions(permissions)})`;
}

/** Escapes one octet like `sanitise_value` of xs_lib.c. */
function escaped(octet: number): string {
  const character = String.fromCharCode(octet);
  if (character === "\\") return "\\\\";
  return octet >= 0x20 && octet < 0x7f ? character : `\\x${octet.toString(16).padStart(2, "0")}`;
}
