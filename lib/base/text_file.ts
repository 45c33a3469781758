// SPDX-License-Identifier: MIT
/** Files that an operator names, read as a whole. */
import { fileError } from "./file_error.ts";
import { Exit, type ExitCode, XsndError } from "./error.ts";

/** Deno opens it for nobody; this process has it open already. */
const STDIN = "/dev/stdin";
const CHUNK_OCTETS = 1 << 16;

export interface ReadOptions {
  /** For the message: "the configuration". */
  readonly what: string;
  /** The most octets that such a file has; what is larger is not read to its end. */
  readonly most: number;
  readonly exitCode?: ExitCode;
}

/** All octets of the file; a pipe and `/dev/stdin` will do. Throws {@link XsndError}. */
export function readWhole(path: string, options: ReadOptions): Uint8Array<ArrayBuffer> {
  const octets = readBeginning(path, options);
  const { what, most, exitCode = Exit.failed } = options;
  if (octets.length <= most) return octets;
  throw new XsndError(`${path} has more than ${most} octets: too many for ${what}`, exitCode);
}

/** The same; of a file with more than `most` octets the first ones, and not as many as there are. */
export function readBeginning(
  path: string,
  { what, most, exitCode = Exit.failed }: ReadOptions,
): Uint8Array<ArrayBuffer> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    using file = path === STDIN ? undefined : Deno.openSync(path);
    const source = file ?? Deno.stdin;
    while (total <= most) {
      const chunk = new Uint8Array(CHUNK_OCTETS);
      const octets = source.readSync(chunk);
      if (octets === null) break;
      total += octets;
      chunks.push(chunk.subarray(0, octets));
    }
  } catch (error) {
    throw fileError(`read ${what}`, path, error, exitCode);
  }
  const whole = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** For who must not wait: opening a pipe waits for its other end. Throws {@link XsndError} for what is no ordinary file. */
export function requireRegular(path: string, what: string, exitCode: ExitCode = Exit.failed): void {
  try {
    if (Deno.statSync(path).isFile) return;
  } catch (error) {
    throw fileError(`read ${what}`, path, error, exitCode);
  }
  throw new XsndError(
    `cannot read ${what} ${path}: it is no ordinary file, and might keep the daemon waiting`,
    exitCode,
  );
}

/** An octet that no UTF-8 has in its place. */
export class NotUtf8 extends Error {
  override name = "NotUtf8";
  /** `line` and `column` count from 1, the column in UTF-16 units. */
  constructor(readonly octet: number, readonly line: number, readonly column: number) {
    super(`octet 0x${octet.toString(16).padStart(2, "0")} is not UTF-8`);
  }
}

/** The text of octets in UTF-8, a byte order mark included. Throws {@link NotUtf8}. */
export function decodeText(octets: Uint8Array<ArrayBuffer>): string {
  const whole = decoded(octets, false);
  if (whole !== undefined) return whole;
  // A beginning of the text is right, or ends within a character; the longest such beginning ends where the text goes wrong.
  let [right, wrong] = [0, octets.length + 1];
  while (wrong - right > 1) {
    const middle = (right + wrong) >> 1;
    if (decoded(octets.subarray(0, middle), true) !== undefined) right = middle;
    else wrong = middle;
  }
  const text = decoded(octets.subarray(0, right), true)!;
  const octet = octets[new TextEncoder().encode(text).length];
  // Editors do not count the mark.
  const shown = text.replace(/^\ufeff/, "");
  throw new NotUtf8(octet, shown.split("\n").length, shown.length - shown.lastIndexOf("\n"));
}

/** Undefined if the octets are not UTF-8; `stream`: they may end within a character. */
function decoded(octets: Uint8Array<ArrayBuffer>, stream: boolean): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets, { stream });
  } catch {
    return undefined;
  }
}
