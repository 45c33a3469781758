// SPDX-License-Identifier: MIT
/**
 * A stream's life, as the guest's requests and the operator drive it.
 *
 *                   OPEN            opened           START
 *        closed ───────────▶ opening ─────▶ prepared ─────▶ running ◀─╮
 *          ▲                                  ▲  ▲            │ │     │ RESUME
 *          │            CLOSE                 │  ╰─── STOP ───╯ ╰────▶ paused
 *          ╰─ (from any state) ───────────────┴────── STOP ──────────╯   (PAUSE)
 *
 * A second OPEN without a CLOSE is an implicit close (snd_xen_front does that when hw_params is called twice). The
 * operator's hold is apart from all this: it stops the card under a stream that the guest believes to be running.
 */

export const STREAM_STATES = ["detached", "closed", "opening", "prepared", "running", "paused"] as const;
/** One of {@link STREAM_STATES}. */
export type StreamState = typeof STREAM_STATES[number];

/** XENSND_OP_TRIGGER_* by value: 0 START, 1 PAUSE, 2 STOP, 3 RESUME. */
const TRIGGERS: Readonly<Record<StreamState, readonly (StreamState | undefined)[]>> = {
  detached: [undefined, undefined, undefined, undefined],
  closed: [undefined, undefined, undefined, undefined],
  opening: [undefined, undefined, undefined, undefined],
  prepared: ["running", undefined, "prepared", undefined],
  running: ["running", "paused", "prepared", "running"],
  paused: ["running", "paused", "prepared", "running"],
};

/** The state that XENSND_OP_TRIGGER `type` leads to, or undefined if it has no business in `state`. */
export function afterTrigger(state: StreamState, type: number): StreamState | undefined {
  return TRIGGERS[state][type];
}

/** What an operator may do to a stream, whatever the guest does: `xsnd trigger`. */
export const HOLDS = ["none", "paused", "stopped"] as const;
/** One of {@link HOLDS}. */
export type Hold = typeof HOLDS[number];

/** What an operator may do to a stream. */
export const OPERATOR_TRIGGERS = ["start", "pause", "resume", "stop"] as const;
/** One of {@link OPERATOR_TRIGGERS}. */
export type OperatorTrigger = typeof OPERATOR_TRIGGERS[number];

/** The hold that an operator's trigger leaves a stream in. */
export function afterOperatorTrigger(trigger: OperatorTrigger): Hold {
  return trigger === "pause" ? "paused" : trigger === "stop" ? "stopped" : "none";
}
