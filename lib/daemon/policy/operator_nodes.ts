// SPDX-License-Identifier: MIT
/**
 * The operator's settings of a stream in XenStore. They lie in the card's backend directory and go with the card; the guest cannot
 * read them:
 *
 *     <backend>/operator/0/0/volume   in steps of 0.001 dB
 *     <backend>/operator/0/0/muted    0 or 1
 *     <backend>/operator/0/0/hold     none, paused or stopped
 */
import { readState, XenbusState } from "../../xenbus/mod.ts";
import type { Permission, Store } from "../../xen/ports.ts";
import { isVolume, type KeptSettings } from "../../stream/operator_settings.ts";
import { HOLDS } from "../../stream/stream_state.ts";

const UNTOUCHED: KeptSettings = { volume: 0, muted: false, hold: "none" };
const DIRECTORY = "operator";
const VOLUME = "volume";
const MUTED = "muted";
const HOLD = "hold";

/** The nodes of one stream. */
export class OperatorNodes {
  readonly #path: string;

  /** @param stream `0/0`, PCM and stream */
  constructor(private readonly store: Store, private readonly backendPath: string, stream: string) {
    this.#path = `${backendPath}/${DIRECTORY}/${stream}`;
  }

  /** Reads the settings. A node that is missing, or holds no valid value, counts as untouched. Throws StoreError. */
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

  /** Writes nothing, and returns false, if the toolstack has removed the card, or put another one in its place. Throws StoreError. */
  write({ volume, muted, hold }: KeptSettings): boolean {
    return this.store.transaction((view) => {
      const [owner] = view.getPermissions(this.backendPath) ?? [];
      if (owner === undefined || readState(view, this.backendPath) === XenbusState.Initialising) return false;
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
      return true;
    });
  }
}
