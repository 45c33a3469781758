// SPDX-License-Identifier: MIT
/**
 * Waiting for a stream to change. All who wait are in one list, and nobody polls: the engines change states in memory that they
 * share with the main thread, and a word of that memory counts the changes. While somebody waits, the main thread waits for that
 * word.
 */

/** The shortest time from one round of looks to the next: a guest that changes its state without end costs no more. */
const PACE_MS = 10;

/** Counts a change, after it is made, and wakes who waits for one. For any thread; allocates nothing. */
export function countChange(count: Int32Array): void {
  Atomics.add(count, 0, 1);
  Atomics.notify(count, 0);
}

/** The list, in the main thread. */
export class Changes {
  /** The word that counts changes, for the engines. */
  readonly shared = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  readonly #count = new Int32Array(this.shared);
  readonly #looks = new Set<() => void>();
  #isFollowing = false;

  /** The main thread itself has changed something. */
  tell(): void {
    countChange(this.#count);
  }

  /**
   * What `look` gives as soon as that is not undefined: at once, after a change, or after `ms`. Otherwise undefined, then, or when
   * `gone` is aborted. Rejects with what `look` throws. A state that lasts less than 10 ms may pass unseen.
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
      // Nobody is left: whoever follows the changes need not either.
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

  /** Has everybody look, now and after each change, until nobody waits any more. */
  async #follow(): Promise<void> {
    this.#isFollowing = true;
    for (;;) {
      // Before the looks: no change after them is missed.
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
