/** Sequential files for the readers and writers here, with errors that name the file and what became of it. */
import { Exit, XsndError } from "../error.ts";

function explain(path: string, error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file or directory";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  if (error instanceof Deno.errors.NotCapable) {
    return /^\/(dev|proc|sys)\//.test(path)
      ? "Deno lets xsnd open no devices; - is standard input or output"
      : "`xsnd serve` may write in its own directory alone, and in those that XSND_FILES names when it is started";
  }
  return error instanceof Error ? error.message : String(error);
}

/** An XsndError for a system call on `path` that failed. */
export function fileError(attempt: string, path: string, cause: unknown): XsndError {
  const exitCode = cause instanceof Deno.errors.PermissionDenied ? Exit.permission : Exit.failed;
  return new XsndError(`cannot ${attempt} ${path}: ${explain(path, cause)}`, exitCode, { cause });
}

/** The path that stands for standard input or output. */
const STANDARD = "-";

/** A file read from front to back; pipes will do, and `-` is standard input. */
export class InputFile implements Disposable {
  /** What messages call it. */
  readonly name: string;
  readonly #file: Pick<Deno.FsFile, "readSync" | "close">;
  /** Octets of the whole file; undefined for a pipe or a device. */
  readonly size: number | undefined;
  #position = 0;

  constructor(path: string) {
    this.name = path === STANDARD ? "standard input" : path;
    if (path === STANDARD) {
      this.#file = Deno.stdin;
      return;
    }
    const file = open("open", path, { read: true });
    this.#file = file;
    const info = file.statSync();
    if (info.isDirectory) {
      file.close();
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
      throw fileError("read", this.name, error);
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** A file written from front to back, whose front can be mended if it is a regular file; `-` is standard output. */
export class OutputFile implements Disposable {
  readonly name: string;
  readonly #file: Pick<Deno.FsFile, "writeSync" | "close">;
  /** The same, if it is a regular file. */
  readonly #regular: Deno.FsFile | undefined;

  /** Makes `path`, or empties it. */
  constructor(path: string) {
    this.name = path === STANDARD ? "standard output" : path;
    if (path === STANDARD) {
      this.#file = Deno.stdout;
      return;
    }
    const file = open("create", path, { write: true, create: true, truncate: true });
    this.#file = file;
    if (file.statSync().isFile) this.#regular = file;
  }

  /** Whether {@link overwrite} is possible: not on a pipe or a device. */
  get seekable(): boolean {
    return this.#regular !== undefined;
  }

  /** Appends all of `octets`. */
  write(octets: Uint8Array): void {
    try {
      for (let done = 0; done < octets.length;) done += this.#file.writeSync(octets.subarray(done));
    } catch (error) {
      throw fileError("write", this.name, error);
    }
  }

  /** Replaces what is at octet `offset` of a seekable file, and goes back to the end. */
  overwrite(offset: number, octets: Uint8Array): void {
    if (this.#regular === undefined) {
      throw new TypeError(`${this.name} cannot be written anywhere but at its end`);
    }
    this.#regular.seekSync(offset, Deno.SeekMode.Start);
    this.write(octets);
    this.#regular.seekSync(0, Deno.SeekMode.End);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

function open(attempt: string, path: string, options: Deno.OpenOptions): Deno.FsFile {
  try {
    return Deno.openSync(path, options);
  } catch (error) {
    throw fileError(attempt, path, error);
  }
}
