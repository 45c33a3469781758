// SPDX-License-Identifier: MIT
/** Lends the engine the refiner that answers parameter queries. This is the daemon's end; the engine's end is `Queries`. */
import type { RefinerDescriptor } from "../../pcm/refiner.ts";
import type { EngineClient } from "../engines/engine_client.ts";

/** How long queries must have stopped before the refiner is recalled. Queries come in bursts of some dozens. */
const IDLE_MS = 200;

export class QueryLoans {
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Lends `refiner` until queries stop, or {@link recall}. */
  lend(refiner: RefinerDescriptor, engine: EngineClient, slot: number): void {
    engine.post({ op: "refiner", slot, refiner });
    this.#recallWhenIdle(engine, slot);
  }

  /** Has the engine give the refiner back; the event "forgotten" says when. */
  recall(engine: EngineClient, slot: number): void {
    engine.post({ op: "forget", slot });
  }

  /** The engine lets go of the stream: nothing is recalled any more. */
  end(): void {
    clearTimeout(this.#timer);
  }

  #recallWhenIdle(engine: EngineClient, slot: number): void {
    clearTimeout(this.#timer);
    const queries = () => engine.status(slot).get("queries");
    const before = queries();
    this.#timer = setTimeout(() => {
      if (queries() === before) this.recall(engine, slot);
      else this.#recallWhenIdle(engine, slot);
    }, IDLE_MS);
  }
}
