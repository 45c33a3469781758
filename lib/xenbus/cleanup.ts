// SPDX-License-Identifier: MIT
/** Removing a directory from XenStore together with the parents that the removal leaves empty. */
import type { StoreView } from "../xen/ports.ts";

/**
 * Removes `path`, if present, and then each parent that has neither a value nor children, as libxl does
 * (`libxl__xs_path_cleanup`).
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
