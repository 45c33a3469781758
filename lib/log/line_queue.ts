// SPDX-License-Identifier: MIT
/**
 * Queues log lines for an output whose reader is slow, or reads nothing. The daemon never waits for a reader: lines queue up to a
 * bound, and further lines are lost and counted. The newest lines are lost, since the first lines of a failure tell its cause.
 * When the output has taken the whole queue, a line with the number of lost lines follows.
 */

/** The output of the lines; see ffi/libc/nonblocking_output.ts. */
export interface Output {
  /** Writes without blocking. Returns how many octets the output took, 0 if it has no room. Throws if the output has failed. */
  write(octets: Uint8Array<ArrayBuffer>): number;
  /** Blocks until the output has room, at most for `timeoutMs`. */
  wait(timeoutMs: number): void;
}

interface Chunk {
  octets: Uint8Array<ArrayBuffer>;
  /** The number of log lines that this chunk stands for. */
  readonly lines: number;
}

const CAPACITY_BYTES = 256 * 1024;
const NEWLINE = 0x0a;
/** Time between two attempts to write to a full output. */
const RETRY_MS = 100;
/** The longest time that the end of the process waits for the output. */
const LAST_WAIT_MS = 1000;

export class LineQueue implements Disposable {
  readonly #chunks: Chunk[] = [];
  #bytes = 0;
  #lost = 0;
  /** Whether the output has taken a part of the first chunk. */
  #isCut = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** The time on performance.now()'s clock after which nothing is written; set by disposal. */
  #deadline: number | undefined;

  /** @param lostLines makes the line that reports `count` lost lines, with its newline */
  constructor(
    private readonly output: Output,
    private readonly lostLines: (count: number) => Uint8Array<ArrayBuffer>,
    private readonly capacityBytes = CAPACITY_BYTES,
  ) {}

  /** Writes a line, with its newline, after all lines before it, as soon as the output has room. */
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

  /** Writes as much as the output takes. Returns false if lines remain. */
  #drain(): boolean {
    try {
      for (;;) {
        if (this.#chunks.length === 0) {
          if (this.#lost === 0) return true;
          this.#append(this.#lostLine(), this.#lost);
          this.#lost = 0;
        }
        const first = this.#chunks[0]!;
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

  /** The line that reports the loss. It begins with a newline after a line whose end was lost. */
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
    Deno.unrefTimer(this.#retry); // the timer does not keep the process alive
  }

  /** Loses the whole queue. The daemon continues without a log, as after its terminal was closed; a full disk may have room later. */
  #loseAll(): void {
    for (const { lines } of this.#chunks.splice(0)) this.#lost += lines;
    this.#bytes = 0;
  }

  /** Writes the queue, and lines that follow, for at most {@link LAST_WAIT_MS} in all. */
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
