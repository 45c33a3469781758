// SPDX-License-Identifier: MIT
/**
 * The place of the device in an open stream. The host's device has it, or a stand-in (silence, by the clock):
 *
 *     the device is lost, or busy      until the main thread has opened the device again; the device is released
 *     the main thread takes it back    until the main thread has opened another
 *     the device stands still          until the device moves; the device is kept as it is
 */
import { ERRNO, errnoName } from "../../ffi/libc/errno.ts";
import type { TimerFd } from "../../ffi/libc/timer_fd.ts";
import type { EngineCommand } from "../bridge/messages.ts";
import { openPcm } from "../pcm/descriptor.ts";
import { DummyPcm } from "../pcm/dummy/pcm.ts";
import type { Pcm } from "../pcm/pcm.ts";
import { XEN_EIO } from "../sndif/mod.ts";
import type { Connection } from "./connection.ts";
import { DeviceWatch } from "./device_watch.ts";
import { StandingDevice } from "./standing_device.ts";
import type { PassedFrames, Succession, Transfer } from "./samples/transfer.ts";

export class DevicePlace {
  /** What the device does. Guest and operator may want something else. */
  #state: "stopped" | "running" | "held" = "stopped";
  /** Whether the device is lost, and the transfer's device a stand-in. */
  #isLost = false;
  /** The device that stands still, while the transfer's device is a stand-in. */
  #standing: StandingDevice | undefined;
  /** Whether there is not even a stand-in: the pointer stands, and the guest times out. */
  #isDead = false;
  readonly #watch: DeviceWatch;

  /**
   * @param timer of a watch, or of a stand-in: a device may be lost when this host has no descriptor left
   * @param passed what passes the device
   */
  constructor(
    private readonly transfer: Transfer,
    private readonly connection: Connection,
    private readonly timer: TimerFd,
    private passed: PassedFrames,
  ) {
    const { pcm, bufferFrames } = transfer;
    this.#watch = new DeviceWatch(timer, bufferFrames / pcm.params.rate);
    this.#deviceChanged(pcm);
  }

  get state(): "stopped" | "running" | "held" {
    return this.#state;
  }

  /** The device's PCM; undefined if none is left that could be polled. */
  get pcm(): Pcm | undefined {
    return this.#isDead ? undefined : this.transfer.pcm;
  }

  /** {@link Pcm.stopFd} while the device runs; -1 while it stands, as it is meant to. */
  get stopFd(): number {
    return this.#state === "running" && !this.#isDead ? this.transfer.pcm.stopFd : -1;
  }

  /** A descriptor that is ready when {@link stands} is to be asked; -1 while the device cannot stand still. */
  get watchFd(): number {
    return this.#isWatched ? this.#watch.fd : -1;
  }

