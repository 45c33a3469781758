// SPDX-License-Identifier: MIT
/** What a card's guest writes in its frontend's directory, and when the daemon looks at that. Times are in ms. */
import { isTransportNode } from "./link/published.ts";

/**
 * How long a frontend must have written nothing before its rings are taken. A kernel that finds InitWait twice publishes twice within
 * a few ms. It frees the first rings before it writes again: if the rings were taken then, they would be refused.
 */
const QUIET_MS = 200;
/**
 * How often at most the daemon looks at what a card's guest writes: 50 times a second, three reads each. A guest that writes in a
 * loop waits for its own card, and nobody else does (XSA-349 is the same for memory).
 */
const LOOK_MS = 20;

export class FrontendWrites implements Disposable {
  #writtenAt = 0;
  #lookedAt = -Infinity;
  /** Set while a look is due. */
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param meant the nodes that mean something; the guest writes others as it likes
   * @param look is called soon after a write
   */
  constructor(private readonly meant: ReadonlySet<string>, private readonly look: () => void) {}

  /** The node at `path` has changed. Returns true if the frontend has published rings. */
  changed(path: string): boolean {
    if (!this.meant.has(path)) return false;
    this.#writtenAt = performance.now();
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#lookedAt = performance.now();
      this.look();
    }, Math.max(0, this.#lookedAt + LOOK_MS - this.#writtenAt));
    return isTransportNode(path);
  }

  /** When the frontend last wrote something that means something. */
  get writtenAt(): number {
    return this.#writtenAt;
  }

  /** From when on the rings may be taken, if nothing more is written. */
  get quietAt(): number {
    return this.#writtenAt + QUIET_MS;
  }

  /** No look is due any more. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
