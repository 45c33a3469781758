// SPDX-License-Identifier: MIT
/** Sends the requests of a trace through a {@link StreamFrontend} at their times, and compares the responses. */
import { type Percentiles, percentiles } from "../base/percentiles.ts";
import {
  bufferPages,
  directoryPages,
  writePageDirectory,
  XENSND_OP_CLOSE,
  XENSND_OP_OPEN,
} from "../sndif/mod.ts";
import type { GrantSharer, SharedPages } from "../xen/ports.ts";
import type { StreamFrontend } from "./stream_frontend.ts";

/** A request of a trace. */
export interface ReplayStep {
  /** µs since the first request. */
  readonly time: number;
  readonly operation: number;
  /** The packet; the replayer replaces its id and its grant reference. */
  readonly packet: Uint8Array<ArrayBuffer>;
  /** OPEN: octets of the buffer to share; 0 if the recorded OPEN was refused. */
  readonly bufferBytes: number;
  /** The recorded status, if the trace has the response. */
  readonly status?: number;
}

export interface ReplayDifference {
  /** Index of the step. */
  readonly step: number;
  readonly recorded: number;
  readonly replayed: number;
}

export interface ReplayReport {
  readonly requests: number;
  /** Requests whose recorded status is known. */
  readonly compared: number;
  readonly differences: readonly ReplayDifference[];
  readonly seconds: number;
  /** From request to response, in µs, as a guest sees it. */
  readonly roundTripMicros: Percentiles;
}

/** Octets before `gref_directory` in a `struct xensnd_req` of OPEN. */
const GREF_DIRECTORY = 20;

/** Replays requests, `speed` times as fast as they were recorded, or as fast as the backend answers. */
export class Replayer implements Disposable {
  #shared: SharedPages[] = [];

  constructor(
    private readonly stream: StreamFrontend,
    private readonly sharer: GrantSharer,
    private readonly backendDomid: number,
  ) {}

  replay(steps: readonly ReplayStep[], speed: number): ReplayReport {
    const start = performance.now();
    const differences: ReplayDifference[] = [];
    const micros: number[] = [];
    let compared = 0;
    for (const [i, step] of steps.entries()) {
      this.#waitUntil(start + step.time / 1000 / speed);
      const sent = performance.now();
      const replayed = this.#send(step);
      micros.push((performance.now() - sent) * 1000);
      if (step.status === undefined) continue;
      compared++;
      if (replayed !== step.status) differences.push({ step: i, recorded: step.status, replayed });
    }
    const seconds = Math.round(performance.now() - start) / 1000;
    return { requests: steps.length, compared, differences, seconds, roundTripMicros: percentiles(micros) };
  }

  /** Takes events until `deadline`, as a driver does in its interrupt handler. */
  #waitUntil(deadline: number): void {
    for (let left = deadline - performance.now(); left > 0; left = deadline - performance.now()) {
      this.stream.waitForEvents(Math.ceil(left));
    }
  }

  #send({ operation, packet, bufferBytes }: ReplayStep): number {
    if (operation !== XENSND_OP_OPEN) {
      const status = this.stream.exchange(packet);
      if (operation === XENSND_OP_CLOSE) this.#free(this.#shared.splice(0));
      return status;
    }
    // The backend keeps the former buffer mapped until it sees the OPEN.
    const former = this.#shared.splice(0);
    const octets = packet.slice();
    new DataView(octets.buffer).setUint32(GREF_DIRECTORY, this.#share(bufferBytes), true);
    this.stream.pcmOpened();
    const status = this.stream.exchange(octets);
    this.#free(former);
    return status;
  }

  /** Shares a silent buffer, and returns the grant reference of its page directory; 0, no reference, for a buffer of 0 octets. */
  #share(bytes: number): number {
    if (bytes === 0) return 0;
    const pages = bufferPages(bytes);
    const buffer = this.sharer.share(this.backendDomid, pages, "write");
    this.#shared.push(buffer);
    const directory = this.sharer.share(this.backendDomid, directoryPages(pages), "write");
    this.#shared.push(directory);
    writePageDirectory(new Uint32Array(directory.buffer), directory.grefs, buffer.grefs);
    return directory.grefs[0]!; // a directory has at least one page
  }

  #free(shared: readonly SharedPages[]): void {
    for (const pages of shared) pages[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#free(this.#shared.splice(0));
  }
}
