// SPDX-License-Identifier: MIT
/**
 * The host's device under a stream, from the guest's OPEN to its CLOSE. A device that is busy at OPEN, or is lost later, is replaced
 * by silence in real time; the session tries to open the device again until that works.
 */
import type { Logger } from "@logtape/logtape";
import type { PcmDescriptor } from "../../pcm/descriptor.ts";
import type { OpenDevice, PcmRequest } from "../../pcm/device.ts";
import { PcmError } from "../../pcm/pcm_error.ts";
import { pcmDevice } from "../../pcm/open_device.ts";
import type { RefinerDescriptor } from "../../pcm/refiner.ts";
import { XEN_EBUSY, XEN_ENODEV } from "../../sndif/mod.ts";
import { SILENT_DEVICE, usedDevice } from "../../vsnd/model/card.ts";
import type { ChosenDevice } from "./chosen_device.ts";

/** How often the session tries to open a device that is busy or lost. */
const LOOK_MS = 1000;

/** The stand-in for a device that is busy. */
const silence = (type: "playback" | "capture") => pcmDevice(SILENT_DEVICE, type);
const isBusy = (error: unknown) => error instanceof PcmError && error.errno === XEN_EBUSY;

export class DeviceSession {
  #open: OpenDevice | undefined;
  /** The parameters that the guest has opened the stream with; undefined while the stream is closed. */
  #request: PcmRequest | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param log the stream's
   * @param enqueue queues work behind what is under way
   * @param onFound takes the device that has been opened again; false if nobody needs it any more
   */
  constructor(
    private readonly log: Logger,
    private readonly chosen: ChosenDevice,
    private readonly enqueue: (work: () => Promise<void>) => void,
    private readonly onFound: (pcm: PcmDescriptor) => boolean,
  ) {}

  get isOpen(): boolean {
    return this.#open !== undefined || this.#request !== undefined;
  }

  /**
   * What answers parameter queries. While the device is busy nobody can ask it, so the guest is offered everything configured. An OPEN
   * that then fails is logged.
   */
  async probe(): Promise<RefinerDescriptor> {
    try {
      return await this.chosen.device.probe();
    } catch (error) {
      if (!isBusy(error)) throw error;
      return await silence(this.chosen.policy.type).probe();
    }
  }

  /** Opens the device, or a stand-in if it is busy. {@link use} follows, unless the guest has gone meanwhile. Throws {@link PcmError}. */
  async open(
    request: PcmRequest,
  ): Promise<{ pcm: PcmDescriptor; isStandIn: boolean; isDenied: boolean }> {
    const { device, policy } = this.chosen;
    let isStandIn = false;
    try {
      this.#open = await device.open(request);
      for (const warning of this.#open.warnings ?? []) this.log.warn("{warning}", { warning });
    } catch (error) {
      if (!isBusy(error)) throw error;
      this.log.error("{reason}: the stream goes on in silence until it is free", {
        reason: (error as PcmError).message,
      });
      this.#open = await silence(policy.type).open(request);
      isStandIn = true;
    }
    return { pcm: this.#open.descriptor, isStandIn, isDenied: policy.denied === true };
  }

  /** The guest's OPEN has succeeded. */
  use(request: PcmRequest, isStandIn: boolean): void {
    this.#request = request;
    if (isStandIn) this.lookFor();
  }

  /** The guest has closed the stream, or is gone. */
  leave(): void {
    this.#request = undefined;
    this.#lookNoMore();
  }

  /** The engine has found the device lost, and has let go of it. */
  lost(): void {
    const lost = this.#open;
    // Work under way may have closed the device, and given the engine another one.
    this.enqueue(async () => {
      if (this.#open === lost) await this.close();
    });
    this.lookFor();
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    try {
      await open?.close();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.log.warn("closing {device}: {reason}", { device: this.#device, reason });
    }
  }

  /** Tries to open the device again until that works, or the guest closes the stream. */
  lookFor(): void {
    this.#lookNoMore();
    const request = this.#request;
    if (request === undefined || !this.chosen.device.comesBack) return;
    const timer = this.#timer = setTimeout(() =>
      this.enqueue(async () => {
        // When its turn comes the engine may have been given another device.
        if (this.#timer === timer) await this.#look(request);
      }), LOOK_MS);
  }

  #lookNoMore(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /**
   * Changes to the chosen device under a guest that has the stream open. The engine has given the former device back, and plays
   * silence until the new one is open.
   */
  async change(): Promise<void> {
    const request = this.#request;
    if (request === undefined) return;
    this.#lookNoMore();
    await this.close();
    await this.chosen.change();
    await this.#look(request, "is used from now on");
    if (this.#open !== undefined || this.#request !== request) return;
    this.log.error("{device} cannot be opened: the stream goes on in silence", { device: this.#device });
  }

  async #look(request: PcmRequest, news = "is there again"): Promise<void> {
    if (this.#request !== request) return;
    await this.close();
    try {
      this.#open = await this.chosen.device.open(request);
    } catch (error) {
      this.lookFor();
      if (!(error instanceof PcmError)) throw error;
      const isAway = isBusy(error) || error.errno === XEN_ENODEV;
      return this.log[isAway ? "debug" : "warn"]("{error}", { error: error.message });
    }
    const isOfUse = this.#request === request && this.onFound(this.#open.descriptor);
    if (!isOfUse) return await this.close();
    this.log.info("{device} {news}", { device: this.#device, news });
  }

  get #device(): string {
    return usedDevice(this.chosen.policy);
  }
}
