// SPDX-License-Identifier: MIT
/** `serve --trace-on-xrun`: writes what the flight recorder has of a stream that has had an xrun to a file of its own. */
import { getLogger } from "@logtape/logtape";
import { fileError, fileProblem } from "../base/file_error.ts";
import { encodeHead, encodeRecords } from "../trace/trace_format.ts";
import { traceName } from "../trace/trace_file.ts";
import { judge } from "../trace/verdict.ts";
import type { StreamControl } from "./stream/stream_control.ts";
import { lastRecords } from "./trace_source.ts";

/** From an xrun to its trace, which also has what follows. */
const AFTER_MS = 2000;
/** What a trace has. A stream has no more than one trace in this time, and each of its xruns is in one. */
const SECONDS = 30;
/** The files that are kept: 60 MB at most. */
const MOST_FILES = 50;
const ENDING = ".xrun.trace";

export class XrunTraces implements Disposable {
  readonly #log = getLogger(["xsnd", "trace"]);
  /** Streams whose trace is due, and when it is written. */
  readonly #due = new Map<StreamControl, ReturnType<typeof setTimeout>>();
  /** When the last trace of a stream was written, ms. */
  readonly #written = new WeakMap<StreamControl, number>();
  #hasFailed = false;

  private constructor(private readonly directory: string) {}

  /** Makes the directory, if there is none. Throws {@link XsndError} if files cannot be written there. */
  static open(directory: string): XrunTraces {
    try {
      Deno.mkdirSync(directory, { recursive: true, mode: 0o750 });
      Deno.removeSync(Deno.makeTempFileSync({ dir: directory, suffix: ".part" }));
    } catch (error) {
      throw fileError("write traces in", directory, error);
    }
    return new XrunTraces(directory);
  }

  /** `stream` has had an xrun. */
  note(stream: StreamControl): void {
    if (this.#due.has(stream)) return;
    const since = performance.now() - (this.#written.get(stream) ?? -Infinity);
    const timer = setTimeout(() => this.#write(stream), Math.max(AFTER_MS, SECONDS * 1000 - since));
    Deno.unrefTimer(timer);
    this.#due.set(stream, timer);
  }

  async #write(stream: StreamControl): Promise<void> {
    this.#due.delete(stream);
    this.#written.set(stream, performance.now());
    const last = lastRecords(stream, SECONDS);
    if (last === undefined) return;
    const { head, records } = last;
    const path = `${this.directory}/${traceName(head).replace(/\.trace$/, ENDING)}`;
    const part = `${path}.part`;
    try {
      await Deno.writeFile(part, encodeHead(head));
      await Deno.writeFile(part, encodeRecords(records), { append: true });
      this.#makeRoom();
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

  /** Removes the oldest traces, so that one more may be there. */
  #makeRoom(): void {
    const names = Array.from(Deno.readDirSync(this.directory), ({ name }) => name)
      .filter((name) => name.endsWith(ENDING));
    const byTime = (name: string) => /-(\w+)\.xrun\.trace$/.exec(name)?.[1] ?? "";
    names.sort((a, b) => byTime(a).localeCompare(byTime(b)));
    for (const name of names.slice(0, 1 - MOST_FILES)) Deno.removeSync(`${this.directory}/${name}`);
  }

  [Symbol.dispose](): void {
    for (const timer of this.#due.values()) clearTimeout(timer);
  }
}
