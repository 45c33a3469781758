// SPDX-License-Identifier: MIT
/** Lending the engine what answers queries, the main thread's end: `Queries` is the other. */
import type { RefinerDescriptor } from "../../pcm/refiner.ts";
import type { EngineClient } from "../engines/engine_client.ts";

/** How long queries must have stopped before the card is let go of that answered them: they come in bursts of some dozens. */
const IDLE_MS = 200;

export class QueryLoans {
  /** Number of the last loan. */
  #last = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Lends `refiner`, until queries stop, or {@link recall}. */
  lend(refiner: RefinerDescriptor, engine: EngineClient, slot: number): void {
    engine.post({ op: "refiner", slot, refiner, loan: ++this.#last });
    this.#recallWhenIdle(engine, slot);
  }

  /** Has the engine give back what it was lent, which it says when it has. */
  recall(engine: EngineClient, slot: number): void {
    engine.post({ op: "forget", slot, loan: this.#last });
  }

  /** Whether what was lent as `loan` is of no use any more, now that it is back: a later loan is of the same handle. */
  isLast(loan: number): boolean {
    return loan === this.#last;
  }

  /** The engine has let go of the stream, or is about to. */
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
