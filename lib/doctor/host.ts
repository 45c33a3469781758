// SPDX-License-Identifier: MIT
/**
 * Facts about this host, from files of /proc, /sys and /dev. They are read with libc: Deno reads such files only for programs
 * with all permissions.
 */
import { errnoName } from "../../ffi/libc/errno.ts";
import { errno } from "../../ffi/libc/failed_call.ts";
import { ACCESS, libc, O } from "../../ffi/libc/libc.ts";
import { cString } from "../../ffi/base/c_string.ts";
import { SANDBOX_VARIABLE } from "../base/environment.ts";

/** The most octets that are read. Only /proc/self/maps can be longer, and its beginning suffices. */
const MOST_OCTETS = 1 << 20;

/** The text of a file; undefined if it cannot be read. */
export function readText(path: string): string | undefined {
  const fd = libc().open(cString(path), O.RDONLY | O.CLOEXEC, 0);
  if (fd < 0) return undefined;
  const chunk = new Uint8Array(1 << 16);
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (let total = 0; total < MOST_OCTETS;) {
      const octets = Number(libc().read(fd, chunk, BigInt(chunk.length)));
      if (octets <= 0) break;
      total += octets;
      text += decoder.decode(chunk.subarray(0, octets), { stream: true });
    }
  } finally {
    libc().close(fd);
  }
  return text;
}

/** Whether there is a file at `path`. */
export function exists(path: string): boolean {
  return libc().access(cString(path), ACCESS.F_OK) === 0;
}

/** The name of the error if this process may not read and write the file, such as EACCES; undefined if it may. */
export function refusal(path: string): string | undefined {
  return libc().access(cString(path), ACCESS.R_OK | ACCESS.W_OK) === 0 ? undefined : errnoName(errno());
}

/** The Xen that this process would use. */
export type Host =
  | { readonly xen: "embedded"; readonly directory: string }
  | { readonly xen: "native"; readonly isDomain0: boolean }
  | { readonly xen: "none" };

/** Finds out which Xen this process would use. */
export function thisHost(): Host {
  const directory = Deno.env.get(SANDBOX_VARIABLE);
  if (directory) return { xen: "embedded", directory };
  const isXen = readText("/sys/hypervisor/type")?.trim() === "xen" || exists("/dev/xen") ||
    exists("/proc/xen/capabilities");
  if (!isXen) return { xen: "none" };
  // xenfs says so where it is mounted. Elsewhere the privileged device tells: only domain 0 has one.
  const isDomain0 = readText("/proc/xen/capabilities")?.includes("control_d") ?? exists("/dev/xen/privcmd");
  return { xen: "native", isDomain0 };
}

/** The kernel's release, as `uname -r` prints it. */
export function kernelRelease(): string {
  return readText("/proc/sys/kernel/osrelease")?.trim() ?? "unknown";
}

/** The process as `1234 (pulseaudio)`. */
export function processName(pid: number): string {
  return `${pid} (${readText(`/proc/${pid}/comm`)?.trim() ?? "gone"})`;
}
