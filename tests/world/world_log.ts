// SPDX-License-Identifier: MIT
/** What happens in a world, a line each, with the time. The digest of all lines tells whether two runs were the same. */

export class WorldLog {
  readonly lines: string[] = [];
  #low = 0x811c9dc5;
  #high = 0x01000193;

  /** @param now the time, µs */
  constructor(private readonly now: () => number) {}

  write(text: string): void {
    for (const part of text.split("\n")) {
      const line = `${stamp(this.now())} ${part}`;
      this.lines.push(line);
      for (let i = 0; i < line.length; i++) {
        this.#low = Math.imul(this.#low ^ line.charCodeAt(i), 0x01000193);
        this.#high = Math.imul(this.#high ^ line.charCodeAt(i), 0x85ebca6b) + 1 | 0;
      }
    }
  }

  /** 16 hexadecimal digits, which depend on every character. */
  get digest(): string {
    return [this.#high, this.#low].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

/** `  12.345678`, seconds. */
function stamp(micros: number): string {
  return (micros / 1e6).toFixed(6).padStart(12);
}
