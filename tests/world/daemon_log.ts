// SPDX-License-Identifier: MIT
/**
 * The log of a daemon: the program's own queue of lines, before a small pipe or a disk. The reader reads at once, or nothing for a while;
 * or the disk is full for a while. Each line comes, in its order, or is counted as lost.
 */
import { LineQueue, type Output } from "../../lib/log/line_queue.ts";
import type { Thread } from "./machine/process.ts";

/** Octets that the output and the queue hold. */
const [OUTPUT_BYTES, QUEUE_BYTES] = [2000, 4000];
/** No part of a line ends so. */
const END = " .";

const encoder = new TextEncoder();

class SmallOutput implements Output {
  readonly #decoder = new TextDecoder();
  /** Octets that nobody has read. */
  unread = 0;
  #part = "";
  state: "read" | "unread" | "full" = "read";

  constructor(private readonly thread: Thread, private readonly line: (text: string) => void) {}

  write(octets: Uint8Array<ArrayBuffer>): number {
    if (this.state === "full") throw new Error("No space left on device");
    const taken = this.state === "read" ? octets.length : Math.min(octets.length, OUTPUT_BYTES - this.unread);
    if (this.state === "unread") this.unread += taken;
    const [...lines] = (this.#part + this.#decoder.decode(octets.subarray(0, taken), { stream: true })).split(
      "\n",
    );
    this.#part = lines.pop()!;
    lines.forEach(this.line);
    return taken;
  }

  wait(timeoutMs: number): void {
    if (this.state !== "read") this.thread.spend(timeoutMs * 1000);
  }
}

export class DaemonLog implements Disposable {
  readonly #output: SmallOutput;
  readonly #queue: LineQueue;
  /** The number of the next line to be written, and of the next one to be read. */
  #written = 0;
  #next = 0;
  /** Since when the reader has read all the time, µs; undefined: it does not read. */
  #readSince: number | undefined = 0;
  /** After a full disk, the next line brings the number of those that were lost. */
  #waitsForLine = false;
  #problem: string | undefined;

  constructor(private readonly thread: Thread) {
    this.#output = new SmallOutput(thread, (line) => this.#read(line));
    this.#queue = new LineQueue(
      this.#output,
      (count) => encoder.encode(`lost ${count}${END}\n`),
      QUEUE_BYTES,
    );
  }

  /** To be called by the daemon's own thread. */
  push(text: string): void {
    if (this.#waitsForLine && this.#readSince !== undefined) {
      this.#waitsForLine = false;
      this.#readSince = this.thread.process.clock.now;
    }
    this.#queue.push(encoder.encode(`${this.#written++} ${text.replaceAll("\n", " ")}${END}\n`));
  }

  #read(line: string): void {
    if (!line.endsWith(END)) return; // The rest was lost.
    const [first, count] = line.split(" ");
    if (first === "lost") this.#next += Number(count);
    else if (Number(first) === this.#next) this.#next++;
    else this.#problem ??= `line ${first} of the log comes where line ${this.#next} was to come`;
  }

  /** For `micros` µs nobody reads, or the disk is full. Does nothing while that is so already. */
  fail(state: "unread" | "full", micros: number): void {
    if (this.#readSince === undefined) return;
    this.#output.state = state;
    this.#readSince = undefined;
    this.#waitsForLine ||= state === "full";
    const { clock } = this.thread.process;
    clock.after(micros, () => {
      this.#output.state = "read";
      this.#output.unread = 0;
      this.#readSince = clock.now;
    });
  }

  /** What is wrong; undefined: nothing. `patience`: µs in which the queue is written once there is a reader. */
  problem(patience: number): string | undefined {
    if (this.#problem !== undefined) return this.#problem;
    const since = this.#readSince;
    if (this.#next > this.#written) {
      return `${this.#next} lines of the log are read or lost, and ${this.#written} were written`;
    }
    if (since === undefined || this.#waitsForLine || this.#next === this.#written) return undefined;
    if (since + patience > this.thread.process.clock.now) return undefined;
    return `${this.#written - this.#next} lines of the log have not come, and are not counted`;
  }

  [Symbol.dispose](): void {
    this.#queue[Symbol.dispose]();
  }
}
