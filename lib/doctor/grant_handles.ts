// SPDX-License-Identifier: MIT
/** Checking that Xen lets domain 0 map as many pages of guests as the daemon may. */
import { Errno } from "../../ffi/libc/failed_call.ts";
import { readXenParameter } from "../../ffi/xen/libxenhypfs.ts";
import { DEFAULT_LIMITS } from "../daemon/policy/guest_limits.ts";
import { type Check, type Finding, fromError, ok, skip, warn } from "./doctor_finding.ts";
import { thisHost } from "./host.ts";

const SUBJECT = "grant handles";
const PARAMETER = "gnttab_max_maptrack_frames";
/** Entries of 16 octets in a frame of 4 KiB; each mapped page takes one (Xen's `struct grant_mapping`). */
const HANDLES_A_FRAME = 256;
const PAGES_A_MIB = 256;

export const grantHandleCheck: Check = { subject: SUBJECT, run: examine };

function examine(): Finding | Finding[] {
  const host = thisHost();
  // An embedded Xen has no such limit.
  if (host.xen !== "native") return [];
  if (!host.isDomain0) return skip(SUBJECT, "only domain 0 may read Xen's parameters");
  try {
    return judgeHandles(Number(/^\d+/.exec(readXenParameter(`/params/${PARAMETER}`))?.[0]));
  } catch (error) {
    // A Xen that was built without hypfs, or is older than 4.14.
    if (error instanceof Errno) return skip(SUBJECT, `Xen does not say: ${error.message}`);
    return fromError(SUBJECT, error, "skip");
  }
}

/** @param frames Xen's `gnttab_max_maptrack_frames` */
export function judgeHandles(frames: number): Finding {
  if (!Number.isSafeInteger(frames)) return skip(SUBJECT, `Xen's ${PARAMETER} is no number`);
  const mib = Math.floor(frames * HANDLES_A_FRAME / PAGES_A_MIB);
  const { totalMapped } = DEFAULT_LIMITS;
  const detail =
    `Xen lets domain 0 map ${mib} MiB of all guests' pages, and the daemon maps ${totalMapped} MiB at most by default`;
  // Disks and networks of guests need handles, too.
  if (mib >= 2 * totalMapped) return ok(SUBJECT, detail);
  return warn(SUBJECT, `${detail}: too little is left for disks and networks`, {
    mend: `start Xen with a larger ${PARAMETER} (1024 by default), or have the daemon map less:`,
    command: `xsnd serve --guest-limits total-mapped=${Math.max(1, Math.floor(mib / 4))}`,
  });
}
