// SPDX-License-Identifier: MIT
/** `serve --trace-on-xrun`: writes what the flight recorder has of a stream that has had an xrun to a file of its own. */
import { getLogger } from "@logtape/logtape";
import { fileError, fileProblem } from "../base/file_error.ts";
import { encodeHead, encodeRecords } from "../trace/trace_format.ts";
import { traceName } from "../trace/trace_file.ts";
import { judge } from "../trace/verdict.ts";
import type { StreamControl } from "./stream/stream_control.ts";
import { lastRecords } from "./trace_source.ts";

/** From an xrun to its trace, which also has what follows. A guest with many requests soon has older records written over. */
const AFTER_MS = 1000;
/** What a trace has, as far as the flight recorder goes back; and the least time between two traces of a stream. */
const SECONDS = 30;
/** The files that are kept: 65 MB at most. */
const MOST_FILES = 50;
const ENDING = ".xrun.trace";
const PART = ".part";

export class XrunTraces implements Disposable {
  readonly #log = getLogger(["xsnd", "trace"]);
  /** Streams whose trace is due, and when it is written. */
  readonly #due = new Map<StreamControl, ReturnType<typeof setTimeout>>();
  /** When the last trace of a stream was due, ms. */
  readonly #traced = new WeakMap<StreamControl, number>();
  /** One trace is written after the other: a stall of this host gives all streams an xrun at once. */
  #writing: Promise<void> = Promise.resolve();
  #hasFailed = false;

  private constructor(private readonly directory: string) {}

  /** Makes the directory, if there is none. Throws {@link XsndError} if files cannot be written there. */
  static open(directory: string): XrunTraces {
    try {
      Deno.mkdirSync(directory, { recursive: true, mode: 0o750 });
      Deno.removeSync(Deno.makeTempFileSync({ dir: directory, suffix: PART }));
    } catch (error) {
      throw fileError("write traces in", directory, error);
    }
    return new XrunTraces(directory);
  }

  /** `stream` has had an xrun. There is no more than one trace of a stream in {@link SECONDS}. */
  note(stream: StreamControl): void {
    const now = performance.now();
    if (now - (this.#traced.get(stream) ?? -Infinity) < SECONDS * 1000) return;
    this.#traced.set(stream, now);
    const timer = setTimeout(() => {
      this.#due.delete(stream);
      this.#writing = this.#writing.then(() => this.#write(stream));
    }, AFTER_MS);
    Deno.unrefTimer(timer);
    this.#due.set(stream, timer);
  }

  async #write(stream: StreamControl): Promise<void> {
    const last = lastRecords(stream, SECONDS);
    if (last === undefined) return;
    const { head, records } = last;
    const path = `${this.directory}/${traceName(head).replace(/\.trace$/, ENDING)}`;
    const part = `${path}${PART}`;
    try {
      await Deno.writeFile(part, encodeHead(head));
      await Deno.writeFile(part, encodeRecords(records), { append: true });
      this.#makeRoom(part);
      await Deno.rename(part, path);
      this.#hasFailed = false;
    } catch (error) {
      await Deno.remove(part).catch(() => {}); // It may not be there.
      if (!this.#hasFailed) {
        this.#log.warn("no trace of its xrun: {path}: {reason}", {
          stream: stream.name,
          path,
          reason: fileProblem(error),
        });
      }
      this.#hasFailed = true;
      return;
    }
    const { summary } = judge(head.type, records);
    this.#log.info("{summary}; {path} has the trace", { stream: stream.name, summary, path });
  }

  /**
   * Removes traces, so that the one in the file `part` may be there: the oldest of the stream that has most, lest one guest's traces
   * crowd out all others. Removes what a daemon has left half written that was killed.
   */
  #makeRoom(part: string): void {
    const streams = new Map<string, string[]>();
    let count = 0;
    for (const { name } of Deno.readDirSync(this.directory)) {
      const path = `${this.directory}/${name}`;
      if (name.endsWith(ENDING + PART) && path !== part) removeAnyway(path);
      const [, stream, time] = /^(.*)-(\w+)\.xrun\.trace$/.exec(name) ?? [];
      if (stream === undefined || time === undefined) continue;
      streams.set(stream, [...streams.get(stream) ?? [], time]);
      count++;
    }
    for (const times of streams.values()) times.sort();
    for (; count >= MOST_FILES; count--) {
      const [[stream, times]] = [...streams].sort(([, a], [, b]) =>
        b.length - a.length || a[0]!.localeCompare(b[0]!)
      ) as [[string, string[]]];
      removeAnyway(`${this.directory}/${stream}-${times.shift()}${ENDING}`);
    }
  }

  [Symbol.dispose](): void {
    for (const timer of this.#due.values()) clearTimeout(timer);
  }
}

/** Somebody else may have removed the file. */
function removeAnyway(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
