// SPDX-License-Identifier: MIT
/** Taking a device's directory away without leaving empty ones above it. */
import type { StoreView } from "../xen/ports.ts";

/**
 * Removes `path`, if it is there, and each directory above it that then has neither a value nor children, as libxl
 * does (`libxl__xs_path_cleanup`).
 */
export function removeWithEmptyParents(view: StoreView, path: string): void {
  view.remove(path);
  for (let at = parentOf(path); at !== "" && isEmpty(view, at); at = parentOf(at)) view.remove(at);
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function isEmpty(view: StoreView, path: string): boolean {
  return view.read(path) === "" && view.list(path)?.length === 0;
}
