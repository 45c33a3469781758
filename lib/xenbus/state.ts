// SPDX-License-Identifier: MIT
/**
 * XenBus states (`xen/io/xenbus.h`): reading a state, switching one's own, waiting for the other end's. The other end may have
 * written any text into its state node.
 */
import { Exit, XsndError } from "../base/error.ts";
import { type Store, StoreError, type StoreView } from "../xen/ports.ts";
import type { CardPaths } from "./paths.ts";
import { untilInStore } from "./until.ts";

/** `enum xenbus_state`, without the prefix. */
export const XenbusState = {
  Unknown: 0,
  Initialising: 1,
  InitWait: 2,
  Initialised: 3,
  Connected: 4,
  Closing: 5,
  Closed: 6,
  Reconfiguring: 7,
  Reconfigured: 8,
} as const;

export type XenbusState = typeof XenbusState[keyof typeof XenbusState];

const NAMES = new Map(Object.entries(XenbusState).map(([name, state]) => [state, name]));

/** The state's name without the prefix; `absent` for undefined, which stands for a missing node. */
export function stateName(state: XenbusState | undefined): string {
  return state === undefined ? "absent" : NAMES.get(state) ?? String(state);
}

/** Parses the value of a state node. Any text but one digit from 0 to 8 is Unknown. */
export function parseState(value: string): XenbusState {
  return /^[0-8]$/.test(value) ? Number(value) as XenbusState : XenbusState.Unknown;
}

/**
 * The state of the end whose directory is `device`; undefined without a state node. A node that its owner forbids us to read is
 * Unknown.
 */
export function readState(view: StoreView, device: string): XenbusState | undefined {
  try {
    const value = view.read(`${device}/state`);
    return value === undefined ? undefined : parseState(value);
  } catch (error) {
    if (error instanceof StoreError && error.code === "EACCES") return XenbusState.Unknown;
    throw error;
  }
}

/** The states of a card's two ends; undefined for an end without a state node. */
export interface CardStates {
  readonly frontend: XenbusState | undefined;
  readonly backend: XenbusState | undefined;
}

/** The states of both ends of the card at `paths`. */
export function readStates(view: StoreView, { frontend, backend }: CardPaths): CardStates {
  return { frontend: readState(view, frontend), backend: readState(view, backend) };
}

/**
 * Writes one's own state if the state node exists: a directory that the toolstack has just removed must not come back (Linux's
 * `__xenbus_switch_state` does the same). Returns whether that is so. Writes nothing if the node holds `state` already.
 * @param isOurs whether a device in the present state is the one to be switched, and none that the toolstack has put in its place
 * @param mirror another directory, whose state node, if it exists, gets the same state at the same time
 */
export function switchState(
  store: Store,
  device: string,
  state: XenbusState,
  isOurs: (present: XenbusState) => boolean = () => true,
  mirror?: string,
): boolean {
  return store.transaction((view) => {
    const present = view.read(`${device}/state`);
    if (present === undefined || !isOurs(parseState(present))) return false;
    if (present !== String(state)) view.write(`${device}/state`, String(state));
    const shown = mirror && view.read(`${mirror}/state`);
    if (shown !== undefined && shown !== String(state)) view.write(`${mirror}/state`, String(state));
    return true;
  });
}

/** {@link waitForState} ran out of time; `state` is the last state of the end at `device`. */
export class StateTimeoutError extends XsndError {
  override name = "StateTimeoutError";
  constructor(readonly device: string, readonly state: XenbusState | undefined, timeoutMs: number) {
    super(
      `waited ${timeoutMs / 1000} s for ${device}/state to change; the state is still ${stateName(state)}`,
      Exit.timedOut,
    );
  }
}

/**
 * Waits until `wanted` accepts the state of the end at `device`, where undefined stands for a missing node. Resolves to the
 * state. Throws {@link StateTimeoutError} after `timeoutMs`.
 */
export async function waitForState(
  store: Store,
  device: string,
  wanted: (state: XenbusState | undefined) => boolean,
  timeoutMs: number,
): Promise<XenbusState | undefined> {
  const look = () => {
    const state = readState(store, device);
    return wanted(state) ? { state } : undefined;
  };
  const found = await untilInStore(store, [`${device}/state`], look, timeoutMs);
  if (found === undefined) throw new StateTimeoutError(device, readState(store, device), timeoutMs);
  return found.state;
}
