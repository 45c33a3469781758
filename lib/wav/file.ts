/** Sequential files for the readers and writers here, with errors that name the file and what became of it. */
import { Exit, XsndError } from "../error.ts";

function explain(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file or directory";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  return error instanceof Error ? error.message : String(error);
}

/** An XsndError for a system call on `path` that failed. */
export function fileError(attempt: string, path: string, cause: unknown): XsndError {
  const exitCode = cause instanceof Deno.errors.PermissionDenied ? Exit.permission : Exit.failed;
  return new XsndError(`cannot ${attempt} ${path}: ${explain(cause)}`, exitCode, { cause });
}

/** A file read from front to back; pipes will do. */
export class InputFile implements Disposable {
  readonly #file: Deno.FsFile;
  /** Octets of the whole file; undefined for a pipe or a device. */
  readonly size: number | undefined;
  #position = 0;

  constructor(readonly path: string) {
    try {
      this.#file = Deno.openSync(path);
    } catch (error) {
      throw fileError("open", path, error);
    }
    const info = this.#file.statSync();
    if (info.isDirectory) {
      this.#file.close();
      throw fileError("read", path, new Deno.errors.IsADirectory());
    }
    this.size = info.isFile ? info.size : undefined;
  }

  /** Octets read so far. */
  get position(): number {
    return this.#position;
  }

  /** Fills `into`, unless the file ends first; returns the number of octets. */
  read(into: Uint8Array): number {
    let filled = 0;
    while (filled < into.length) {
      const count = this.#readSome(into.subarray(filled));
      if (count === null) break;
      filled += count;
    }
    this.#position += filled;
    return filled;
  }

  #readSome(into: Uint8Array): number | null {
    try {
      return this.#file.readSync(into);
    } catch (error) {
      throw fileError("read", this.path, error);
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** A file written from front to back, whose front can be mended if it is a regular file. */
export class OutputFile implements Disposable {
  readonly #file: Deno.FsFile;
  /** Whether {@link overwrite} can do anything: not on a pipe or a device. */
  readonly seekable: boolean;

  /** Makes `path`, or empties it. */
  constructor(readonly path: string) {
    try {
      this.#file = Deno.openSync(path, { write: true, create: true, truncate: true });
    } catch (error) {
      throw fileError("create", path, error);
    }
    this.seekable = this.#file.statSync().isFile;
  }

  /** Appends all of `octets`. */
  write(octets: Uint8Array): void {
    try {
      for (let done = 0; done < octets.length;) done += this.#file.writeSync(octets.subarray(done));
    } catch (error) {
      throw fileError("write", this.path, error);
    }
  }

  /** Replaces what is at octet `offset`, and goes back to the end. */
  overwrite(offset: number, octets: Uint8Array): void {
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    this.write(octets);
    this.#file.seekSync(0, Deno.SeekMode.End);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}
