// SPDX-License-Identifier: MIT
/** The guests whose cards the daemon makes, for commands that can do without a daemon. */
import { XsndError } from "../base/error.ts";
import { ControlClient } from "./control_client.ts";
import type { DeclaredReport } from "./protocol.ts";

/** How long a daemon has to answer. */
const ANSWER_MS = 1000;

/** What the daemon says now; undefined if no daemon answers soon, or if it makes no cards. */
export async function declaredGuests(): Promise<DeclaredReport | undefined> {
  try {
    using daemon = await ControlClient.connect(0);
    const timer = setTimeout(() => daemon[Symbol.dispose](), ANSWER_MS);
    try {
      return (await daemon.call({ command: "status" })).declared;
    } finally {
      clearTimeout(timer);
    }
  } catch (error) {
    if (!(error instanceof XsndError)) throw error;
    return undefined;
  }
}
