// SPDX-License-Identifier: MIT
/** Which versions of everything are at work here: what a report of a fault begins with. */
import { libasound } from "../../ffi/alsa/libasound.ts";
import { libxenevtchn } from "../../ffi/xen/libxenevtchn.ts";
import { libxengnttab } from "../../ffi/xen/libxengnttab.ts";
import { libxenstore } from "../../ffi/xen/libxenstore.ts";
import { VERSION } from "../base/version.ts";
import { announcementPath } from "../daemon/announcement.ts";
import { openXen } from "../xen/mod.ts";
import { kernelRelease, readText, thisHost } from "./host.ts";
import { type Library, loadedFile, packageVersion } from "./libraries.ts";

/** Versions as texts; null: not there, or unknown. */
export interface Versions {
  readonly xsnd: string;
  readonly deno: string;
  readonly v8: string;
  readonly kernel: string;
  /** The hypervisor's, "embedded" in a sandbox. */
  readonly xen: string | null;
  /** The daemon's own xsnd, by what the daemon has announced in XenStore. */
  readonly daemon: string | null;
  /** By soname. */
  readonly libraries: Readonly<Record<string, LibraryVersion | null>>;
}

export interface LibraryVersion {
  /** The file that was loaded; null if the loader does not tell. */
  readonly file: string | null;
  /** The version of the library's Debian package; null on another distribution. */
  readonly package: string | null;
}

const LIBRARIES: readonly Library[] = [libasound, libxenstore, libxengnttab, libxenevtchn];

/** Collects the versions. Loads the libraries, and reads the daemon's announcement. */
export async function versions(): Promise<Versions> {
  return {
    xsnd: VERSION,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    kernel: kernelRelease(),
    xen: xenVersion(),
    daemon: await daemonVersion(),
    libraries: Object.fromEntries(LIBRARIES.map((library) => [library.info.soname, versionOf(library)])),
  };
}

function versionOf(library: Library): LibraryVersion | null {
  const { soname, variable, debianPackage } = library.info;
  try {
    library();
  } catch {
    return null; // `xsnd doctor` says why
  }
  const file = Deno.env.get(variable) ?? loadedFile(soname) ?? null;
  return { file, package: packageVersion(debianPackage) ?? null };
}

function xenVersion(): string | null {
  const { xen } = thisHost();
  if (xen !== "native") return xen === "embedded" ? xen : null;
  const [major, minor, extra] = ["major", "minor", "extra"].map((name) =>
    readText(`/sys/hypervisor/version/${name}`)?.trim()
  );
  return major === undefined ? null : `${major}.${minor}${extra ?? ""}`;
}

async function daemonVersion(): Promise<string | null> {
  if (thisHost().xen === "none") return null;
  try {
    using xen = await openXen();
    const path = announcementPath(xen.domid);
    const isRunning = xen.store.read(`${path}/status`) === "running";
    return isRunning ? xen.store.read(`${path}/version`) ?? null : null;
  } catch {
    return null; // `xsnd doctor` says what is wrong with XenStore
  }
}
