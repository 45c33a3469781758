// SPDX-License-Identifier: MIT
/** Sequential files for the readers and writers of this folder, with errors that name the file and the failed action. */
import { XsndError } from "../base/error.ts";
import { fileError as plainError } from "../base/file_error.ts";
import { inputName, outputName, STANDARD } from "../base/standard_file.ts";

/** The XsndError for a failed system call on `path`. */
export function fileError(attempt: string, path: string, cause: unknown): XsndError {
  if (!(cause instanceof Deno.errors.NotCapable)) return plainError(attempt, path, cause);
  const why = /^\/(dev|proc|sys)\//.test(path)
    ? "Deno lets xsnd open no devices; - is standard input or output"
    : "`xsnd serve` may write in its own directory alone, and in those that XSND_FILES names when it is started";
  return new XsndError(`cannot ${attempt} ${path}: ${why}`, undefined, { cause });
}

/** A file or pipe that is read from front to back; `-` is standard input. */
export class InputFile implements Disposable {
  /** The file's name in messages. */
  readonly name: string;
  readonly #file: Pick<Deno.FsFile, "readSync" | "close">;
  /** The file, if it is a regular one. */
  readonly #regular: Deno.FsFile | undefined;
  /** Octets of the whole file; undefined for a pipe or a device. */
  readonly size: number | undefined;
  #position = 0;
  /** Octets that {@link peek} has read ahead. */
  #ahead: Uint8Array<ArrayBuffer> = new Uint8Array();

  constructor(path: string) {
    this.name = inputName(path);
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
    if (!info.isFile) return;
    this.#regular = file;
    this.size = info.size;
  }

  /** Octets read or skipped so far. */
  get position(): number {
    return this.#position;
  }

  /** Fills `into`, unless the file ends first; returns the number of octets. */
  read(into: Uint8Array): number {
    const ahead = Math.min(into.length, this.#ahead.length);
    into.set(this.#ahead.subarray(0, ahead));
    this.#ahead = this.#ahead.subarray(ahead);
    const read = ahead + this.#readAll(into.subarray(ahead));
    this.#position += read;
    return read;
  }

  /** The next `count` octets, or as many as exist. The position stays. */
  peek(count: number): Uint8Array {
    if (this.#ahead.length < count) {
      const ahead = new Uint8Array(count);
      ahead.set(this.#ahead);
      const read = this.#readAll(ahead.subarray(this.#ahead.length));
      this.#ahead = ahead.subarray(0, this.#ahead.length + read);
    }
    return this.#ahead.subarray(0, count);
  }

  /** Skips `count` octets, or as many as exist; returns how many. */
  skip(count: number): number {
    const ahead = Math.min(count, this.#ahead.length);
    this.#ahead = this.#ahead.subarray(ahead);
    const passed = ahead + this.#pass(count - ahead);
    this.#position += passed;
    return passed;
  }

  /** As {@link skip}, for octets that were not read ahead. */
  #pass(count: number): number {
    if (count === 0) return 0;
    if (this.#regular !== undefined) {
      const at = this.#regular.seekSync(0, Deno.SeekMode.Current);
      const passed = Math.max(0, Math.min(count, this.size! - at));
      this.#regular.seekSync(passed, Deno.SeekMode.Current);
      return passed;
    }
    const scratch = new Uint8Array(Math.min(count, 1 << 16));
    let passed = 0;
    while (passed < count) {
      const read = this.#readAll(scratch.subarray(0, Math.min(scratch.length, count - passed)));
      if (read === 0) break;
      passed += read;
    }
    return passed;
  }

  #readAll(into: Uint8Array): number {
    let filled = 0;
    while (filled < into.length) {
      const count = this.#readSome(into.subarray(filled));
      if (count === null) break;
      filled += count;
    }
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

/** A file or pipe that is written from front to back; `-` is standard output. A regular file's header can be overwritten. */
export class OutputFile implements Disposable {
  readonly name: string;
  readonly #file: Pick<Deno.FsFile, "writeSync" | "close">;
  /** The file, if it is a regular one. */
  readonly #regular: Deno.FsFile | undefined;

  /** Creates `path`, or empties an existing file. */
  constructor(path: string) {
    this.name = outputName(path);
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

  /** Replaces the octets at `offset` of a seekable file, and seeks to the end. */
  overwrite(offset: number, octets: Uint8Array): void {
    if (this.#regular === undefined) {
      throw new TypeError(`${this.name} can be written at its end alone`);
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
