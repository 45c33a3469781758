// SPDX-License-Identifier: MIT
/** Reads and creates trace files. */
import { XsndError } from "../base/error.ts";
import { fileError } from "../base/file_error.ts";
import { inputName, outputName, STANDARD } from "../base/standard_file.ts";
import { readWhole } from "../base/text_file.ts";
import { decodeTrace, type TraceFile, TraceFormatError, type TraceHead } from "./trace_format.ts";

/** Records take several times as much memory as their file: those of a larger file would not fit. */
const MOST_OCTETS = 1 << 30;

/**
 * Reads the trace at `path`; `-` is standard input. Throws {@link XsndError} if the file cannot be read, or is no trace.
 *
 * @example
 * ```ts
 * import { encodeHead, readTrace } from "@xsnd/xsnd/trace";
 * import assert from "node:assert/strict";
 *
 * const head = {
 *   stream: "domU/0/0/0",
 *   domid: 1,
 *   type: "playback",
 *   device: "hw:0,0",
 *   uniqueId: "speakers",
 *   xsnd: "0.1.0",
 *   startedAt: "2026-01-01T00:00:00.000Z",
 *   state: "closed",
 * } as const;
 * const path = await Deno.makeTempFile({ suffix: ".trace" });
 * await Deno.writeFile(path, encodeHead(head));
 * assert.equal(readTrace(path).head.device, "hw:0,0");
 * await Deno.remove(path);
 * ```
 */
export function readTrace(path: string): TraceFile {
  const octets = readWhole(path, { what: "trace", most: MOST_OCTETS });
  try {
    return decodeTrace(octets);
  } catch (error) {
    if (!(error instanceof TraceFormatError)) throw error;
    throw new XsndError(
      `cannot read trace ${inputName(path)}: ${error.message}; \`xsnd trace record\` makes traces`,
    );
  }
}

/** The name of a file for the trace with this head: `domU-0-0-0-20260101T000000Z.trace`. */
export function traceName({ stream, startedAt }: TraceHead): string {
  const time = startedAt.replace(/\.\d+/, "").replaceAll(/[-:]/g, "");
  // A domain may be called anything.
  return `${stream.replaceAll(/[^A-Za-z0-9._]/g, "-").replace(/^[-.]/, "_")}-${time}.trace`;
}

/** As {@link createFile}, with `-2`, `-3`, ... before the ending if there is such a file already. Returns the path, too. */
export function createNew(name: string): { path: string; append: ReturnType<typeof createFile> } {
  for (let number = 1;; number++) {
    const path = number === 1 ? name : name.replace(/(?=\.[^.]*$)/, `-${number}`);
    try {
      Deno.openSync(path, { write: true, createNew: true }).close();
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) continue;
      throw fileError("write", path, error);
    }
    return { path, append: createFile(path) };
  }
}

/**
 * Creates or empties the file at `path`, and returns a function that appends to it; `-` is standard output. Both throw
 * {@link XsndError}. The function throws BrokenPipe if the reader of standard output is gone.
 */
export function createFile(path: string): ((octets: Uint8Array) => void) & Disposable {
  try {
    const file = path === STANDARD ? Deno.stdout : Deno.createSync(path);
    const append = (octets: Uint8Array) => {
      try {
        for (let done = 0; done < octets.length;) done += file.writeSync(octets.subarray(done));
      } catch (error) {
        if (path === STANDARD && error instanceof Deno.errors.BrokenPipe) throw error;
        throw fileError("write", outputName(path), error);
      }
    };
    const close = () => path === STANDARD ? undefined : file.close();
    return Object.assign(append, { [Symbol.dispose]: close });
  } catch (error) {
    throw fileError("write", path, error);
  }
}