  get #isWatched(): boolean {
    return this.#state === "running" && !this.#isDead && this.transfer.pcm.mayStand;
  }

  /** The device does that from now on. */
  goes(state: "stopped" | "running" | "held"): void {
    if (this.#state === state) return;
    this.#state = state;
    this.watchAnew();
    const { stopFd, mayStand } = this.transfer.pcm;
    if (stopFd >= 0 || mayStand) this.connection.services.pollSetChanged();
  }

  /** Begins the watch over a device that was just started, or ends it over a device that is to stand. */
  watchAnew(): void {
    if (this.#isWatched) this.#watch.begin();
    else if (this.transfer.pcm.mayStand) this.#watch.end();
  }

  /** Reads the pointer of the device, when {@link watchFd} is ready. Whether the device stands still: {@link standAside} is to follow. */
  stands(): boolean {
    return this.#isWatched && this.#watch.standsAt(this.transfer.position());
  }

  /** The device stands still: a stand-in takes its place. */
  standAside(): void {
    const { slot, services, status } = this.connection;
    const { pcm } = this.transfer;
    const frame = this.transfer.position();
    if (!this.#goSilent(-ERRNO.EIO, true)) {
      if (this.transfer.pcm !== pcm) pcm.release();
      return;
    }
    this.#standing = new StandingDevice(pcm, frame);
    status.add("stalls", 1);
    status.setDevice("stalled");
    services.post({ op: "stalled", slot });
  }

  /** Looks whether the device that stands still moves, or has stopped: then it has its place again. */
  look(): void {
    if (this.#standing === undefined) return;
    const position = this.#standing.position();
    if (isLoss(position)) this.#loseStanding(position);
    else if (!this.#standing.standsAt(position)) this.takeBack(true);
  }

  /** The device that stands still takes its place again, empty: it moves, or the stand-in is to stand (`runs` is false). */
  takeBack(runs: boolean): void {
    const { slot, services, status } = this.connection;
    if (this.#standing === undefined) return;
    const least = this.#standing.position();
    const { pcm } = this.#standing;
    this.#standing = undefined;
    pcm.drop();
    status.setDevice("there");
    if (runs) services.post({ op: "moves", slot });
    this.#use(pcm, runs, least);
  }

  /** The device that has stood still is lost. */
  #loseStanding(error: number): void {
    this.#releaseStanding();
    this.standIn();
    this.#tellLoss(error);
  }

  #releaseStanding(): void {
    this.#standing?.pcm.release();
    this.#standing = undefined;
  }

  /** The device is lost: the stream goes on in silence, and the main thread looks for the device. Returns false without a stand-in. */
  lose(error: number): boolean {
    if (!this.#goSilent(error)) return false;
    this.standIn();
    this.#tellLoss(error);
    return true;
  }

  #tellLoss(error: number): void {
    const { slot, services, status } = this.connection;
    status.add("losses", 1);
    services.post({ op: "lost", slot, errno: -error });
  }

  /**
   * The main thread wants the device back: the stream goes on in silence until {@link replaced} brings another device. Throws
   * if there is no stand-in: then the device is given back no sooner than the stream is released.
   */
  giveBack(): void {
    if (this.#isLost) return;
    if (this.#standing !== undefined) this.#releaseStanding();
    else if (!this.#goSilent(-ERRNO.ENODEV)) {
      throw new Error("the device is to be given back, and nothing can stand in for it");
    }
    this.standIn();
  }

  /**
   * Puts a stand-in in the device's place, which has failed with `error`. The device is released, unless the caller `keeps` it. Returns
   * false if there is no stand-in.
   */
  #goSilent(error: number, keeps = false): boolean {
    const { slot, services } = this.connection;
    this.transfer.error = 0;
    if (this.#isDead) return false;
    const { params, staging } = this.transfer.pcm;
    try {
      const standIn = new DummyPcm({ kind: "dummy", params, fd: -1 }, undefined, staging, this.timer);
      this.#replaceDevice(standIn, this.#state === "running", { passed: "standInFrames", keeps });
    } catch (failure) {
      this.#state = "stopped";
      this.#isDead = true;
      services.pollSetChanged();
      const text = `the device has failed (${errnoName(error)}), and so has its stand-in: ${failure}`;
      services.post({ op: "log", slot, level: "error", text });
      return false;
    }
    return true;
  }

  /** The device is lost or busy: the transfer's device is a stand-in, which answers queries, too. */
  standIn(): void {
    const { queries, status } = this.connection;
    this.#isLost = true;
    queries.standIn(this.transfer.pcm.params);
    status.setDevice("lost");
  }

  /** The main thread has opened the device that was lost, or that somebody else had. */
  replaced(command: EngineCommand & { op: "replaced" }): void {
    const { slot, services, queries, status } = this.connection;
    if (!this.#isLost) return;
    let pcm: Pcm;
    try {
      pcm = openPcm(command.pcm, this.transfer.pcm.staging);
    } catch (error) {
      const text = `the device is there again, and cannot be used: ${error}`;
      services.post({ op: "log", slot, level: "error", text });
      return services.post({ op: "lost", slot, errno: XEN_EIO });
    }
    this.#isLost = false;
    queries.end();
    status.setDevice("there");
    this.passed = soundOrSilence(command.isDenied);
    this.#use(pcm, this.#state === "running");
  }

  /** Goes on with `pcm` in the place of a stand-in, at the frame `least` or later. */
  #use(pcm: Pcm, runs: boolean, least = 0): void {
    let error = this.#replaceDevice(pcm, runs, { passed: this.passed, least });
    if (error < 0 && !isLoss(error)) error = this.transfer.startAnew();
    if (error < 0) this.lose(error);
    this.transfer.report();
  }

  #replaceDevice(pcm: Pcm, runs: boolean, succession: Succession): number {
    const status = this.transfer.replaceDevice(pcm, runs, succession);
    this.#deviceChanged(pcm);
    this.watchAnew();
    this.connection.services.pollSetChanged();
    this.transfer.report();
    return status;
  }

  #deviceChanged({ params }: Pcm): void {
    this.connection.status.set("cardBufferFrames", params.bufferFrames);
    this.connection.status.set("cardPeriodFrames", params.periodFrames);
  }

  /** Releases all devices, even if one of them throws. */
  release(): void {
    this.connection.status.setDevice("there");
    try {
      this.transfer.pcm.release();
    } finally {
      try {
        this.#releaseStanding();
      } finally {
        this.timer[Symbol.dispose]();
      }
    }
  }
}

/** What passes the device that the main thread has opened: silence alone, if the stream is denied. */
export function soundOrSilence(isDenied: boolean): PassedFrames {
  return isDenied ? "deniedFrames" : "heardFrames";
}

/** Whether the error is the device's end, and not a mere stop (xrun, suspend). */
export function isLoss(error: number): boolean {
  return error < 0 && error !== -ERRNO.EPIPE && error !== -ERRNO.ESTRPIPE;
}
