// SPDX-License-Identifier: MIT
/**
 * Waits for a stream to change, without polling. The engines keep states in memory that they share with the main thread, and a
 * word of that memory counts the changes. All who wait are in one list, and while the list is not empty the main thread
 * waits for that word.
 */

/** Looks at the streams are this far apart at least, so that a guest that changes its state without end costs no more. */
const PACE_MS = 10;

/** Counts a change that was made, and wakes whoever waits. For any thread; allocates nothing. */
export function countChange(count: Int32Array): void {
  Atomics.add(count, 0, 1);
  Atomics.notify(count, 0);
}

/** The list of those who wait, in the main thread. */
export class Changes {
  /** The word that counts changes, to be shared with the engines. */
  readonly shared = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  readonly #count = new Int32Array(this.shared);
  readonly #looks = new Set<() => void>();
  #isFollowing = false;

  /** Counts a change that the main thread itself has made. */
  tell(): void {
    countChange(this.#count);
  }

  /**
   * Calls `look` at once, after each change and after `ms`, until it returns something else than undefined, and resolves with
   * that. Resolves with undefined when the `ms` have passed, or when `gone` is aborted. Rejects with the error that `look` throws.
   * A state that lasts less than 10 ms may pass unseen.
   */
  until<T>(look: () => T | undefined, ms: number, gone: AbortSignal): Promise<T | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    const giveUp = () => end();
    const lookAgain = () => {
      try {
        const found = look();
        if (found !== undefined) end(found);
      } catch (error) {
        reject(error);
        end();
      }
    };
    const end = (found?: T) => {
      clearTimeout(timer);
      gone.removeEventListener("abort", giveUp);
      this.#looks.delete(lookAgain);
      // Nobody waits any more: wake #follow, which ends.
      if (this.#looks.size === 0) Atomics.notify(this.#count, 0);
      resolve(found);
    };
    const timer = setTimeout(() => {
      lookAgain();
      giveUp();
    }, ms);
    gone.addEventListener("abort", giveUp);
    this.#looks.add(lookAgain);
    if (this.#isFollowing) lookAgain();
    else void this.#follow();
    if (gone.aborted) giveUp();
    return promise;
  }

  /** Has everybody in the list look, now and after each change, until the list is empty. */
  async #follow(): Promise<void> {
    this.#isFollowing = true;
    for (;;) {
      // Read before the looks, so that no change after them is missed.
      const seen = Atomics.load(this.#count, 0);
      for (const look of this.#looks) look();
      if (this.#looks.size === 0) break;
      await new Promise((resolve) => setTimeout(resolve, PACE_MS));
      if (this.#looks.size === 0) break;
      const change = Atomics.waitAsync(this.#count, 0, seen);
      if (change.async) await change.value;
    }
    this.#isFollowing = false;
  }
}
