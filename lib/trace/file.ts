/** Trace files by their path. */
import { Exit, XsndError } from "../error.ts";
import { decodeTrace, type TraceFile, TraceFormatError } from "./format.ts";

/** Reads the trace at `path`. Throws {@link XsndError}. */
export function readTrace(path: string): TraceFile {
  try {
    return decodeTrace(Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof TraceFormatError) {
      throw new XsndError(`cannot read trace ${path}: ${error.message}; \`xsnd trace record\` makes traces`);
    }
    throw fileError(`cannot read trace ${path}`, error);
  }
}

/** Makes the file at `path`, or empties it, and returns how to append to it. Throws {@link XsndError}. */
export function createFile(path: string): ((octets: Uint8Array) => void) & Disposable {
  try {
    const file = Deno.createSync(path);
    const append = (octets: Uint8Array) => {
      try {
        for (let done = 0; done < octets.length;) done += file.writeSync(octets.subarray(done));
      } catch (error) {
        throw fileError(`cannot write ${path}`, error);
      }
    };
    return Object.assign(append, { [Symbol.dispose]: () => file.close() });
  } catch (error) {
    throw fileError(`cannot write ${path}`, error);
  }
}

function fileError(what: string, error: unknown): unknown {
  const isSystems = error instanceof Error && "code" in error;
  if (error instanceof Deno.errors.PermissionDenied) {
    return new XsndError(`${what}: permission denied`, Exit.permission, { cause: error });
  }
  return isSystems ? new XsndError(`${what}: ${error.message}`, Exit.failed, { cause: error }) : error;
}
