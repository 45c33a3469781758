// SPDX-License-Identifier: MIT
/** What dpkg reads: the control file, the settings, and the maintainer scripts. */
import { SERVICE, STANDBY_SERVICE } from "./units.ts";

/** Debian wants an address; the top-level domain invalid is reserved for addresses that reach nobody (RFC 2606). */
export const MAINTAINER = "The xsnd project <xsnd@xsnd.invalid>";

/** The packages that xsnd needs, each with its alternatives. */
export const DEPENDS: readonly (readonly [string, ...string[]])[] = [
  ["libc6"],
  ["libgcc-s1"],
  ["libasound2", "libasound2t64"],
  ["libxenstore4"],
  ["libxengnttab1"],
  ["libxenevtchn1"],
];

/** The control file. @param kilobytes the installed size */
export function control(version: string, arch: string, kilobytes: number): string {
  return `Package: xsnd
Version: ${version}
Architecture: ${arch}
Maintainer: ${MAINTAINER}
Installed-Size: ${kilobytes}
Depends: ${DEPENDS.map((alternatives) => alternatives.join(" | ")).join(", ")}
Recommends: libasound2-plugins
Suggests: xenstore-utils
Section: admin
Priority: optional
Description: sound for Xen guests: backend, provisioning and control
 Xen guests play and record through the para-virtualised vsnd device. xsnd is
 the backend for it in dom0 or a driver domain, on top of ALSA, and one tool
 that gives guests sound cards, serves them, and controls and watches what
 they play and record.
 .
 The package contains Deno, which runs xsnd, and needs no network.
`;
}

/** Configuration files (conffiles): dpkg keeps an operator's changes at an upgrade. */
export const DEFAULTS: Readonly<Record<string, string>> = {
  "etc/default/xsnd": `# Options for \`xsnd serve\` when the service starts it; see xsnd-serve(1).
#XSND_SERVE="--config /etc/xsnd/xsnd.yaml"
`,
};

export const CONFFILES = Object.keys(DEFAULTS).map((path) => `/${path}\n`).join("");

/** Shell: true if dpkg works on the running system and systemd runs there. */
const SYSTEMD = '[ -z "${DPKG_ROOT-}" ] && [ -d /run/systemd/system ]';

/** Shell: removes the code that V8 compiled from another version. */
const EMPTY_CACHE = 'rm -rf "${DPKG_ROOT-}"/var/cache/xsnd/*';

const UNITS = `${SERVICE} ${STANDBY_SERVICE}`;

/**
 * The scripts that dpkg runs. They neither enable nor start a service: the operator decides first which devices it gets. An upgrade
 * restarts the services that run, one after the other: the one that stands by has the sound meanwhile.
 */
export const MAINTAINER_SCRIPTS: Readonly<Record<string, string>> = {
  postinst: `#!/bin/sh
set -e
if [ "$1" = configure ]; then
    ${EMPTY_CACHE}
    # Records the units, so that a purge removes the links of \`systemctl enable\`.
    if [ -z "\${DPKG_ROOT-}" ] && command -v deb-systemd-helper >/dev/null; then
        deb-systemd-helper update-state ${UNITS} >/dev/null || true
    fi
    if ${SYSTEMD}; then
        systemctl --system daemon-reload >/dev/null || true
        if [ -n "$2" ]; then
            for unit in ${UNITS}; do deb-systemd-invoke try-restart "$unit" >/dev/null || true; done
        fi
    fi
fi
`,
  prerm: `#!/bin/sh
set -e
if [ "$1" = remove ] && ${SYSTEMD}; then
    deb-systemd-invoke stop ${UNITS} >/dev/null || true
fi
if [ "$1" = remove ]; then ${EMPTY_CACHE}; fi
`,
  postrm: `#!/bin/sh
set -e
if [ "$1" = remove ] && ${SYSTEMD}; then systemctl --system daemon-reload >/dev/null || true; fi
if [ "$1" = purge ] && [ -z "\${DPKG_ROOT-}" ] && command -v deb-systemd-helper >/dev/null; then
    deb-systemd-helper purge ${UNITS} >/dev/null || true
fi
`,
};
