// SPDX-License-Identifier: MIT
/** Logs each start and end of a guest's recording of a device. An operator's desktop can build an indicator on these lines. */
import { getLogger } from "@logtape/logtape";
import { RECORDINGS } from "../log/rate_limit.ts";
import { usedDevice } from "../vsnd/model/card.ts";
import type { Changes } from "../bridge/changes.ts";
import type { StreamControl } from "./stream/stream_control.ts";

/** The longest delay of setTimeout, ms. */
const LONG_MS = 2 ** 31 - 1;

/** A stream as the last look found it. */
interface Seen {
  /** When the recording began, by performance.now(); undefined: nothing is recorded. */
  since: number | undefined;
  starts: number;
}

export class CaptureLog {
  readonly #log = getLogger(RECORDINGS);
  readonly #seen = new Map<StreamControl, Seen>();

  constructor(private readonly streams: () => readonly StreamControl[]) {}

  /** Logs until `gone` is aborted. */
  async follow(changes: Changes, gone: AbortSignal): Promise<void> {
    while (!gone.aborted) await changes.until(() => this.look(), LONG_MS, gone);
  }

  /** Logs what has begun and ended since the last look. */
  look(): undefined {
    const present = new Set(this.streams().filter(({ policy }) => policy.type === "capture"));
    for (const stream of present) this.#lookAt(stream);
    for (const [stream, seen] of this.#seen) {
      if (present.has(stream)) continue;
      this.#ends(stream, seen);
      this.#seen.delete(stream);
    }
  }

  #lookAt(stream: StreamControl): void {
    const { isRecording, starts, mayRecord } = stream.counters;
    const seen = this.#seen.get(stream) ?? { since: undefined, starts };
    this.#seen.set(stream, seen);
    const device = usedDevice(stream.policy);
    if (isRecording && seen.since === undefined) {
      seen.since = performance.now();
      this.#log.info("its guest begins to record {device}", { stream: stream.name, device });
    } else if (!isRecording && seen.since !== undefined) {
      this.#ends(stream, seen);
    } else if (!isRecording && starts > seen.starts && mayRecord) {
      // A recording that began and ended between two looks is logged too.
      this.#log.info("its guest has recorded {device} for a moment", { stream: stream.name, device });
    }
    seen.starts = starts;
  }

  #ends(stream: StreamControl, seen: Seen): void {
    if (seen.since === undefined) return;
    const seconds = ((performance.now() - seen.since) / 1000).toFixed(1);
    seen.since = undefined;
    this.#log.info("its guest has ended recording, after {seconds} s", { stream: stream.name, seconds });
  }
}
