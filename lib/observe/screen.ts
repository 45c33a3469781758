// SPDX-License-Identifier: MIT
/**
 * Draws full-screen views on the terminal's alternate screen, and reads keys. Disposing restores the terminal with its former
 * content.
 */

import { libc, SIGACTION_OCTETS, SIGTSTP } from "../../ffi/libc/libc.ts";

const ENTER = "\x1b[?1049h\x1b[?25l"; // alternate screen, no cursor
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_REST_OF_LINE = "\x1b[K";
const CLEAR_REST = "\x1b[J";
const [INVERSE, HEADING, PLAIN] = ["\x1b[7m", "\x1b[1;4m", "\x1b[m"];

/** Ctrl-Z: the shell gets its own screen before the process stops. SIGWINCH reports a new size. */
const SUSPEND: Deno.Signal = "SIGTSTP";
const RESIZE: Deno.Signal = "SIGWINCH";

/** Keys with names, by the characters that a terminal sends for them. */
const KEYS: Readonly<Record<string, string>> = {
  "\x1b[A": "up",
  "\x1bOA": "up",
  "\x1b[B": "down",
  "\x1bOB": "down",
  "\x1b[5~": "page-up",
  "\x1b[6~": "page-down",
  "\x1b[H": "home",
  "\x1bOH": "home",
  "\x1b[1~": "home",
  "\x1b[F": "end",
  "\x1bOF": "end",
  "\x1b[4~": "end",
  "\x1b": "escape",
  "\r": "enter",
  "\n": "enter",
  "\x7f": "backspace",
  "\b": "backspace",
};
// deno-lint-ignore no-control-regex
const KEY = /\x1b(?:\[[0-9;]*[~A-Za-z]|O[A-Z])?|[^\x1b]/gsu;

export class Screen implements Disposable {
  readonly #encoder = new TextEncoder();
  readonly #keyboard = Deno.stdin.isTerminal();
  /** Keys that were pressed, and changes of the size ("resize"), which {@link pause} has yet to return. */
  readonly #events: string[] = [];
  /** Resolves when there is an event. {@link pause} replaces it. */
  #event = Promise.withResolvers<void>();
  readonly #resized = () => this.#add("resize");
  readonly #suspended = () => this.#suspend();

  constructor() {
    Deno.addSignalListener(RESIZE, this.#resized);
    Deno.addSignalListener(SUSPEND, this.#suspended);
    this.#enter();
    if (this.#keyboard) void this.#readKeys();
  }

  #enter(): void {
    this.#write(ENTER);
    if (this.#keyboard) Deno.stdin.setRaw(true, { cbreak: true }); // Ctrl-C stays a signal
  }

  #leave(): void {
    if (this.#keyboard) Deno.stdin.setRaw(false);
    this.#write(LEAVE);
  }

  /**
   * Stops the process with the shell's screen, and goes on with this one when the shell says so (`fg`). The kernel does that, by SIGTSTP's
   * own action, and does nothing where no shell could go on with the process, as in `ssh -t HOST xsnd top`.
   */
  #suspend(): void {
    this.#leave();
    // All zero is SIG_DFL.
    const [own, former] = [new Uint8Array(SIGACTION_OCTETS), new Uint8Array(SIGACTION_OCTETS)];
    libc().sigaction(SIGTSTP, own, former);
    libc().raise(SIGTSTP);
    libc().sigaction(SIGTSTP, former, own);
    this.#enter();
    this.#add("resize");
  }

  /** A serial console says that it has no size. */
  get size(): { columns: number; rows: number } {
    const { columns, rows } = Deno.consoleSize();
    return { columns: columns || 80, rows: rows || 24 };
  }

  /**
   * Shows `lines`, cut at the screen's edges: the line at the index `heading` bold and underlined, the one at `selected` inverted. One
   * write draws everything, so that nothing flickers.
   */
  draw(lines: readonly string[], heading = -1, selected = -1): void {
    const { columns, rows } = this.size;
    const drawn = lines.slice(0, rows).map((line, index) => {
      const text = [...line].slice(0, columns).join("");
      // Also with NO_COLOR: without the mark nobody sees what is selected.
      if (index === selected) return `${INVERSE}${text.padEnd(columns)}${PLAIN}`;
      return index === heading && !Deno.noColor ? `${HEADING}${text.padEnd(columns)}${PLAIN}` : text;
    });
    this.#write(HOME + drawn.map((line) => line + CLEAR_REST_OF_LINE).join("\r\n") + CLEAR_REST);
  }

  /** Waits for an event. Returns the key that was pressed (a character, or a name: `up`, `page-down`, `escape`), "resize" for a new size, or "" after `ms` or when `signal` is aborted. */
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
    const buffer = new Uint8Array(256);
    // The loop ends with the terminal. A read that is pending when the screen is disposed of ends with the process.
    for (let n; (n = await Deno.stdin.read(buffer).catch(() => null)) !== null;) {
      // Somebody who types fast types several keys at once.
      const keys = new TextDecoder().decode(buffer.subarray(0, n)).match(KEY) ?? [];
      for (const key of keys) this.#add(KEYS[key] ?? key);
    }
  }

  #write(text: string): void {
    const octets = this.#encoder.encode(text);
    for (let done = 0; done < octets.length;) done += Deno.stdout.writeSync(octets.subarray(done));
  }

  [Symbol.dispose](): void {
    this.#leave();
    Deno.removeSignalListener(SUSPEND, this.#suspended);
    Deno.removeSignalListener(RESIZE, this.#resized);
  }
}
