// SPDX-License-Identifier: MIT
/** The XenStore nodes of a PV domain, as libxl makes them (`libxl__domain_make`, `libxl__build_post`). */
import type { Permission } from "../../../lib/xen/ports.ts";

export interface DomainNode {
  readonly path: string;
  readonly value: string;
  readonly permissions: readonly Permission[];
}

export interface DomainPaths {
  readonly home: string;
  readonly vm: string;
  readonly libxl: string;
}

export function domainPaths(domid: number, uuid: string): DomainPaths {
  return { home: `/local/domain/${domid}`, vm: `/vm/${uuid}`, libxl: `/libxl/${domid}` };
}

const MEMORY_KIB = "262144";

/** The directories that libxl removes before it makes the domain's nodes, and the nodes, each after its parent. */
export function domainNodes(domid: number, uuid: string, name: string): DomainNode[] {
  const { home, vm, libxl } = domainPaths(domid, uuid);
  const none: Permission[] = [{ domid: 0, access: "none" }];
  const guestReads: Permission[] = [{ domid: 0, access: "none" }, { domid, access: "read" }];
  const guests: Permission[] = [{ domid, access: "none" }];
  const nodes = (permissions: readonly Permission[], under: string, values: Record<string, string>) =>
    Object.entries(values).map(([name, value]) => ({
      path: name === "" ? under : `${under}/${name}`,
      value,
      permissions,
    }));
  return [
    ...nodes(guestReads, home, { "": "" }),
    ...nodes(guestReads, vm, { "": "" }),
    ...nodes(none, libxl, { "": "", device: "" }),
    ...nodes(guestReads, home, {
      vm,
      name,
      cpu: "",
      memory: "",
      device: "",
      "device/suspend": "",
      control: "",
    }),
    ...nodes(guests, home, {
      "device/suspend/event-channel": "",
      "control/shutdown": "",
      "control/feature-poweroff": "",
      "control/feature-reboot": "",
      "control/feature-suspend": "",
      "control/sysrq": "",
      data: "",
      drivers: "",
      feature: "",
      attr: "",
      error: "",
    }),
    ...nodes(guestReads, vm, { uuid, name }),
    ...nodes(guestReads, home, {
      "control/platform-feature-multiprocessor-suspend": "1",
      "control/platform-feature-xs_reset_watches": "1",
    }),
    ...nodes(none, libxl, { type: "pv" }),
  ];
}

/** The nodes that libxl adds when the domain's memory is built, before it introduces the domain to xenstored. */
export function builtNodes(domid: number): DomainNode[] {
  const home = `/local/domain/${domid}`;
  const permissions: Permission[] = [{ domid: 0, access: "none" }, { domid, access: "read" }];
  return Object.entries({
    "memory/static-max": MEMORY_KIB,
    "memory/target": MEMORY_KIB,
    "memory/videoram": "0",
    domid: String(domid),
    "cpu/0/availability": "online",
  }).map(([name, value]) => ({ path: `${home}/${name}`, value, permissions }));
}
