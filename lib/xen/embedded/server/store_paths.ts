// SPDX-License-Identifier: MIT
/** Paths of XenStore nodes: XenStore's rules, parents and children (docs/misc/xenstore.txt, xenstored's `is_valid_nodename`). */
import { XsError } from "./wire.ts";

export const XENSTORE_ABS_PATH_MAX = 3072;
export const XENSTORE_REL_PATH_MAX = 2048;

/** The directory of a domain, to which its relative paths are relative. */
export function domainPath(domid: number): string {
  return `/local/domain/${domid}`;
}

/** Whether `path` names a special event of xenstored, such as `@releaseDomain`, and no node. */
export function isSpecial(path: string): boolean {
  return path.startsWith("@");
}

/** The absolute path of `path` in a request of domain `domid`. Throws EINVAL if the path cannot name a node. */
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

/** The names from the root down to `path`; empty for `/`. */
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

/** Whether `path` is `ancestor` or below `ancestor`. */
export function isWithin(path: string, ancestor: string): boolean {
  if (path.length <= ancestor.length) return path === ancestor;
  return ancestor === "/" || path[ancestor.length] === "/" && path.startsWith(ancestor);
}
