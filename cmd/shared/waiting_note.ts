// SPDX-License-Identifier: MIT
/** Tells a person at a terminal what a command waits for, and how long the command still would. */
import { printable } from "./output.ts";

/** A command that is done by then says nothing, ms. */
const SILENT_MS = 200;
const CLEAR_LINE = "\r\x1b[K";

/**
 * A line on the terminal of stderr, until the disposal: `waiting for the daemon, 4 s left; Ctrl-C ends`. Off a terminal there is
 * none.
 */
export class WaitingNote implements Disposable {
  readonly #deadline: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isShown = false;

  /** @param what what is waited for: "for the daemon", "until domU has connected" */
  constructor(private readonly what: string, timeoutMs: number) {
    this.#deadline = performance.now() + timeoutMs;
    if (timeoutMs > SILENT_MS && Deno.stderr.isTerminal()) this.#showIn(SILENT_MS);
  }

  #showIn(ms: number): void {
    this.#timer = setTimeout(() => this.#show(), ms);
  }

  #show(): void {
    const left = Math.max(0, Math.ceil((this.#deadline - performance.now()) / 1000));
    this.#isShown = true;
    write(`${CLEAR_LINE}${printable(`waiting ${this.what}, ${left} s left; Ctrl-C ends`)}`);
    this.#showIn(1000);
  }

  /** Takes the line away, for what else is to be printed. It comes back within a second. */
  clear(): void {
    if (this.#isShown) write(CLEAR_LINE);
    this.#isShown = false;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.clear();
  }
}

/** The result of `work`, which may take up to `timeoutMs`, under a note. */
export async function noting<T>(what: string, timeoutMs: number, work: Promise<T>): Promise<T> {
  using _note = new WaitingNote(what, timeoutMs);
  return await work;
}

function write(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}
