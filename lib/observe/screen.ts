// SPDX-License-Identifier: MIT
/**
 * The terminal as a screen that is drawn over and over: on the terminal's alternate screen, so that what was there before is there
 * after. Disposing gives the terminal back as it was.
 */

const ENTER = "\x1b[?1049h\x1b[?25l"; // alternate screen, no cursor
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_REST_OF_LINE = "\x1b[K";
const CLEAR_REST = "\x1b[J";
const [INVERSE, PLAIN] = ["\x1b[7m", "\x1b[m"];

/** Signals that would leave the screen as it is, or that change it. */
const SUSPEND: Deno.Signal = "SIGTSTP";
const RESIZE: Deno.Signal = "SIGWINCH";

export class Screen implements Disposable {
  readonly #encoder = new TextEncoder();
  readonly #keyboard = Deno.stdin.isTerminal();
  /** Resolved, and made anew, when a key was pressed or the size has changed. */
  #event = Promise.withResolvers<string>();
  readonly #resized = () => this.#event.resolve("resize");
  readonly #ignore = () => {};

  constructor() {
    Deno.addSignalListener(RESIZE, this.#resized);
    Deno.addSignalListener(SUSPEND, this.#ignore);
    this.#write(ENTER);
    if (!this.#keyboard) return;
    Deno.stdin.setRaw(true, { cbreak: true }); // Ctrl-C stays a signal
    void this.#readKeys();
  }

  get size(): { columns: number; rows: number } {
    return Deno.consoleSize();
  }

  /** Shows `lines`, of which the one at index `heading` stands out, cut off where the screen ends: in one piece, so that nothing flickers. */
  draw(lines: readonly string[], heading = -1): void {
    const { columns, rows } = this.size;
    const drawn = lines.slice(0, rows).map((line, index) => {
      const text = [...line].slice(0, columns).join("");
      return index === heading && !Deno.noColor ? `${INVERSE}${text.padEnd(columns)}${PLAIN}` : text;
    });
    this.#write(HOME + drawn.map((line) => line + CLEAR_REST_OF_LINE).join("\r\n") + CLEAR_REST);
  }

  /** Waits for a key, which it returns, for a change of the size (`resize`), for `ms` to pass or for `signal` (both ``). */
  async pause(ms: number, signal: AbortSignal): Promise<string> {
    const done = Promise.withResolvers<string>();
    const end = () => done.resolve("");
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    try {
      return await Promise.race([this.#event.promise, done.promise]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      this.#event = Promise.withResolvers();
    }
  }

  async #readKeys(): Promise<void> {
    const buffer = new Uint8Array(16);
    // Ends with the terminal; a read that waits when the screen is left ends with the process.
    for (let n; (n = await Deno.stdin.read(buffer).catch(() => null)) !== null;) {
      this.#event.resolve(new TextDecoder().decode(buffer.subarray(0, n)));
    }
  }

  #write(text: string): void {
    const octets = this.#encoder.encode(text);
    for (let done = 0; done < octets.length;) done += Deno.stdout.writeSync(octets.subarray(done));
  }

  [Symbol.dispose](): void {
    if (this.#keyboard) Deno.stdin.setRaw(false);
    this.#write(LEAVE);
    Deno.removeSignalListener(SUSPEND, this.#ignore);
    Deno.removeSignalListener(RESIZE, this.#resized);
  }
}
