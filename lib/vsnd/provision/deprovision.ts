// SPDX-License-Identifier: MIT
/** Detaching a card as libxl does (`libxl__initiate_device_generic_remove`): ask the backend to close, wait, remove. */
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
  /** Remove the card at once, whatever the backend is doing. */
  readonly force: boolean;
}

/**
 * Asks the backend to close the card, waits until the backend has closed, and removes the card's directories. A card that no
 * backend serves is removed at once. Throws {@link XsndError} (exit 124) if the backend does not close in time: nothing is
 * removed then, and a second call goes on waiting.
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
        `${backend} closed, and is now ${stateName(state)} again; the card was left as it is`,
        Exit.failed,
      );
    }
    removeCard(view, record);
  });
}

/**
 * Removes a card that no backend serves, and with `force` any card. Asks the backend of any other card to close. Returns whether
 * the backend was asked.
 */
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
      `the backend at ${backend} did not close within ${timeoutMs / 1000} s (its state is ${
        stateName(error.state)
      }); if \`xsnd serve\` no longer runs, remove the card with --force`,
      Exit.timedOut,
      { cause: error },
    );
  }
}
