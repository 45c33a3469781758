// SPDX-License-Identifier: MIT
/** Many guests' programs at once, in threads of this process: a process for each would take the machine from what is measured. */
import { Exit, XsndError } from "../../lib/base/error.ts";
import { runSession } from "../../lib/guest/run_session.ts";
import type { SessionReport } from "../../lib/guest/session.ts";
import type { Box } from "../sandbox/harness.ts";

/** Silence without end, s16_le stereo. */
const ENDLESS = { path: "/dev/zero", raw: { format: "s16_le", rate: 48000, channels: 2 } };

export interface PlayedStream {
  readonly domain: string;
  readonly domid: number;
  readonly card: number;
}

export class Players implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #sessions: Promise<SessionReport | undefined>[] = [];

  /** Lets this process be a guest of `box`. */
  constructor(box: Box) {
    for (const [name, value] of Object.entries(box.environment)) Deno.env.set(name, value);
  }

  /** Begins to play silence into the first stream of a card, `periodFrames` a period, four periods a buffer. */
  start({ domain, domid, card }: PlayedStream, periodFrames: number): void {
    const stream = { name: `${domain}/${card}/0/0`, domain, domid, card, pcm: 0, stream: 0 };
    const sizes = { periodFrames, bufferFrames: 4 * periodFrames };
    const options = { kind: "play", file: ENDLESS, stream, behaviour: "linux-6.1", baseline: false } as const;
    const session = runSession({ ...options, ...sizes }, { progress() {}, warning() {} }, this.#stop.signal);
    this.#sessions.push(session.catch((error) => {
      if (error instanceof XsndError && error.exitCode === Exit.interrupted) return undefined;
      throw error;
    }));
    // One that ends before it is told to is found by whoever looks at the streams; its reason is told at the end.
    session.catch(() => {});
  }

  /** Ends all of them. Throws what one has failed of. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#sessions);
  }
}
