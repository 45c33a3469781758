// SPDX-License-Identifier: MIT
/** Waits for a stream although the daemon may start, or restart, meanwhile. */
import { Exit, XsndError } from "../base/error.ts";
import { ControlClient } from "./control_client.ts";
import type { StreamGoal, StreamReport } from "./protocol.ts";

/** The report of `stream` once it has reached `goal`. Throws {@link XsndError}: exit 124 after `timeoutMs`, 3 without a daemon. */
export async function waitForStream(
  stream: string,
  goal: StreamGoal,
  timeoutMs: number,
): Promise<StreamReport> {
  const deadline = performance.now() + timeoutMs;
  const left = () => Math.max(0, Math.ceil(deadline - performance.now()));
  for (;;) {
    using daemon = await ControlClient.connect(left());
    try {
      return await daemon.call({ command: "wait", stream, goal, waitMs: left() });
    } catch (error) {
      const hasEnded = error instanceof XsndError && error.exitCode === Exit.noDaemon;
      if (!hasEnded || left() === 0) throw error;
    }
  }
}
