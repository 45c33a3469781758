// SPDX-License-Identifier: MIT
/** XenStore's path rules (docs/misc/xenstore.txt, `is_valid_nodename` in xenstored). */
import { XsError } from "./wire.ts";

export const XENSTORE_ABS_PATH_MAX = 3072;
export const XENSTORE_REL_PATH_MAX = 2048;

/** Where a domain's relative paths begin. */
export function domainPath(domid: number): string {
  return `/local/domain/${domid}`;
}

/** Whether `path` names an event that xenstored invents, such as `@releaseDomain`, and no node. */
export function isSpecial(path: string): boolean {
  return path.startsWith("@");
}

/** The absolute path that `path` means when the domain `domid` says it; EINVAL if it cannot name a node. */
export function absolutePath(path: string, domid: number): string {
  const absolute = path.startsWith("/") ? path : `${domainPath(domid)}/${path}`;
  if (isSpecial(path) || !isValid(absolute)) throw new XsError("EINVAL");
  return absolute;
}

function isValid(path: string): boolean {
  if (path === "/") return true;
  if (path.length > XENSTORE_ABS_PATH_MAX || !/^(?:\/[A-Za-z0-9@_-]+)+$/.test(path)) return false;
  const home = /^\/local\/domain\/\d{1,5}\//.exec(path)?.[0].length ?? 0;
  return path.length - home <= XENSTORE_REL_PATH_MAX;
}

/** The names from the root down to `path`; none for `/`. */
export function pathSegments(path: string): string[] {
  return path === "/" ? [] : path.slice(1).split("/");
}

/** The path one level up; `/` for `/` itself. */
export function parentPath(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** The path of `path`'s child `name`. */
export function childPath(path: string, name: string): string {
  return path === "/" ? `/${name}` : `${path}/${name}`;
}

/** Whether `path` is `ancestor` itself or below it. */
export function isWithin(path: string, ancestor: string): boolean {
  return ancestor === "/" || path === ancestor || path.startsWith(`${ancestor}/`);
}
