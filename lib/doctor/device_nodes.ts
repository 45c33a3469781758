// SPDX-License-Identifier: MIT
/** Checking the sources of shared pages and event channels: the kernel's device files, or the files of an embedded Xen. */
import { type Check, fail, type Finding, fromError, ok, skip, warn } from "./doctor_finding.ts";
import { exists, type Host, refusal, thisHost } from "./host.ts";

interface Device {
  /** The name of the file in /dev/xen. */
  readonly name: string;
  readonly module: string;
  readonly purpose: string;
  /** Whether only the software frontend uses it. */
  readonly frontendOnly?: boolean;
  openNative(): Promise<Disposable>;
  openEmbedded(directory: string): Promise<Disposable>;
}

const DEVICES: readonly Device[] = [
  {
    name: "gntdev",
    module: "xen-gntdev",
    purpose: "maps the pages that guests share",
    openNative: async () => new (await import("../xen/native/grants.ts")).NativeGrantTable(),
    openEmbedded: async (directory) =>
      new (await import("../xen/embedded/pages/grants.ts")).EmbeddedGrantTable(directory, 0),
  },
  {
    name: "evtchn",
    module: "xen-evtchn",
    purpose: "signals to and from guests",
    openNative: async () => (await import("../xen/native/event_channels.ts")).openNativeEventChannels(),
    openEmbedded: async (directory) =>
      (await import("../xen/embedded/events/event_channels.ts")).EmbeddedEventChannels.open(directory, 0),
  },
  {
    name: "gntalloc",
    module: "xen-gntalloc",
    purpose: "shares pages: for `xsnd demo`, `play` and `record`",
    frontendOnly: true,
    openNative: async () => new (await import("../xen/native/grants.ts")).NativeGrantSharer(),
    openEmbedded: async (directory) =>
      new (await import("../xen/embedded/pages/grants.ts")).EmbeddedGrantSharer(directory, 0),
  },
];

export const deviceChecks: readonly Check[] = DEVICES.map((device) => ({
  subject: device.name,
  run: () => examine(device, thisHost()),
}));

async function examine(device: Device, host: Host): Promise<Finding> {
  const { name, module, purpose } = device;
  const bad = device.frontendOnly ? warn : fail;
  const path = `/dev/xen/${name}`;
  if (host.xen === "none") return skip(name, "there is no Xen here");
  if (host.xen === "native") {
    if (!exists(path)) {
      return bad(name, `${path} is missing; it ${purpose}`, { command: `modprobe ${module}` });
    }
    const code = refusal(path);
    if (code !== undefined) return bad(name, `${path}: ${code}`, { mend: "run xsnd as root" });
  }
  try {
    using _open = host.xen === "native"
      ? await device.openNative()
      : await device.openEmbedded(host.directory);
    return ok(name, purpose);
  } catch (error) {
    return fromError(name, error, device.frontendOnly ? "warn" : "fail");
  }
}
