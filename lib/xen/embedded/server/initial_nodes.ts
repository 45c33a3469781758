// SPDX-License-Identifier: MIT
/**
 * The nodes of a new embedded Xen, with the same owners and rights as on Xen: dom0's, as `xen-init-dom0` leaves them, and those
 * that `xl create` makes for a PV guest (libxl__domain_make and libxl__build_post of libxl).
 */
import type { Permission } from "../../ports.ts";
import type { Database } from "./database.ts";
import { domainPath } from "./store_paths.ts";
import { toOctets } from "./wire.ts";

const DOM0 = { domid: 0 };
const MEMORY_KIB = 262144;

/** Makes the nodes of dom0 and of the guests `names`, whose ids count from 1 and whose kernels have booted. */
export function makeInitialNodes(database: Database, names: readonly string[]): void {
  const ours: Permission[] = [{ domid: 0, access: "none" }];
  makeNodes(database, ours, {
    "/tool/xenstored": "",
    "/local/domain": "",
    "/vm": "",
    "/libxl": "",
    [`${domainPath(0)}/domid`]: "0",
    [`${domainPath(0)}/name`]: "Domain-0",
  });
  names.forEach((name, index) => {
    makeGuestNodes(database, index + 1, name);
    // Linux writes that as it boots.
    makeNodes(database, [{ domid: index + 1, access: "none" }], { [bootedNode(index + 1)]: "1" });
  });
}

const bootedNode = (domid: number) => `${domainPath(domid)}/control/feature-poweroff`;

/** Makes the nodes of guest `domid`, whose kernel has yet to boot. */
export function makeGuestNodes(database: Pick<Database, "run">, domid: number, name: string): void {
  const home = domainPath(domid);
  const uuid = `00000000-0000-4000-8000-${domid.toString(16).padStart(12, "0")}`;
  makeNodes(database, [{ domid: 0, access: "none" }], {
    [`/libxl/${domid}`]: "",
    [`/libxl/${domid}/device`]: "",
    [`/libxl/${domid}/type`]: "pv",
    [`/libxl/${domid}/dm-version`]: "qemu_xen",
  });
  const guestReads: Permission[] = [{ domid: 0, access: "none" }, { domid, access: "read" }];
  makeNodes(database, guestReads, {
    [`/vm/${uuid}`]: "",
    [`/vm/${uuid}/uuid`]: uuid,
    [`/vm/${uuid}/name`]: name,
    [home]: "",
    [`${home}/vm`]: `/vm/${uuid}`,
    [`${home}/name`]: name,
    [`${home}/cpu`]: "",
    [`${home}/cpu/0`]: "",
    [`${home}/cpu/0/availability`]: "online",
    [`${home}/memory`]: "",
    [`${home}/memory/static-max`]: String(MEMORY_KIB),
    [`${home}/memory/target`]: String(MEMORY_KIB),
    [`${home}/memory/videoram`]: "0",
    [`${home}/device`]: "",
    [`${home}/device/suspend`]: "",
    [`${home}/control`]: "",
    [`${home}/control/platform-feature-multiprocessor-suspend`]: "1",
    [`${home}/control/platform-feature-xs_reset_watches`]: "1",
    [`${home}/domid`]: String(domid),
  });
  makeNodes(database, [{ domid, access: "none" }], {
    [`${home}/control/shutdown`]: "",
    [bootedNode(domid)]: "",
    [`${home}/control/feature-reboot`]: "",
    [`${home}/control/feature-suspend`]: "",
    [`${home}/control/sysrq`]: "",
    [`${home}/device/suspend/event-channel`]: "",
    [`${home}/data`]: "",
    [`${home}/drivers`]: "",
    [`${home}/feature`]: "",
    [`${home}/attr`]: "",
    [`${home}/error`]: "",
  });
}

function makeNodes(
  database: Pick<Database, "run">,
  permissions: readonly Permission[],
  nodes: Record<string, string>,
): void {
  database.run((view) => {
    for (const [path, value] of Object.entries(nodes)) {
      view.write(DOM0, path, toOctets(value));
      view.setPermissions(DOM0, path, permissions);
    }
  });
}
