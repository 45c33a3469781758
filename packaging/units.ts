// SPDX-License-Identifier: MIT
/** The services of the package: the daemon, and a second one that stands by. */

export const SERVICE = "xsnd.service";
export const STANDBY_SERVICE = "xsnd-standby.service";

/** The section [Unit] of the daemon that stands by. */
const STANDBY_UNIT = `# Of xsnd.service, but for the sections [Unit] and [Install].

[Unit]
Description=Sound for Xen guests, standing by for ${SERVICE}
Documentation=man:xsnd-serve(1)
ConditionPathExists=/sys/hypervisor/type
# The first daemon serves as soon as it can.
After=${SERVICE}
# No PropagatesReloadTo=xsnd.service: of two units that had each other there, a reload ended systemd 252 at times (SIGABRT).
StartLimitIntervalSec=0

`;
const STANDBY_INSTALL = `[Install]
WantedBy=${SERVICE}
`;

/** The unit of a daemon that stands by for the one of `unit`: both run the same command with the same rights. */
export function standbyUnit(unit: string): string {
  const [service, install] = [unit.indexOf("[Service]"), unit.indexOf("[Install]")];
  if (service < 0 || install < service) throw new Error("not a unit with [Service] before [Install]");
  return STANDBY_UNIT + unit.slice(service, install) + STANDBY_INSTALL;
}
