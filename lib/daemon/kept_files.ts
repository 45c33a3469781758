// SPDX-License-Identifier: MIT
/**
 * The files of open streams, by which the next daemon goes on with them: one for each stream, in a directory of this host's that lives
 * until the host's next start (/run). A stream whose file cannot be had is opened anew by its guest, as the log says once.
 */
import { getLogger } from "@logtape/logtape";
import { Errno } from "../../ffi/libc/failed_call.ts";
import { SharedFile, type SharedWords } from "../../ffi/libc/shared_file.ts";
import { KEPT_BYTES, KeptStream } from "../bridge/kept_stream.ts";
import type { Address } from "../bridge/messages.ts";
import { fileProblem } from "../base/file_error.ts";

/** DOMID-CARD-PCM-STREAM */
const FILE_NAME = /^(\d+)-\d+-\d+-\d+$/;

export class KeptFiles {
  readonly #log = getLogger(["xsnd", "kept"]);
  #hasFailed = false;

  constructor(private readonly directory: string) {}

  /**
   * Maps the file of the stream at `place`, CARD/PCM/STREAM, of a domain: a new one if there is none. Returns undefined if that fails.
   */
  open(domid: number, place: string): KeptFile | undefined {
    const name = `${domid}-${place.replaceAll("/", "-")}`;
    const path = `${this.directory}/${name}`;
    try {
      Deno.mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      using file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
      file.truncateSync(KEPT_BYTES);
      using shared = SharedFile.open(path);
      return shared && new KeptFile(shared.map(0, KEPT_BYTES), () => this.#remove(path));
    } catch (error) {
      if (!this.#hasFailed) {
        this.#log.warn("{path}: {reason}; after a restart of this daemon guests open their streams anew", {
          path,
          reason: error instanceof Errno ? error.message : fileProblem(error),
        });
      }
      this.#hasFailed = true;
      return undefined;
    }
  }

  /** Removes the files of domains that have gone, and nothing else that may be in the directory. */
  sweep(hasGone: (domid: number) => boolean): void {
    try {
      for (const { name } of Deno.readDirSync(this.directory)) {
        const domid = FILE_NAME.exec(name)?.[1];
        if (domid !== undefined && hasGone(Number(domid))) this.#remove(`${this.directory}/${name}`);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** What is left behind does no harm: a later daemon sees that the file is another domain's. */
  #remove(path: string): void {
    try {
      Deno.removeSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      this.#log.warn("{path} stays: {reason}", { path, reason: fileProblem(error) });
    }
  }
}

/** One stream's file, mapped. */
export class KeptFile implements Disposable {
  readonly stream: KeptStream;

  /** @param remove for a stream that is gone for good */
  constructor(private readonly mapping: SharedWords, readonly remove: () => void) {
    this.stream = new KeptStream(mapping.words.buffer);
  }

  get address(): Address {
    return String(Deno.UnsafePointer.value(this.mapping.address));
  }

  /** Unmaps the file, which stays. To be called when no engine uses the memory. */
  [Symbol.dispose](): void {
    this.mapping[Symbol.dispose]();
  }
}
