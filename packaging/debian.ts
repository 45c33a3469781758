// SPDX-License-Identifier: MIT
/** What dpkg reads: the package's description, its settings, and the scripts that it runs. */

export const MAINTAINER = "The xsnd project <xsnd@xsnd.invalid>";

/** @param kilobytes how much it takes when it is installed */
export function control(version: string, arch: string, kilobytes: number): string {
  return `Package: xsnd
Version: ${version}
Architecture: ${arch}
Maintainer: ${MAINTAINER}
Installed-Size: ${kilobytes}
Depends: libc6, libgcc-s1, libasound2 | libasound2t64, libxenstore4, libxengnttab1, libxenevtchn1
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
 It brings Deno, which runs it, along, and needs no network.
`;
}

/** Files with settings, which dpkg does not overwrite once they are changed. */
export const DEFAULTS: Readonly<Record<string, string>> = {
  "etc/default/xsnd": `# Options that the service starts \`xsnd serve\` with; see xsnd(1).
#XSND_SERVE="--config /etc/xsnd/xsnd.yaml"
`,
};

export const CONFFILES = Object.keys(DEFAULTS).map((path) => `/${path}\n`).join("");

/** Where systemd runs, and it is the running system that dpkg works on. */
const SYSTEMD = '[ -z "${DPKG_ROOT-}" ] && [ -d /run/systemd/system ]';

/** What was compiled from another version. */
const EMPTY_CACHE = 'rm -rf "${DPKG_ROOT-}"/var/cache/xsnd/*';

/**
 * The service is neither enabled nor started unasked: which cards it gets is to be decided before. One that runs is
 * started anew with a new version.
 */
export const MAINTAINER_SCRIPTS: Readonly<Record<string, string>> = {
  postinst: `#!/bin/sh
set -e
if [ "$1" = configure ]; then
    ${EMPTY_CACHE}
    # So that a purge finds what \`systemctl enable\` will have linked.
    if [ -z "\${DPKG_ROOT-}" ] && command -v deb-systemd-helper >/dev/null; then
        deb-systemd-helper update-state xsnd.service >/dev/null || true
    fi
    if ${SYSTEMD}; then
        systemctl --system daemon-reload >/dev/null || true
        if [ -n "$2" ]; then deb-systemd-invoke try-restart xsnd.service >/dev/null || true; fi
    fi
fi
`,
  prerm: `#!/bin/sh
set -e
if [ "$1" = remove ] && ${SYSTEMD}; then
    deb-systemd-invoke stop xsnd.service >/dev/null || true
fi
if [ "$1" = remove ]; then ${EMPTY_CACHE}; fi
`,
  postrm: `#!/bin/sh
set -e
if [ "$1" = remove ] && ${SYSTEMD}; then systemctl --system daemon-reload >/dev/null || true; fi
if [ "$1" = purge ] && [ -z "\${DPKG_ROOT-}" ] && command -v deb-systemd-helper >/dev/null; then
    deb-systemd-helper purge xsnd.service >/dev/null || true
fi
`,
};
