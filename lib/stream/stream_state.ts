// SPDX-License-Identifier: MIT
/**
 * The states of a stream, and the requests of the guest that lead from one to the next.
 *
 *                   OPEN            opened           START
 *        closed ───────────▶ opening ─────▶ prepared ─────▶ running ◀─╮
 *          ▲                                  ▲  ▲            │ │     │ RESUME
 *          │            CLOSE                 │  ╰─── STOP ───╯ ╰────▶ paused
 *          ╰─ (from any state) ───────────────┴────── STOP ──────────╯   (PAUSE)
 *
 * A second OPEN without a CLOSE is an implicit close (snd_xen_front sends that when hw_params is called twice). The operator's
 * hold is no state: it stops the device under a stream that the guest believes to be running.
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

/** The state that XENSND_OP_TRIGGER `type` leads to from `state`; undefined if the trigger, any number, is refused there. */
export function afterTrigger(state: StreamState, type: number): StreamState | undefined {
  return TRIGGERS[state][type];
}

/** The holds on a stream's device, whatever the guest does: set by `xsnd trigger`. */
export const HOLDS = ["none", "paused", "stopped"] as const;
/** One of {@link HOLDS}. */
export type Hold = typeof HOLDS[number];

/** What an operator may do to a stream. */
export const OPERATOR_TRIGGERS = ["start", "pause", "resume", "stop"] as const;
/** One of {@link OPERATOR_TRIGGERS}. */
export type OperatorTrigger = typeof OPERATOR_TRIGGERS[number];

/** The hold that an operator's trigger leads to. */
export function afterOperatorTrigger(trigger: OperatorTrigger): Hold {
  return trigger === "pause" ? "paused" : trigger === "stop" ? "stopped" : "none";
}
