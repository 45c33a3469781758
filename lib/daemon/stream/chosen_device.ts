// SPDX-License-Identifier: MIT
/**
 * The device that the host has chosen for a stream, and the choice for the next OPEN. The host may choose another device while the
 * guest has the stream open; parameter queries and OPEN use the new device as soon as the stream is closed.
 */
import type { PcmDevice } from "../../pcm/device.ts";
import { mayWait } from "../../pcm/device_name.ts";
import { pcmDevice } from "../../pcm/open_device.ts";
import { type StreamPolicy, usedDevice } from "../../vsnd/model/card.ts";

export class ChosenDevice {
  #policy: StreamPolicy;
  #device: PcmDevice;
  #next: { readonly policy: StreamPolicy; readonly device: PcmDevice } | undefined;
  /** Whether the device may block, so that the stream needs an engine of its own. */
  readonly mayWait: boolean;

  constructor(policy: StreamPolicy) {
    this.#policy = policy;
    this.#device = pcmDevice(usedDevice(policy), policy.type);
    this.mayWait = mayWait(usedDevice(policy));
  }

  /** The policy of what the guest has open. */
  get policy(): StreamPolicy {
    return this.#policy;
  }

  /** The policy of the next OPEN. */
  get decided(): StreamPolicy {
    return this.#next?.policy ?? this.#policy;
  }

  get device(): PcmDevice {
    return this.#device;
  }

  /**
   * Chooses another device, or denies the stream, from the next OPEN on. Returns the device, or undefined if that is chosen already.
   * Throws RangeError if the device may block and the stream shares its engine with other guests.
   */
  choose({ device: name, denied }: Pick<StreamPolicy, "device" | "denied">): PcmDevice | undefined {
    if (this.decided.device === name && this.decided.denied === denied) return undefined;
    const policy = { ...this.#policy, device: name, denied };
    if (mayWait(usedDevice(policy)) && !this.mayWait) {
      throw new RangeError(`${JSON.stringify(name)} may wait, and the stream has no engine of its own`);
    }
    const device = pcmDevice(usedDevice(policy), policy.type);
    this.#next = { policy, device };
    return device;
  }

  /**
   * Puts the choice for the next OPEN in force. Nothing of the former device may be open, or lent to the engine. Returns whether
   * there was such a choice.
   */
  async change(): Promise<boolean> {
    if (this.#next === undefined) return false;
    const former = this.#device;
    ({ policy: this.#policy, device: this.#device } = this.#next);
    this.#next = undefined;
    await former.closeProbe();
    return true;
  }
}
