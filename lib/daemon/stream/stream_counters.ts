// SPDX-License-Identifier: MIT
/**
 * What a stream's rows say: its state now, its counters over all connections, and whether its guest records. The engine writes the
 * row of the connection; a connection that ends adds its row to the past.
 */
import type { StatusRow } from "../../bridge/stream_status.ts";
import type { KeptSettings } from "../../stream/operator_settings.ts";
import { STREAM_STATES } from "../../stream/stream_state.ts";
import type { StreamPolicy } from "../../vsnd/model/card.ts";
import type { StreamConnection } from "./stream_connection.ts";
import { newRow } from "./totals.ts";

/** The stream that is counted. */
interface CountedStream {
  readonly policy: StreamPolicy;
  readonly settings: KeptSettings;
  readonly connection: StreamConnection | undefined;
}

export class StreamCounters {
  /** Rows of connections that the engine has yet to let go of. */
  readonly #leaving = new Set<StatusRow>();

  /** @param past counters of the connections that have ended */
  constructor(private readonly stream: CountedStream, private readonly past: StatusRow) {}

  /** The stream is not connected any more, but the engine still writes to `row`. */
  leave(row: StatusRow): void {
    this.#leaving.add(row);
  }

  /** The engine has let go: `row` is about to be cleared. */
  hasLeft(row: StatusRow): void {
    this.#leaving.delete(row);
    this.past.addAll(row);
  }

  /** The row of the stream's connection, if it has one, with its states by name. The counters are those of {@link totals}. */
  snapshot() {
    const row = this.stream.connection?.row.snapshot() ?? { state: "detached" };
    // The operator's hold, also while an engine hangs that has yet to obey.
    return { ...row, hold: this.stream.settings.hold, ...this.totals().counts() };
  }

  /** Counters and durations of all connections since this daemon serves the card. */
  totals(): StatusRow {
    const totals = newRow();
    for (const row of this.#rows()) totals.addAll(row);
    return totals;
  }

  /** How often the device was started, over all connections. */
  get starts(): number {
    return this.#total("starts");
  }

  /** The requests that the guest has sent, over all connections. */
  get requests(): number {
    return this.#total("requests");
  }

  /** Whether a guest that starts the stream now records a device: it is neither denied, muted nor held. */
  get mayRecord(): boolean {
    const { policy: { type, denied }, settings: { hold, muted } } = this.stream;
    return type === "capture" && !denied && !muted && hold === "none";
  }

  /** Whether the guest records a device at this moment. */
  get isRecording(): boolean {
    const row = this.stream.connection?.row;
    if (row === undefined || !this.mayRecord) return false;
    return STREAM_STATES[row.get("state")] === "running" && row.get("cardLost") === 0;
  }

  #total(counter: "starts" | "requests"): number {
    return this.#rows().reduce((total, row) => total + row.get(counter), 0);
  }

  #rows(): StatusRow[] {
    const row = this.stream.connection?.row;
    return [this.past, ...this.#leaving, ...(row === undefined ? [] : [row])];
  }
}
