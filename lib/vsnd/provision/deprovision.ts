// SPDX-License-Identifier: MIT
/** Taking a card away, as libxl detaches one (`libxl__initiate_device_generic_remove`). */
import { Exit, XsndError } from "../../base/error.ts";
import {
  backendClaim,
  readState,
  stateName,
  StateTimeoutError,
  waitForState,
  XenbusState,
} from "../../xenbus/mod.ts";
import type { Store, StoreView } from "../../xen/ports.ts";
import type { CardRecord } from "../nodes/inventory.ts";
import { removeCard } from "./plan.ts";

export interface DeprovisionOptions {
  /** How long the backend may take to close. */
  readonly timeoutMs: number;
  /** Take the card away at once, whatever the backend is doing. */
  readonly force: boolean;
}

/**
 * Asks the backend to close the card, waits until it has, and removes the card's directories; at once if no
 * backend serves it. Throws {@link XsndError} with exit code 124 if the backend does not close in time (nothing is removed
 * then, and asking again goes on waiting).
 */
export async function deprovisionCard(
  store: Store,
  record: CardRecord,
  { timeoutMs, force }: DeprovisionOptions,
): Promise<void> {
  const { paths: { backend } } = record;
  if (!store.transaction((view) => beginRemoval(view, record, force))) return;
  await closed(store, backend, timeoutMs);
  store.transaction((view) => {
    const state = readState(view, backend);
    if (backendClaim(state) !== "released") {
      throw new XsndError(
        `${backend} closed, but is ${stateName(state)} again; left it as it is`,
        Exit.failed,
      );
    }
    removeCard(view, record);
  });
}

/** Removes a card that no backend serves, or any with `force`; otherwise asks its backend to close. Returns whether it was asked. */
export function beginRemoval(view: StoreView, record: CardRecord, force = false): boolean {
  const { paths: { backend } } = record;
  if (force || backendClaim(readState(view, backend)) !== "claimed") {
    removeCard(view, record);
    return false;
  }
  view.write(`${backend}/online`, "0");
  view.write(`${backend}/state`, String(XenbusState.Closing));
  return true;
}

async function closed(store: Store, backend: string, timeoutMs: number): Promise<void> {
  try {
    await waitForState(store, backend, (state) => backendClaim(state) === "released", timeoutMs);
  } catch (error) {
    if (!(error instanceof StateTimeoutError)) throw error;
    throw new XsndError(
      `the backend at ${backend} did not close within ${timeoutMs / 1000} s (it is ${
        stateName(error.state)
      }); ` +
        "if `xsnd serve` is no longer running, take the card away with --force",
      Exit.timedOut,
      { cause: error },
    );
  }
}
