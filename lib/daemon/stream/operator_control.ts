// SPDX-License-Identifier: MIT
/** What an operator sets on a stream: volume, mute and hold. XenStore keeps each setting, and a connected stream obeys at once. */
import { XsndError } from "../../base/error.ts";
import type { Changes } from "../../bridge/changes.ts";
import type { KeptSettings, OperatorSettings } from "../../stream/operator_settings.ts";
import { afterOperatorTrigger, type OperatorTrigger } from "../../stream/stream_state.ts";
import { isStoreLost } from "../../xen/ports.ts";
import type { FirstSettings } from "../../vsnd/model/card.ts";
import type { OperatorNodes } from "../../vsnd/nodes/operator_nodes.ts";
import type { StreamConnection } from "./stream_connection.ts";

/** The stream that is operated. */
interface OperatedStream {
  readonly name: string;
  readonly isGivenUp: boolean;
  readonly connection: StreamConnection | undefined;
}

export class OperatorControl {
  #settings: KeptSettings;
  /** Whether XenStore was lost in a write of settings: it may have those, and not the ones in force. */
  #isUnsure = false;

  /** @param first what holds until an operator sets something */
  constructor(
    private readonly stream: OperatedStream,
    private readonly nodes: OperatorNodes,
    private readonly changes: Changes,
    first?: FirstSettings,
  ) {
    this.#settings = first === undefined ? nodes.read() : nodes.begin(first);
  }

  get settings(): KeptSettings {
    return this.#settings;
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

  /** Sets volume and mute, at once and for good. Throws as {@link trigger}, with nothing changed. */
  set(changes: Partial<OperatorSettings>): void {
    const settings = { ...this.#settings, ...changes };
    this.#keep(settings);
    const { connection } = this.stream;
    connection?.engine.post({ op: "settings", slot: connection.slot, settings });
    this.changes.tell();
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
