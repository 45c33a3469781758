// SPDX-License-Identifier: MIT
/**
 * What an operator has set on a stream for good: it outlives the guest's connection and the daemon. Kept in the card's
 * backend directory, in nodes that the guest cannot read, and gone with the card.
 */
import type { Permission, Store } from "../xen/ports.ts";
import { type Hold, HOLDS } from "./stream_state.ts";
import { MAX_VOLUME, MIN_VOLUME } from "./volume_bounds.ts";

export interface OperatorSettings {
  /** In steps of 0.001 dB, on top of the guest's own. */
  readonly volume: number;
  readonly muted: boolean;
}

/** All that is kept of an operator's. */
export interface KeptSettings extends OperatorSettings {
  /** What `xsnd trigger` keeps the stream in. */
  readonly hold: Hold;
}

const UNTOUCHED: KeptSettings = { volume: 0, muted: false, hold: "none" };
const DIRECTORY = "operator";
const VOLUME = "volume";
const MUTED = "muted";
const HOLD = "hold";

/** Whether a stream can be given this volume. */
export function isVolume(volume: number): boolean {
  return Number.isInteger(volume) && volume >= MIN_VOLUME && volume <= MAX_VOLUME;
}

/** One stream's settings in XenStore. */
export class OperatorNodes {
  readonly #path: string;

  /** @param stream `0/0`, PCM and stream */
  constructor(private readonly store: Store, private readonly backendPath: string, stream: string) {
    this.#path = `${backendPath}/${DIRECTORY}/${stream}`;
  }

  /** What was set last; what is not there, or was spoilt by hand, is as if nobody had set it. Throws StoreError. */
  read(): KeptSettings {
    const volume = Number(this.store.read(`${this.#path}/${VOLUME}`) ?? UNTOUCHED.volume);
    const muted = this.store.read(`${this.#path}/${MUTED}`) === "1";
    const hold = this.store.read(`${this.#path}/${HOLD}`);
    return {
      volume: isVolume(volume) ? volume : UNTOUCHED.volume,
      muted,
      hold: HOLDS.find((name) => name === hold) ?? UNTOUCHED.hold,
    };
  }

  /** Throws StoreError. */
  write({ volume, muted, hold }: KeptSettings): void {
    this.store.transaction((view) => {
      const [owner] = view.getPermissions(this.backendPath) ?? [];
      if (owner === undefined) return; // The card is gone, and its settings with it.
      const permissions: Permission[] = [{ domid: owner.domid, access: "none" }];
      const put = (path: string, value: string) => {
        view.write(path, value);
        view.setPermissions(path, permissions);
      };
      put(`${this.backendPath}/${DIRECTORY}`, "");
      put(this.#path, "");
      put(`${this.#path}/${VOLUME}`, String(volume));
      put(`${this.#path}/${MUTED}`, muted ? "1" : "0");
      put(`${this.#path}/${HOLD}`, hold);
    });
  }
}
