// SPDX-License-Identifier: MIT
/**
 * A device that stands still while a stand-in plays in its place. The device keeps what it has queued, since to drop that may block: a
 * sound server that hangs does not answer. When the device moves again, it plays of its queue until it is seen to move.
 */
import type { Pcm } from "../pcm/pcm.ts";

export class StandingDevice {
  readonly #at: number;

  /** @param frame the stream's, at which the device stands */
  constructor(readonly pcm: Pcm, private readonly frame: number) {
    this.#at = pcm.standAside();
  }

  /** The stream's frame at which the device is now, or -errno. */
  position(): number {
    const position = this.pcm.position();
    return position < 0 ? position : this.frame + position - this.#at;
  }

  /** Whether the device, which is at `position`, stands where it stood. */
  standsAt(position: number): boolean {
    return position === this.frame;
  }
}
