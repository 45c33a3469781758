// SPDX-License-Identifier: MIT
/** Reloads the daemon's configuration. The daemon survives any content of the file. */
import { getLogger } from "@logtape/logtape";
import { XsndError } from "../base/error.ts";
import { isStoreLost } from "../xen/ports.ts";

/** A policy that can be read again and applied. */
export interface Reloadable<Policy> {
  /** The policy in force. */
  policy: Policy;
  /** Reads the policy from the file. */
  read(): Promise<Policy>;
  /** Applies {@link policy}. Returns a few words for each change. */
  apply(): Promise<readonly string[]>;
}

/** Applies the policy of `file`. If that fails, keeps the former policy and logs the reason. Never rejects. */
export async function reload<Policy>(file: string, reloadable: Reloadable<Policy>): Promise<void> {
  const log = getLogger(["xsnd", "serve"]);
  const before = reloadable.policy;
  const refuse = (error: unknown) =>
    log.error("{file} is refused; the former configuration stays in force: {reason}", {
      file,
      reason: reasonOf(error),
    });
  try {
    reloadable.policy = await reloadable.read();
  } catch (error) {
    return refuse(error);
  }
  try {
    const changed = await reloadable.apply();
    log.info("{file} is reloaded: {cards}", {
      file,
      cards: changed.length === 0 ? "no card changes" : changed.join(", "),
    });
  } catch (error) {
    if (isStoreLost(error)) {
      return log.warn("{file} is reloaded; cards follow when XenStore answers again", { file });
    }
    reloadable.policy = before;
    refuse(error);
    await reloadable.apply().catch((error) =>
      log.error("not all cards are back at the former configuration of {file}: {reason}", {
        file,
        reason: reasonOf(error),
      })
    );
  }
}

/** The message of an expected error, the stack of a defect. */
function reasonOf(error: unknown): string {
  if (error instanceof XsndError) return error.message;
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
