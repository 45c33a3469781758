// SPDX-License-Identifier: MIT
/**
 * Draws full-screen views on the terminal's alternate screen, and reads keys. Disposing restores the terminal with its former
 * content.
 */

const ENTER = "\x1b[?1049h\x1b[?25l"; // alternate screen, no cursor
const LEAVE = "\x1b[?25h\x1b[?1049l";
const ESCAPE = "\x1b";
const HOME = "\x1b[H";
const CLEAR_REST_OF_LINE = "\x1b[K";
const CLEAR_REST = "\x1b[J";
const [INVERSE, PLAIN] = ["\x1b[7m", "\x1b[m"];

/** SIGTSTP would leave the shell on the alternate screen, so the screen ignores it. SIGWINCH reports a new size. */
const SUSPEND: Deno.Signal = "SIGTSTP";
const RESIZE: Deno.Signal = "SIGWINCH";

export class Screen implements Disposable {
  readonly #encoder = new TextEncoder();
  readonly #keyboard = Deno.stdin.isTerminal();
  /** Keys that were pressed, and changes of the size ("resize"), which {@link pause} has yet to return. */
  readonly #events: string[] = [];
  /** Resolves when there is an event. {@link pause} replaces it. */
  #event = Promise.withResolvers<void>();
  readonly #resized = () => this.#add("resize");
  readonly #ignore = () => {};

  constructor() {
    Deno.addSignalListener(RESIZE, this.#resized);
    Deno.addSignalListener(SUSPEND, this.#ignore);
    this.#write(ENTER);
    if (!this.#keyboard) return;
    Deno.stdin.setRaw(true, { cbreak: true }); // Ctrl-C stays a signal
    void this.#readKeys();
  }

  /** A serial console says that it has no size. */
  get size(): { columns: number; rows: number } {
    const { columns, rows } = Deno.consoleSize();
    return { columns: columns || 80, rows: rows || 24 };
  }

  /** Shows `lines`, cut at the screen's edges, with the line at index `heading` inverted. One write draws everything, so that nothing flickers. */
  draw(lines: readonly string[], heading = -1): void {
    const { columns, rows } = this.size;
    const drawn = lines.slice(0, rows).map((line, index) => {
      const text = [...line].slice(0, columns).join("");
      return index === heading && !Deno.noColor ? `${INVERSE}${text.padEnd(columns)}${PLAIN}` : text;
    });
    this.#write(HOME + drawn.map((line) => line + CLEAR_REST_OF_LINE).join("\r\n") + CLEAR_REST);
  }

  /** Waits for an event. Returns the key that was pressed, "resize" for a new size, or "" after `ms` or when `signal` is aborted. */
  async pause(ms: number, signal: AbortSignal): Promise<string> {
    const done = Promise.withResolvers<void>();
    const end = () => done.resolve();
    if (this.#events.length > 0) return this.#events.shift()!;
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    try {
      await Promise.race([this.#event.promise, done.promise]);
      return this.#events.shift() ?? "";
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      this.#event = Promise.withResolvers();
    }
  }

  #add(event: string): void {
    this.#events.push(event);
    this.#event.resolve();
  }

  async #readKeys(): Promise<void> {
    const buffer = new Uint8Array(16);
    // The loop ends with the terminal. A read that is pending when the screen is disposed of ends with the process.
    for (let n; (n = await Deno.stdin.read(buffer).catch(() => null)) !== null;) {
      const text = new TextDecoder().decode(buffer.subarray(0, n));
      // A key with a name, such as an arrow, is a sequence of characters. Somebody who types fast types several keys at once.
      for (const key of text.startsWith(ESCAPE) ? [text] : text) this.#add(key);
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
