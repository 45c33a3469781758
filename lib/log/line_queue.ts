// SPDX-License-Identifier: MIT
/**
 * Lines on their way to a log that may be read slowly, or not at all. The daemon never waits for a reader: lines queue up to a
 * bound, and lines beyond it are lost and counted. The newest lines are the ones that are lost, since the first lines of a
 * trouble say how it began. Once all that was queued is taken, a line says how many were lost, in their place.
 */

/** Where lines go; see ffi/libc/nonblocking_output.ts. */
export interface Output {
  /** Returns how many of `octets` were taken: 0 if there is no room now. Throws if they never will be. */
  write(octets: Uint8Array<ArrayBuffer>): number;
  /** Blocks until there is room, or for `timeoutMs`. */
  wait(timeoutMs: number): void;
}

interface Chunk {
  octets: Uint8Array<ArrayBuffer>;
  /** What is lost with it. */
  readonly lines: number;
}

const CAPACITY_BYTES = 256 * 1024;
const NEWLINE = 0x0a;
/** How soon it is tried again whether there is room. */
const RETRY_MS = 100;
/** How long the end of the process may take for what is still queued. */
const LAST_WAIT_MS = 1000;

export class LineQueue implements Disposable {
  readonly #chunks: Chunk[] = [];
  #bytes = 0;
  #lost = 0;
  /** Whether a part of the first chunk has been written. */
  #isCut = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** On performance.now()'s clock; set once the end is near. */
  #deadline: number | undefined;

  /** @param lostLines the line that says how many were lost, with its newline */
  constructor(
    private readonly output: Output,
    private readonly lostLines: (count: number) => Uint8Array<ArrayBuffer>,
    private readonly capacityBytes = CAPACITY_BYTES,
  ) {}

  /** Writes a line, its newline included, as soon as there is room; its turn comes after all before it. */
  push(octets: Uint8Array<ArrayBuffer>): void {
    this.#drain();
    if (this.#lost > 0 || this.#bytes + octets.length > this.capacityBytes) this.#lost++;
    else this.#append(octets, 1);
    if (this.#deadline === undefined) this.#drain();
    else this.#flush(this.#deadline);
  }

  #append(octets: Uint8Array<ArrayBuffer>, lines: number): void {
    this.#chunks.push({ octets, lines });
    this.#bytes += octets.length;
  }

  /** Writes what there is room for; false if there is more, which waits for room. */
  #drain(): boolean {
    try {
      for (;;) {
        if (this.#chunks.length === 0) {
          if (this.#lost === 0) return true;
          this.#append(this.#lostLine(), this.#lost);
          this.#lost = 0;
        }
        const [first] = this.#chunks;
        const taken = this.output.write(first.octets);
        this.#bytes -= taken;
        this.#isCut = taken < first.octets.length && (this.#isCut || taken > 0);
        if (taken === first.octets.length) this.#chunks.shift();
        else first.octets = first.octets.subarray(taken);
        if (taken === 0) {
          this.#tryAgain();
          return false;
        }
      }
    } catch {
      this.#loseAll();
      return true;
    }
  }

  /** It begins on a line of its own, also after one of which the end was lost. */
  #lostLine(): Uint8Array<ArrayBuffer> {
    const line = this.lostLines(this.#lost);
    return this.#isCut ? Uint8Array.of(NEWLINE, ...line) : line;
  }

  #tryAgain(): void {
    if (this.#retry !== undefined || this.#deadline !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#drain();
    }, RETRY_MS);
    Deno.unrefTimer(this.#retry); // it keeps nothing from ending
  }

  /** A log that nobody takes any more, as that of a terminal that was closed, is no reason to end. A disk may have room later. */
  #loseAll(): void {
    for (const { lines } of this.#chunks.splice(0)) this.#lost += lines;
    this.#bytes = 0;
  }

  /** The end is near: waits a second at most, in all, for what is queued and for lines that still come. */
  [Symbol.dispose](): void {
    clearTimeout(this.#retry);
    this.#deadline = performance.now() + LAST_WAIT_MS;
    this.#flush(this.#deadline);
  }

  #flush(deadline: number): void {
    while (!this.#drain()) {
      const left = deadline - performance.now();
      if (left <= 0) return;
      this.output.wait(Math.ceil(left));
    }
  }
}
