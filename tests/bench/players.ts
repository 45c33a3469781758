// SPDX-License-Identifier: MIT
/** Plays in many guests at once, in threads of this process. A process for each would take CPU time from the engine. */
import { Exit, XsndError } from "../../lib/base/error.ts";
import { runSession } from "../../lib/guest/run_session.ts";
import type { SessionReport } from "../../lib/guest/session.ts";
import type { Box } from "../sandbox/harness.ts";

/** Endless silence, s16_le stereo. */
const ENDLESS = { path: "/dev/zero", raw: { format: "s16_le", rate: 48000, channels: 2 } };

export interface PlayedStream {
  readonly domain: string;
  readonly domid: number;
  readonly card: number;
}

export class Players implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #sessions: Promise<SessionReport | undefined>[] = [];

  /** Makes this process a guest of `box`. */
  constructor(box: Box) {
    for (const [name, value] of Object.entries(box.environment)) Deno.env.set(name, value);
  }

  /** Starts to play silence on a card's first stream, with a buffer of four periods of `periodFrames`. */
  start({ domain, domid, card }: PlayedStream, periodFrames: number): void {
    const stream = { name: `${domain}/${card}/0/0`, domain, domid, card, pcm: 0, stream: 0 };
    const sizes = { periodFrames, bufferFrames: 4 * periodFrames };
    const options = { kind: "play", file: ENDLESS, stream, behaviour: "linux-6.1", baseline: false } as const;
    const session = runSession({ ...options, ...sizes }, { progress() {}, warning() {} }, this.#stop.signal);
    this.#sessions.push(session.catch((error) => {
      if (error instanceof XsndError && error.exitCode === Exit.interrupted) return undefined;
      throw error;
    }));
    // The caller notices a session that ends early by its missing stream. Disposal reports the reason.
    session.catch(() => {});
  }

  /** Stops all players. Throws the error of a player that failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#sessions);
  }
}
