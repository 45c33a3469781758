// SPDX-License-Identifier: MIT
/**
 * The device that the host has chosen for a stream. It may choose another while the guest has the stream open: that one holds
 * from the next OPEN, and for the queries before it.
 */
import type { PcmDevice } from "../../pcm/device.ts";
import { mayWait } from "../../pcm/device_name.ts";
import { pcmDevice } from "../../pcm/open_device.ts";
import { type StreamPolicy, usedDevice } from "../../vsnd/model/card.ts";

export class ChosenDevice {
  #policy: StreamPolicy;
  #device: PcmDevice;
  #next: { readonly policy: StreamPolicy; readonly device: PcmDevice } | undefined;
  /** Whether its device may wait, for which the stream has to have an engine of its own. */
  readonly mayWait: boolean;

  constructor(policy: StreamPolicy) {
    this.#policy = policy;
    this.#device = pcmDevice(usedDevice(policy), policy.type);
    this.mayWait = mayWait(usedDevice(policy));
  }

  /** What holds for what the guest has open. */
  get policy(): StreamPolicy {
    return this.#policy;
  }

  /** What will hold when the guest opens the stream the next time. */
  get decided(): StreamPolicy {
    return this.#next?.policy ?? this.#policy;
  }

  get device(): PcmDevice {
    return this.#device;
  }

  /**
   * Chooses another device, or denies the stream, for the next time. Returns it, or undefined if that is chosen already. Throws
   * RangeError if the device may wait and the stream shares its engine with others.
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
   * The next time has come: goes over to what was chosen for it. Nothing of the former device is open, or lent to the engine.
   * Returns whether that is another device.
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
