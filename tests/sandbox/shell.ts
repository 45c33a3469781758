// SPDX-License-Identifier: MIT
/** Runs shell scripts in an embedded Xen, with the real command and Debian's XenStore tools. */
import assert from "node:assert/strict";
import { anyPcm, launcher, type Result, xsnd } from "./harness.ts";

/** The XenStore directories of domU's first card: the backend's in domain 0, the frontend's in domU. */
export const backend = "/local/domain/0/backend/vsnd/1/0";
export const frontend = "/local/domain/1/device/vsnd/0";

/**
 * Runs a shell script in a sandbox with the guests domU and guest2; `xsnd` there runs the real command. ALSA's PCMs are those of
 * {@link anyPcm}, unless `env` overrides the configuration.
 */
export function inSandbox(script: string, env: Record<string, string> = {}): Promise<Result> {
  const prelude = `
xsnd() { "$XSND_LAUNCHER" "$@"; }
status() { "$@"; echo "status $?"; }
as_guest() { XENSTORED_PATH="$XSND_SANDBOX/xenstored-1.sock" "$@"; }
be=${backend} fe=${frontend}
`;
  return xsnd(
    ["sandbox", "--domain", "domU", "--domain", "guest2", "--", "sh", "-c", prelude + script],
    { ...anyPcm, ...env, XSND_LAUNCHER: launcher },
  );
}

/** The last line of `provision` about guests whose cards no daemon makes. */
export const endAtReboot = (domains: string) =>
  `the cards of ${domains} end at a reboot, unless the file of \`xsnd serve --config\` declares them`;

export function assertOk({ code, stderr }: Result): void {
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
}
