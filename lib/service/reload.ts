// SPDX-License-Identifier: MIT
/** Reading the daemon's configuration again, which must not end the daemon, whatever the file holds. */
import { getLogger } from "@logtape/logtape";
import { XsndError } from "../base/error.ts";
import { isStoreLost } from "../xen/ports.ts";

/** What is read, and what goes by it. */
export interface Reloadable<Policy> {
  /** What holds. */
  policy: Policy;
  /** What the file says now. */
  read(): Promise<Policy>;
  /** Goes by {@link policy} from now on; what changes, in a few words each. */
  apply(): Promise<readonly string[]>;
}

/** Takes `file`, or else leaves all as it was and logs the reason. Never rejects. */
export async function reload<Policy>(file: string, reloadable: Reloadable<Policy>): Promise<void> {
  const log = getLogger(["xsnd", "serve"]);
  const before = reloadable.policy;
  const refuse = (error: unknown) =>
    log.error("{file} is not taken, what was read of it before holds on: {reason}", {
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
    log.info("{file} is read again: {cards}", {
      file,
      cards: changed.length === 0 ? "no card changes" : changed.join(", "),
    });
  } catch (error) {
    if (isStoreLost(error)) {
      return log.warn("{file} is read again, and holds for its cards when XenStore is there again", { file });
    }
    reloadable.policy = before;
    refuse(error);
    await reloadable.apply().catch((error) =>
      log.error("not all cards go by what {file} said before: {reason}", { file, reason: reasonOf(error) })
    );
  }
}

/** The stack of what is a defect. */
function reasonOf(error: unknown): string {
  if (error instanceof XsndError) return error.message;
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
