/** Texts for people. */

/** The text with control characters, which could drive a terminal, as escapes. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, escapeCharacter);
}

/** `\u001b` for the character that it stands for. */
export function escapeCharacter(character: string): string {
  return `\\u${character.codePointAt(0)!.toString(16).padStart(4, "0")}`;
}

/** `1 stream`, `2 streams`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
