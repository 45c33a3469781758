// SPDX-License-Identifier: MIT
/** Opens XenStore for a command, and turns its errors into messages. */
import { Exit, XsndError } from "../../lib/base/error.ts";
import { openXen } from "../../lib/xen/mod.ts";
import { type Store, StoreError } from "../../lib/xen/ports.ts";

/** Opens Xen, runs `body` with XenStore and this domain's number, and closes Xen. Turns a {@link StoreError} into an {@link XsndError}. */
export async function withStore<T>(body: (store: Store, domid: number) => T | Promise<T>): Promise<T> {
  using xen = await openXen();
  try {
    return await body(xen.store, xen.domid);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.code === "EACCES" || error.code === "EPERM") {
      const message = `${error.message}; only the toolstack's domain, usually Domain-0, may do this`;
      throw new XsndError(message, Exit.permission, { cause: error });
    }
    throw new XsndError(error.message, Exit.failed, { cause: error });
  }
}
