// SPDX-License-Identifier: MIT
/** Checking that the C libraries load, with the file and version of each. */
import { libasound } from "../../ffi/alsa/libasound.ts";
import { libc } from "../../ffi/libc/libc.ts";
import type { LibraryInfo } from "../../ffi/base/library.ts";
import { libxenevtchn } from "../../ffi/xen/libxenevtchn.ts";
import { libxengnttab } from "../../ffi/xen/libxengnttab.ts";
import { libxenstore } from "../../ffi/xen/libxenstore.ts";
import { type Check, type Finding, fromError, ok } from "./doctor_finding.ts";
import { readText, thisHost } from "./host.ts";

/** A library of `ffi`: what it is, and the call that loads it. */
export interface Library {
  readonly info: LibraryInfo;
  (): unknown;
}

/** Libraries that an embedded Xen does without. */
const NATIVE_ONLY: readonly Library[] = [libxengnttab, libxenevtchn];

export const libraryChecks: readonly Check[] = [libc, libxenstore, libxengnttab, libxenevtchn, libasound]
  .map((library: Library) => ({ subject: library.info.soname, run: () => examine(library) }));

function examine(library: Library): Finding {
  const { info } = library;
  try {
    library();
  } catch (error) {
    const isNeeded = thisHost().xen !== "embedded" || !NATIVE_ONLY.includes(library);
    const finding = fromError(info.soname, error, isNeeded ? "fail" : "warn");
    const overridden = Deno.env.get(info.variable) !== undefined;
    return {
      ...finding,
      command: overridden ? `unset ${info.variable}` : `apt-get install ${info.debianPackage}`,
    };
  }
  const version = packageVersion(info.debianPackage);
  const from = version === undefined ? "" : `, ${info.debianPackage} ${version}`;
  return ok(info.soname, `${Deno.env.get(info.variable) ?? loadedFile(info.soname) ?? "loaded"}${from}`);
}

/** The path of the file that the loader found for `soname`. */
export function loadedFile(soname: string): string | undefined {
  // The maps have the name of the file itself: libasound.so.2.0.0 for libasound.so.2.
  return readText("/proc/self/maps")?.split("\n")
    .map((line) => line.slice(line.indexOf("/")))
    .find((path) => path.slice(path.lastIndexOf("/") + 1).startsWith(soname));
}

/** The version of a Debian package; undefined if it is not installed, or on another distribution. */
export function packageVersion(name: string): string | undefined {
  let status: string;
  try {
    status = Deno.readTextFileSync("/var/lib/dpkg/status");
  } catch {
    return undefined;
  }
  const entry = status.split("\n\n").find((entry) => entry.startsWith(`Package: ${name}\n`));
  return entry?.match(/^Status: .* installed$/m) && entry.match(/^Version: (.*)$/m)?.[1] || undefined;
}
