// SPDX-License-Identifier: MIT
/** Checking the versions of Deno and Linux, and for which Xen this machine runs. */
import { type Check, fail, type Finding, ok, skip, warn } from "./doctor_finding.ts";
import { exists, kernelRelease, readText, thisHost } from "./host.ts";

/** The first Deno whose FFI and Workers are known to suffice. */
const DENO = { major: 2, minor: 9 };
/** The first Linux with snd_xen_front. */
const FRONTEND_SINCE = "4.18";

export const machineChecks: readonly Check[] = [
  { subject: "Deno", run: deno },
  { subject: "Xen", run: xen },
  { subject: "kernel", run: kernel },
];

function deno(): Finding {
  const version = Deno.version.deno;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major === DENO.major && minor >= DENO.minor) return ok("Deno", version);
  const wanted = `${DENO.major}.${DENO.minor}`;
  return major > DENO.major
    ? warn("Deno", `${version}: xsnd was made for ${wanted}`, { command: "./setup.sh" })
    : fail("Deno", `${version} is too old: ${wanted} is needed`, { command: "./setup.sh" });
}

function xen(): Finding {
  const host = thisHost();
  switch (host.xen) {
    case "embedded":
      return ok("Xen", `an embedded Xen, in ${host.directory}`);
    case "native":
      return ok("Xen", host.isDomain0 ? "this is domain 0" : "this is a guest: it can be a driver domain");
    case "none":
      return fail("Xen", "this machine does not run under Xen, so there are no guests to serve", {
        mend:
          "boot under Xen (Debian: apt-get install xen-system-amd64, then reboot); or try `xsnd demo` and `xsnd sandbox`, " +
          "which need no Xen",
      });
  }
}

/** In a guest, says whether its kernel has the driver for a card of its own. */
function kernel(): Finding {
  const host = thisHost();
  const release = kernelRelease();
  if (host.xen !== "native" || host.isDomain0) {
    return ok("kernel", `Linux ${release}; guests need ${FRONTEND_SINCE} or later, with snd_xen_front`);
  }
  const driver = frontendDriver(release);
  return driver === undefined
    ? skip(
      "kernel",
      `Linux ${release} has no snd_xen_front: this domain can serve cards, but cannot use one itself`,
    )
    : ok("kernel", `Linux ${release} has snd_xen_front (${driver})`);
}

function frontendDriver(release: string): string | undefined {
  if (exists("/sys/module/snd_xen_front")) return "loaded";
  const lists = { "modules.builtin": "built in", "modules.dep": "a module" };
  return Object.entries(lists)
    .find(([file]) => readText(`/lib/modules/${release}/${file}`)?.includes("snd_xen_front"))?.[1];
}
