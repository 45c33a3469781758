// SPDX-License-Identifier: MIT
/** Whose doing it is that a frontend's streams cannot be attached. */
import { EventChannelError, GrantError, isStoreLost, StoreError } from "../../xen/ports.ts";
import { TransportError } from "./published.ts";

/** Whether this host has no memory for the frontend's pages. */
export function isOutOfMemory(error: unknown): error is GrantError {
  return error instanceof GrantError && error.isOutOfMemory;
}

/** Whether the error is about what the frontend has published. */
export function isFrontends(error: unknown): boolean {
  if (isStoreLost(error)) return false;
  return [TransportError, GrantError, EventChannelError, StoreError, RangeError].some((kind) =>
    error instanceof kind
  );
}
