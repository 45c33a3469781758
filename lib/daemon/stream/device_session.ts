// SPDX-License-Identifier: MIT
/**
 * The card under a stream, as the main thread has it: opened for the guest's OPEN, closed with its CLOSE, and looked for while
 * it cannot be had. A card that is somebody else's at OPEN, or goes away later, is silence in real time until then.
 */
import { getLogger } from "@logtape/logtape";
import type { PcmDescriptor } from "../../pcm/descriptor.ts";
import type { OpenDevice, PcmRequest } from "../../pcm/device.ts";
import { PcmError } from "../../pcm/pcm_error.ts";
import { pcmDevice } from "../../pcm/open_device.ts";
import type { RefinerDescriptor } from "../../pcm/refiner.ts";
import { XEN_EBUSY, XEN_ENODEV } from "../../sndif/mod.ts";
import { SILENT_DEVICE, usedDevice } from "../../vsnd/model/card.ts";
import type { ChosenDevice } from "./chosen_device.ts";

/** How often a card that cannot be had is looked for. */
const LOOK_MS = 1000;

/** Stands in for a card that is somebody else's. */
const silence = (type: "playback" | "capture") => pcmDevice(SILENT_DEVICE, type);
const isBusy = (error: unknown) => error instanceof PcmError && error.errno === XEN_EBUSY;

export class DeviceSession {
  readonly #log;
  #card: OpenDevice | undefined;
  /** What the guest has it open with; undefined while it has not. */
  #request: PcmRequest | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param stream its name, for the log
   * @param enqueue has something done after what is under way
   * @param onFound is given the card that was looked for; false if it is of no use any more
   */
  constructor(
    stream: string,
    private readonly chosen: ChosenDevice,
    private readonly enqueue: (work: () => Promise<void>) => void,
    private readonly onFound: (pcm: PcmDescriptor) => boolean,
  ) {
    this.#log = getLogger(["xsnd", "stream"]).with({ stream });
  }

  get isOpen(): boolean {
    return this.#card !== undefined || this.#request !== undefined;
  }

  /** What can be asked about its parameters; of one that is somebody else's, anything may turn out to be possible. */
  async probe(): Promise<RefinerDescriptor> {
    try {
      return await this.chosen.device.probe();
    } catch (error) {
      if (!isBusy(error)) throw error;
      return await silence(this.chosen.policy.type).probe();
    }
  }

  /** Throws {@link PcmError}. To be followed by {@link use}, unless the guest has gone meanwhile. */
  async open(request: PcmRequest): Promise<{ pcm: PcmDescriptor; isStandIn: boolean }> {
    const { device, policy } = this.chosen;
    let isStandIn = false;
    try {
      this.#card = await device.open(request);
      for (const warning of this.#card.warnings ?? []) this.#log.warn("{warning}", { warning });
    } catch (error) {
      if (!isBusy(error)) throw error;
      this.#log.error("{reason}: the stream goes on in silence until it is free", {
        reason: (error as PcmError).message,
      });
      this.#card = await silence(policy.type).open(request);
      isStandIn = true;
    }
    return { pcm: this.#card.descriptor, isStandIn };
  }

  /** The guest has it open. */
  use(request: PcmRequest, isStandIn: boolean): void {
    this.#request = request;
    if (isStandIn) this.lookFor();
  }

  /** The guest has done with it. */
  leave(): void {
    this.#request = undefined;
    this.#lookNoMore();
  }

  /** The engine has found the card lost, and has let go of it. */
  lost(): void {
    const lost = this.#card;
    // What is under way may have closed it, and given the engine another one.
    this.enqueue(async () => {
      if (this.#card === lost) await this.close();
    });
    this.lookFor();
  }

  async close(): Promise<void> {
    const card = this.#card;
    this.#card = undefined;
    try {
      await card?.close();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warn("closing {device}: {reason}", { device: this.#device, reason });
    }
  }

  /** Opens it again as soon as that can be done, unless the guest is done with it before. */
  lookFor(): void {
    this.#lookNoMore();
    const request = this.#request;
    if (request === undefined || !this.chosen.device.comesBack) return;
    const timer = this.#timer = setTimeout(() =>
      this.enqueue(async () => {
        // By its turn the engine may have been given another card.
        if (this.#timer === timer) await this.#look(request);
      }), LOOK_MS);
  }

  #lookNoMore(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /**
   * Goes over to the device that is chosen by now, under a guest that has the stream open. The engine has given the former device
   * back, and plays silence until the new one is open.
   */
  async change(): Promise<void> {
    const request = this.#request;
    if (request === undefined) return;
    this.#lookNoMore();
    await this.close();
    await this.chosen.change();
    await this.#look(request, "is used from now on");
    if (this.#card !== undefined || this.#request !== request) return;
    this.#log.error("{device} cannot be opened: the stream goes on in silence", { device: this.#device });
  }

  async #look(request: PcmRequest, news = "is there again"): Promise<void> {
    if (this.#request !== request) return;
    await this.close();
    try {
      this.#card = await this.chosen.device.open(request);
    } catch (error) {
      this.lookFor();
      if (!(error instanceof PcmError)) throw error;
      const isAway = isBusy(error) || error.errno === XEN_ENODEV;
      return this.#log[isAway ? "debug" : "warn"]("{error}", { error: error.message });
    }
    const isOfUse = this.#request === request && this.onFound(this.#card.descriptor);
    if (!isOfUse) return await this.close();
    this.#log.info("{device} {news}", { device: this.#device, news });
  }

  get #device(): string {
    return usedDevice(this.chosen.policy);
  }
}
