// SPDX-License-Identifier: MIT
/** The moments at which the daemon and its guests decide something. An event that is aimed at one happens right then. */
import { XENSND_FIELD_RING_REF } from "../../lib/sndif/mod.ts";

export const MOMENTS = [
  /** The frontend or the backend of a card writes its state. */
  "frontend",
  "backend",
  /** A driver publishes a ring. */
  "published",
  /** The daemon is about to connect a card: it asks XenStore whether it has heard of all changes. */
  "connecting",
  /** The daemon maps pages of a guest, or lets go of some. */
  "mapped",
  "unmapping",
  /** A guest signals the daemon: mostly of a request. */
  "signal",
  /** The daemon logs something. */
  "log",
  /** A device starts. */
  "started",
] as const;

export type Moment = typeof MOMENTS[number];

export class Moments {
  readonly #aims = new Map<Moment, (() => void)[]>();

  /** `shot` is called once, when `moment` comes next: in the midst of what happens then. */
  aim(moment: Moment, shot: () => void): void {
    const aims = this.#aims.get(moment);
    if (aims === undefined) this.#aims.set(moment, [shot]);
    else aims.push(shot);
  }

  came(moment: Moment): void {
    const aims = this.#aims.get(moment);
    if (aims === undefined) return;
    this.#aims.delete(moment);
    for (const shot of aims) shot();
  }

  /** To be called with the path of each node that changes. */
  nodeChanged(path: string): void {
    if (this.#aims.size === 0) return;
    const isFrontends = path.includes("/device/vsnd/");
    if (path.endsWith("/state")) {
      if (isFrontends) this.came("frontend");
      else if (path.includes("/backend/vsnd/")) this.came("backend");
    } else if (isFrontends && path.endsWith(`/${XENSND_FIELD_RING_REF}`)) this.came("published");
  }
}
