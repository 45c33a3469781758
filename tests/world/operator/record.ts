// SPDX-License-Identifier: MIT
/** What operators have asked the daemon, and what has become of each request: what oracles judge the daemon by. */
import type { ControlRequest, StatusReport, StreamReport } from "../../../lib/control/protocol.ts";
import { Exit, XsndError } from "../../../lib/base/error.ts";
import type { Clock } from "../machine/clock.ts";
import type { Process } from "../machine/process.ts";
import type { CutKind, Plan } from "./plan.ts";

/** How a request ended, as the operator saw it. */
export type Outcome =
  /** The daemon has answered that the request is done. `report`: of the stream; undefined if the answer is another one. */
  | { readonly kind: "done"; readonly report?: StreamReport }
  /** The daemon has answered that it is not. */
  | { readonly kind: "refused"; readonly error: string; readonly exitCode: number }
  /** The operator has given the request up without an answer. */
  | { readonly kind: "cancelled"; readonly how: CutKind }
  /** The connection ended without an answer. */
  | { readonly kind: "broken" }
  /** Not all of the request's line was sent. */
  | { readonly kind: "unsent" };

/** A request. */
export class Asked {
  #outcome: Outcome | undefined;
  #endedAt = Infinity;

  /**
   * @param request a line that is no request as it is
   * @param sentAt when the client began to send it, µs: nothing of the request happens before
   * @param isRead whether the client reads the answer as soon as it comes
   */
  constructor(
    private readonly clock: Clock,
    readonly client: string,
    readonly request: ControlRequest | string,
    readonly sentAt: number,
    readonly isRead = true,
  ) {}

  /** Undefined while the client waits. */
  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  /** When the client knew the outcome; Infinity while it waits. */
  get endedAt(): number {
    return this.#endedAt;
  }

  /** Notes the outcome, unless there is one. */
  settle(outcome: Outcome): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    this.#endedAt = this.clock.now;
  }
}

/** The state of all streams as a client was told. */
export interface Observation {
  readonly report: StatusReport;
  /** The daemon made the report between these times, µs. */
  readonly from: number;
  readonly to: number;
}

/** Whoever is told what commands ask and see. */
export interface Observer {
  asks(asked: Asked): void;
  sees(observation: Observation): void;
}

/** How a command ended. */
export interface CommandEnd {
  readonly at: number;
  /** undefined: killed. */
  readonly exitCode: number | undefined;
  readonly error?: string;
}

/** A command that an operator has started. */
export interface CommandRecord {
  readonly name: string;
  readonly plan: Plan;
  readonly startedAt: number;
  /** In the order of their sending. */
  readonly asked: readonly Asked[];
  /** undefined while the command runs. */
  readonly end: CommandEnd | undefined;
}

/** Keeps what one command asks. */
export class Recorder {
  readonly asked: Asked[] = [];
  #cut: CutKind | undefined;

  constructor(private readonly process: Process, private readonly observer: Observer) {}

  /** A request whose sending begins now. */
  ask(request: ControlRequest | string, isRead = true): Asked {
    const { clock, name } = this.process;
    const asked = new Asked(clock, name, request, clock.now, isRead);
    this.asked.push(asked);
    this.observer.asks(asked);
    return asked;
  }

  /** Sends `request` by `call`, and notes the outcome. */
  async call<T>(request: ControlRequest, call: () => Promise<T>): Promise<T> {
    const asked = this.ask(request);
    try {
      const result = await call();
      this.answered(asked, result);
      return result;
    } catch (error) {
      this.failed(asked, error);
      throw error;
    }
  }

  /** Notes a result of `asked`. */
  answered(asked: Asked, result: unknown, from = asked.sentAt): void {
    if (isStatus(result)) {
      this.observer.sees({ report: result, from, to: this.process.clock.now });
      return asked.settle({ kind: "done" });
    }
    asked.settle(isStream(result) ? { kind: "done", report: result } : { kind: "done" });
  }

  /** Notes the error that `asked` ends with. */
  failed(asked: Asked, error: unknown): void {
    if (this.#cut !== undefined) return asked.settle({ kind: "cancelled", how: this.#cut });
    // A process that dies has its requests cancelled a moment later.
    if (this.process.isDead || !(error instanceof XsndError)) return;
    if (error.exitCode === Exit.noDaemon) return asked.settle({ kind: "broken" });
    asked.settle({ kind: "refused", error: error.message, exitCode: error.exitCode });
  }

  /** The command gives up what it waits for. */
  cut(how: CutKind): void {
    this.#cut ??= how;
    for (const asked of this.asked) asked.settle({ kind: "cancelled", how });
  }
}

function isStatus(result: unknown): result is StatusReport {
  return typeof result === "object" && result !== null && "streams" in result;
}

function isStream(result: unknown): result is StreamReport {
  return typeof result === "object" && result !== null && "hold" in result;
}
