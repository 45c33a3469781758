// SPDX-License-Identifier: MIT
/** Reads whole files that an operator names, up to a size, and decodes UTF-8. */
import { fileError } from "./file_error.ts";
import { Exit, type ExitCode, XsndError } from "./error.ts";
import { inputName, STANDARD } from "./standard_file.ts";

/** Deno refuses to open this path; the process has the file open as stdin. */
const STDIN = "/dev/stdin";
const CHUNK_OCTETS = 1 << 16;

export interface ReadOptions {
  /** The kind of file, for messages: "the configuration". */
  readonly what: string;
  /** The most octets of such a file. A larger file is not read to its end. */
  readonly most: number;
  readonly exitCode?: ExitCode;
}

/** All octets of a file, a pipe or standard input. Throws {@link XsndError} if reading fails or the file is too large. */
export function readWhole(path: string, options: ReadOptions): Uint8Array<ArrayBuffer> {
  const octets = readBeginning(path, options);
  const { what, most, exitCode = Exit.failed } = options;
  if (octets.length <= most) return octets;
  throw new XsndError(`${inputName(path)} has more than ${most} octets: too many for ${what}`, exitCode);
}

/** All octets of a file with at most `most` octets; of a larger file, its first octets, more than `most`. Throws {@link XsndError}. */
export function readBeginning(
  path: string,
  { what, most, exitCode = Exit.failed }: ReadOptions,
): Uint8Array<ArrayBuffer> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    using file = path === STANDARD || path === STDIN ? undefined : Deno.openSync(path);
    const source = file ?? Deno.stdin;
    while (total <= most) {
      const chunk = new Uint8Array(CHUNK_OCTETS);
      const octets = source.readSync(chunk);
      if (octets === null) break;
      total += octets;
      chunks.push(chunk.subarray(0, octets));
    }
  } catch (error) {
    throw fileError(`read ${what}`, inputName(path), error, exitCode);
  }
  const whole = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** Throws {@link XsndError} if `path` is not a regular file. For callers that must not block: opening a pipe waits for its writer. */
export function requireRegular(path: string, what: string, exitCode: ExitCode = Exit.failed): void {
  try {
    if (Deno.statSync(path).isFile) return;
  } catch (error) {
    throw fileError(`read ${what}`, path, error, exitCode);
  }
  throw new XsndError(
    `cannot read ${what} ${path}: it is not a regular file, and could block the daemon`,
    exitCode,
  );
}

/** The first octet of a text that is not UTF-8. */
export class NotUtf8 extends Error {
  override name = "NotUtf8";
  /** `line` and `column` count from 1, the column in UTF-16 units. */
  constructor(readonly octet: number, readonly line: number, readonly column: number) {
    super(`octet 0x${octet.toString(16).padStart(2, "0")} is not UTF-8`);
  }
}

/** Decodes UTF-8, and keeps a byte order mark. Throws {@link NotUtf8}. */
export function decodeText(octets: Uint8Array<ArrayBuffer>): string {
  const whole = decoded(octets, false);
  if (whole !== undefined) return whole;
  // Bisection: the longest prefix that decodes, possibly ending within a character, ends at the wrong octet.
  let [right, wrong] = [0, octets.length + 1];
  while (wrong - right > 1) {
    const middle = (right + wrong) >> 1;
    if (decoded(octets.subarray(0, middle), true) !== undefined) right = middle;
    else wrong = middle;
  }
  const text = decoded(octets.subarray(0, right), true)!;
  // The text does not decode, so a wrong or incomplete character follows the prefix.
  const octet = octets[new TextEncoder().encode(text).length]!;
  // Editors do not count the byte order mark.
  const shown = text.replace(/^\ufeff/, "");
  throw new NotUtf8(octet, shown.split("\n").length, shown.length - shown.lastIndexOf("\n"));
}

/** The decoded text, or undefined if the octets are not UTF-8. With `stream`, the octets may end within a character. */
function decoded(octets: Uint8Array<ArrayBuffer>, stream: boolean): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets, { stream });
  } catch {
    return undefined;
  }
}
