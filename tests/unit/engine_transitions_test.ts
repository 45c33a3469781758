// SPDX-License-Identifier: MIT
/** Tests what guest and operator do to a stream, in every pair and any order: the device runs if both allow it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  afterOperatorTrigger,
  afterTrigger,
  type Hold,
  HOLDS,
  OPERATOR_TRIGGERS,
  type OperatorTrigger,
  STREAM_STATES,
  type StreamState,
} from "../../lib/stream/stream_state.ts";
import { XEN_EINVAL } from "../../lib/sndif/mod.ts";
import { EngineRig } from "./engine_rig.ts";

/** XENSND_OP_TRIGGER_* by value. */
const GUEST_TRIGGERS = ["START", "PAUSE", "STOP", "RESUME"] as const;
type Action = { guest: number } | { operator: OperatorTrigger };
const ACTIONS: readonly Action[] = [
  ...GUEST_TRIGGERS.map((_, guest) => ({ guest })),
  ...OPERATOR_TRIGGERS.map((operator) => ({ operator })),
];

/** A stream, and the state that the table of stream_state.ts expects of it. */
class Model implements Disposable {
  readonly #rig = new EngineRig();
  #state: StreamState = "prepared";
  #hold: Hold = "none";

  act(action: Action): void {
    const what = JSON.stringify({ ...action, state: this.#state, hold: this.#hold });
    if ("guest" in action) {
      const next = afterTrigger(this.#state, action.guest);
      assert.equal(this.#rig.trigger(action.guest), next === undefined ? -XEN_EINVAL : 0, what);
      this.#state = next ?? this.#state;
    } else {
      this.#hold = afterOperatorTrigger(action.operator);
      this.#rig.hold(this.#hold);
    }
    assert.equal(STREAM_STATES[this.#rig.status.get("state")], this.#state, what);
    assert.equal(HOLDS[this.#rig.status.get("hold")], this.#hold, what);
    assert.equal(this.#cardRuns(), this.#state === "running" && this.#hold === "none", what);
  }

  #cardRuns(): boolean {
    const pcm = this.#rig.stream.pcm!;
    const before = pcm.position();
    const until = performance.now() + 0.1; // 19 frames
    while (performance.now() < until) { /* the device runs on the machine's clock */ }
    return pcm.position() > before;
  }

  [Symbol.dispose](): void {
    this.#rig[Symbol.dispose]();
  }
}

Deno.test("every pair of a guest's and an operator's triggers, from every state, leaves what the table says", () => {
  for (const first of ACTIONS) {
    for (const second of ACTIONS) {
      for (const third of ACTIONS) {
        using model = new Model();
        for (const action of [{ guest: 0 }, first, second, third]) model.act(action);
      }
    }
  }
});

Deno.test("guest and operator may act in any order, for as long as they like", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...ACTIONS), { maxLength: 60 }), (actions) => {
      using model = new Model();
      for (const action of actions) model.act(action);
    }),
    { numRuns: 30 },
  );
});
