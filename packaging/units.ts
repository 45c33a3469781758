// SPDX-License-Identifier: MIT
/** The services of the package: the daemon, and a second one that stands by. */

export const SERVICE = "xsnd.service";
export const STANDBY_SERVICE = "xsnd-standby.service";

/** What `systemctl enable` and the boot do with the daemon that stands by, in the place of what they do with the daemon. */
const STANDBY_UNIT = `# Of xsnd.service, but for the sections [Unit] and [Install].

[Unit]
Description=Sound for Xen guests, standing by for ${SERVICE}
Documentation=man:xsnd-serve(1)
ConditionPathExists=/sys/hypervisor/type
# The first daemon serves as soon as it can.
After=${SERVICE}
# (Not PropagatesReloadTo= back to it: systemd 252 crashes at a reload that two units propagate to each other.)
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
