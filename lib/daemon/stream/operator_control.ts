// SPDX-License-Identifier: MIT
/** What an operator sets on a stream: volume, mute and hold. XenStore keeps each setting, and a connected stream obeys at once. */
import { getLogger } from "@logtape/logtape";
import { monotonicMs } from "../../../ffi/libc/monotonic.ts";
import { XsndError } from "../../base/error.ts";
import type { Changes } from "../../bridge/changes.ts";
import type { KeptSettings, OperatorSettings } from "../../stream/operator_settings.ts";
import { afterOperatorTrigger, type OperatorTrigger } from "../../stream/stream_state.ts";
import { isStoreLost, StoreError } from "../../xen/ports.ts";
import type { FirstSettings } from "../../vsnd/model/card.ts";
import type { OperatorNodes } from "../../vsnd/nodes/operator_nodes.ts";
import type { StreamConnection } from "./stream_connection.ts";

/** The stream that is operated. */
interface OperatedStream {
  readonly name: string;
  readonly isGivenUp: boolean;
  readonly connection: StreamConnection | undefined;
}

/** Pause after a mute could not be ended: XenStore is away or full, or the card is being made anew. */
const RETRY_MS = 1000;
/** The longest delay of a timer. */
const LONGEST_MS = 2 ** 31 - 1;

export class OperatorControl implements Disposable {
  #settings: KeptSettings;
  /** Ends the mute, or looks again. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The time of day at which the mute ends, for people. */
  #mutedUntil: string | undefined;
  /** Whether XenStore was lost in a write of settings: it may have those, and not the ones in force. */
  #isUnsure = false;

  /**
   * @param first what holds until an operator sets something
   * @param clock ms of CLOCK_MONOTONIC: the time of day can step
   */
  constructor(
    private readonly stream: OperatedStream,
    private readonly nodes: OperatorNodes,
    private readonly changes: Changes,
    first?: FirstSettings,
    private readonly clock: () => number = monotonicMs,
  ) {
    this.#settings = first === undefined ? nodes.read() : nodes.begin(first);
    this.#noteEnd();
  }

  get settings(): KeptSettings {
    return this.#settings;
  }

  /** The time of day at which the mute ends by itself, ISO 8601 in UTC; undefined if it does not. */
  get mutedUntil(): string | undefined {
    return this.#mutedUntil;
  }

  /**
   * Sets the hold that `trigger` leads to, for good; resolves when the device, if one is open, has obeyed. Throws StoreError,
   * TypeError for a stream that is given up, or XsndError for a card that is there no more, with nothing changed.
   */
  async trigger(trigger: OperatorTrigger): Promise<void> {
    const { stream } = this;
    if (stream.isGivenUp) throw new TypeError(`${stream.name} is not served any more`);
    const hold = afterOperatorTrigger(trigger);
    // A resume that ends no hold changes nothing that is kept.
    if (hold !== this.#settings.hold) this.#keep({ ...this.#settings, hold });
    const { connection } = stream;
    if (connection !== undefined) await connection.engine.setHold(connection.slot, hold);
    else this.changes.tell();
  }

  /**
   * Sets volume and mute, at once and for good; with `muteMs` the mute ends by itself after so many ms. Throws as {@link trigger}, with
   * nothing changed.
   */
  set(changes: Partial<OperatorSettings>, muteMs?: number): void {
    const { mutedUntil, ...former } = this.#settings;
    const until = changes.muted === undefined ? mutedUntil : muteMs && Math.round(this.clock() + muteMs);
    const settings = { ...former, ...changes, ...(until !== undefined && { mutedUntil: until }) };
    this.#keep(settings);
    if (until !== mutedUntil) this.#noteEnd();
    this.begin();
    const { connection } = this.stream;
    connection?.engine.post({ op: "settings", slot: connection.slot, settings });
    this.changes.tell();
  }

  /**
   * Has a mute end in its time. Without a daemon that time may have passed already. To be called when the stream begins to be served.
   */
  begin(): void {
    const { mutedUntil } = this.#settings;
    if (mutedUntil === undefined) this.#stopTimer();
    else this.#lookIn(Math.max(0, mutedUntil - this.clock()));
  }

  /** Once for each end, so that all reports have the same time. */
  #noteEnd(): void {
    const { mutedUntil } = this.#settings;
    this.#mutedUntil = mutedUntil === undefined
      ? undefined
      : new Date(Date.now() + mutedUntil - this.clock()).toISOString();
  }

  #lookIn(ms: number): void {
    this.#stopTimer();
    this.#timer = setTimeout(() => this.#endMute(), Math.min(ms, LONGEST_MS));
  }

  #endMute(): void {
    const { mutedUntil } = this.#settings;
    if (mutedUntil === undefined || this.stream.isGivenUp) return;
    if (this.clock() < mutedUntil) return this.begin();
    try {
      this.set({ muted: false });
    } catch (error) {
      if (!(error instanceof StoreError || error instanceof XsndError)) throw error;
      // That XenStore is lost is in the log already.
      if (!isStoreLost(error)) {
        const log = getLogger(["xsnd", "stream"]).with({ stream: this.stream.name });
        log.warn("its mute cannot end now, and the daemon tries again in a second: {reason}", {
          reason: error.message,
        });
      }
      this.#lookIn(RETRY_MS);
    }
  }

  /** To be called when the stream is given up. */
  [Symbol.dispose](): void {
    this.#stopTimer();
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Throws StoreError, or XsndError if the card is there no more. */
  #keep(settings: KeptSettings): void {
    if (!this.#write(settings)) {
      throw new XsndError(
        `nothing of ${this.stream.name} is changed: the toolstack has just removed its card, or put another one in its place; ` +
          "try again",
      );
    }
    this.#settings = settings;
  }

  #write(settings: KeptSettings): boolean {
    try {
      return this.nodes.write(settings);
    } catch (error) {
      if (isStoreLost(error)) this.#isUnsure = true;
      throw error;
    }
  }

  /** Writes the settings in force once more, if XenStore may have others. To be called when XenStore is there again. Throws StoreError. */
  keepAgain(): void {
    if (!this.#isUnsure) return;
    this.#write(this.#settings);
    this.#isUnsure = false;
  }
}
