// SPDX-License-Identifier: MIT
/**
 * What a guest has opened, from OPEN to CLOSE: its buffer, a device, the transfer of samples between them, and the feed of
 * positions to the guest. The device runs as guest and operator want it. When the device is lost, a stand-in takes its place
 * (silence, by the clock) until the main thread has opened the device again.
 */
import { ERRNO, errnoName } from "../../ffi/libc/errno.ts";
import { POLL } from "../../ffi/libc/libc.ts";
import { MicrosClock } from "../../ffi/libc/micros_clock.ts";
import { Memory } from "../../ffi/libc/memory.ts";
import { TimerFd } from "../../ffi/libc/timer_fd.ts";
import type { KeptOpen } from "../bridge/kept_stream.ts";
import type { EngineCommand } from "../bridge/messages.ts";
import { openPcm } from "../pcm/descriptor.ts";
import { DummyPcm } from "../pcm/dummy/pcm.ts";
import type { Pcm } from "../pcm/pcm.ts";
import { XEN_EIO } from "../sndif/mod.ts";
import type { Connection } from "./connection.ts";
import { Capture } from "./samples/capture.ts";
import { GuestBuffer } from "./samples/guest_buffer.ts";
import { Playback } from "./samples/playback.ts";
import { PositionFeed } from "./samples/position_feed.ts";
import type { PassedFrames, Transfer } from "./samples/transfer.ts";

/** What poll(2) finds on a device that has gone. */
const POLL_FAILED = POLL.ERR | POLL.HUP | POLL.NVAL;

export class OpenStream {
  readonly #connection: Connection;
  readonly #buffer: GuestBuffer;
  readonly transfer: Transfer;
  readonly #feed: PositionFeed;
  /** What the device does. Guest and operator may want something else. */
  #deviceState: "stopped" | "running" | "held" = "stopped";
  /** Whether the transfer's device is a stand-in. */
  #isLost = false;
  /** Whether there is not even a stand-in: the pointer stands, and the guest times out. */
  #isDead = false;
  readonly #clock = new MicrosClock();
  /** The timer of a stand-in, kept for it: a device may be lost when this host has no descriptor left. */
  readonly #standInTimer: TimerFd;

  /** Takes the device that the main thread has opened, and the buffer that it has mapped. Throws with nothing left behind. */
  static open(command: EngineCommand & { op: "opened" | "resumed" }, connection: Connection): OpenStream {
    const { open: { bufferSz, periodSz }, mappedBytes, isStandIn, isDenied } = command;
    const pcm = openPcm(command.pcm);
    let buffer: GuestBuffer | undefined;
    let timer: TimerFd | undefined;
    try {
      timer = new TimerFd();
      if (bufferSz > mappedBytes) throw new RangeError(`a buffer of ${bufferSz} octets in a smaller mapping`);
      buffer = new GuestBuffer(Memory.mapped(BigInt(command.buffer), bufferSz), pcm.staging);
      const passed = isStandIn ? "standInFrames" : soundOrSilence(isDenied);
      const periodFrames = periodSz / pcm.params.frameBytes;
      const { events } = connection;
      if (command.op === "opened") events.opened();
      else events.resumed(command.kept.eventBase);
      const stream = new OpenStream(pcm, buffer, timer, periodFrames, passed, connection);
      if (command.op === "resumed") stream.#resume(command.kept);
      if (isStandIn) stream.#standIn();
      return stream;
    } catch (error) {
      timer?.[Symbol.dispose]();
      buffer?.detach();
      pcm.release();
      throw error;
    }
  }

  private constructor(
    pcm: Pcm,
    buffer: GuestBuffer,
    standInTimer: TimerFd,
    periodFrames: number,
    passed: PassedFrames,
    connection: Connection,
  ) {
    const { direction, kept, services, status, trace } = connection;
    this.#connection = connection;
    this.#buffer = buffer;
    this.#standInTimer = standInTimer;
    const { rate, channels, format, frameBytes } = pcm.params;
    const bufferFrames = buffer.bytes / frameBytes;
    this.#feed = new PositionFeed(
      periodFrames > 0 ? { periodFrames, bufferFrames, frameBytes, connection } : undefined,
      kept,
    );
    const Direction = direction === "playback" ? Playback : Capture;
    this.transfer = new Direction(pcm, buffer, this.#feed, status, { periodFrames, trace, passed, kept });
    status.set("rate", rate);
    status.set("channels", channels);
    status.set("format", format);
    status.set("bufferFrames", bufferFrames);
    status.set("periodFrames", periodFrames);
    this.#deviceChanged(pcm);
    this.transfer.report();
    services.pollSetChanged();
  }

  /** Goes on with what a former daemon had open. */
  #resume(kept: KeptOpen): void {
    const { events, services, eventPort } = this.#connection;
    this.#feed.resume(kept);
    this.transfer.resume(kept);
    // A daemon that died may have published an event without notifying.
    if (events.inProd !== events.base) services.channels.notify(eventPort);
  }

  /** The device's PCM; undefined if none is left that could be polled. */
  get pcm(): Pcm | undefined {
    return this.#isDead ? undefined : this.transfer.pcm;
  }

  /** {@link Pcm.stopFd} while the device runs; -1 while it stands, as it is meant to. */
  get stopFd(): number {
    return this.#deviceState === "running" && !this.#isDead ? this.transfer.pcm.stopFd : -1;
  }

  /** The guest's STOP. The guest is told its position before the answer, while its driver still listens. */
  stop(): void {
    this.#reportNow();
    const at = this.transfer.restart();
    this.#feed.tell(at);
    this.#connection.kept.stopped(at);
    this.#goes("stopped");
  }

  /** Makes the device run or stand. A device that stands is `emptied`, or keeps the samples that it has. Returns 0 or -errno. */
  run(runs: boolean, emptied: boolean): number {
    const { transfer } = this;
    let status = 0;
    if (runs && this.#deviceState !== "running") {
      status = this.#deviceState === "held" ? transfer.unhold() : transfer.start();
      // A host that has slept since the device was prepared, for one.
      if (status < 0 && !isLoss(status)) status = transfer.startAnew();
      if (isLoss(status) && this.#lose(status)) status = transfer.start();
      if (status >= 0) {
        this.#goes("running");
        this.#connection.status.add("starts", 1);
      }
    } else if (!runs && this.#deviceState === "running") {
      this.#reportNow();
      transfer.hold(emptied);
      this.#goes("held");
    } else if (this.#deviceState === "held" && emptied) {
      transfer.hold(true);
    }
    transfer.report();
    return Math.min(0, status);
  }

  #goes(state: "stopped" | "running" | "held"): void {
    if (this.#deviceState === state) return;
    this.#deviceState = state;
    if (this.transfer.pcm.stopFd >= 0) this.#connection.services.pollSetChanged();
  }

  /** Called when the PCM's {@link stopFd} has failed: an xrun, or another stop that nobody has asked for. */
  deviceStopped(): void {
    this.transfer.position();
    this.pump();
  }

  /** Called when the PCM's descriptor was ready, for `revents`. */
  servePcm(revents: number): void {
    const { transfer } = this;
    if ((revents & POLL_FAILED) !== 0) return this.#recover(-ERRNO.ENODEV);
    transfer.pcm.acknowledge();
    if (this.#deviceState !== "running") return;
    const told = this.#feed.toldFrames;
    const isTimed = transfer.pcm.noteInterrupt();
    this.pump();
    this.#connection.trace.sample(this.pcm);
    // From the device's interrupt to the event that tells the guest, if there was one.
    if (!isTimed || this.#feed.toldFrames === told) return;
    this.#connection.status.eventDelays.add(transfer.pcm.interruptAge(this.#clock.now()));
  }

  /** Moves the samples that are there, and tells the guest its position if that is due. */
  pump(): void {
    this.transfer.pump();
    if (this.transfer.error !== 0) this.#recover(this.transfer.error);
    this.#report();
  }

  /** Starts a device again that has stopped, and puts a stand-in in the place of one that is lost. */
  #recover(error: number): void {
    if (!isLoss(error)) {
      this.transfer.error = 0;
      // A device that stands is prepared anew before it runs.
      if (this.#deviceState !== "running" || this.transfer.recover(error) === 0) return;
    }
    this.#lose(error);
  }

  /** The device is lost: the stream goes on in silence, and the main thread looks for the device. Returns false without a stand-in. */
  #lose(error: number): boolean {
    const { slot, services, status } = this.#connection;
    if (!this.#goSilent(error)) return false;
    status.add("losses", 1);
    services.post({ op: "lost", slot, errno: -error });
    return true;
  }

  /**
   * The main thread wants the device back: the stream goes on in silence until {@link replaced} brings another device. Throws
   * if there is no stand-in: then the device is given back no sooner than the stream is released.
   */
  giveBackDevice(): void {
    if (this.#isLost || this.#goSilent(-ERRNO.ENODEV)) return;
    throw new Error("the device is to be given back, and nothing can stand in for it");
  }

  /** Puts a stand-in in the device's place, which has to go for `error`. Returns false if there is no stand-in. */
  #goSilent(error: number): boolean {
    const { slot, services } = this.#connection;
    this.transfer.error = 0;
    if (this.#isDead) return false;
    const { params, staging } = this.transfer.pcm;
    try {
      const standIn = new DummyPcm({ kind: "dummy", params, fd: -1 }, undefined, staging, this.#standInTimer);
      this.#replaceDevice(standIn, "standInFrames");
    } catch (failure) {
      this.#deviceState = "stopped";
      this.#isDead = true;
      services.pollSetChanged();
      const text = `the device has failed (${errnoName(error)}), and so has its stand-in: ${failure}`;
      services.post({ op: "log", slot, level: "error", text });
      return false;
    }
    this.#standIn();
    return true;
  }

  /** The device is a stand-in from now on. */
  #standIn(): void {
    const { queries, status } = this.#connection;
    this.#isLost = true;
    queries.standIn(this.transfer.pcm.params);
    status.setDeviceLost(true);
  }

  /** The main thread has opened the device that was lost, or that somebody else had. */
  replaced(command: EngineCommand & { op: "replaced" }): void {
    const { slot, services, queries, status } = this.#connection;
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
    status.setDeviceLost(false);
    let error = this.#replaceDevice(pcm, soundOrSilence(command.isDenied));
    if (error < 0 && !isLoss(error)) error = this.transfer.startAnew();
    if (error < 0) this.#lose(error);
    this.transfer.report();
  }

  #replaceDevice(pcm: Pcm, passed: PassedFrames): number {
    const status = this.transfer.replaceDevice(pcm, this.#deviceState === "running", passed);
    this.#deviceChanged(pcm);
    this.#connection.services.pollSetChanged();
    this.transfer.report();
    return status;
  }

  #deviceChanged({ params }: Pcm): void {
    this.#connection.status.set("cardBufferFrames", params.bufferFrames);
    this.#connection.status.set("cardPeriodFrames", params.periodFrames);
  }

  /** Tells the guest the device's position as of now, if that is due. */
  #reportNow(): void {
    this.transfer.position();
    this.#report();
  }

  /** Tells the guest the position that {@link Transfer.pump} found, if that is due, and writes the status row. */
  #report(): void {
    if (this.#deviceState === "running") this.#feed.follow(this.transfer.reportable());
    this.transfer.report();
  }

  /** Leaves the stream to the next daemon, which goes on from the position that the guest is told now. {@link release} follows. */
  leave(): void {
    if (this.#deviceState === "running") {
      // A device that can pause plays nothing more, which the next daemon would have played again.
      this.transfer.pcm.pause(true);
      this.#reportNow();
    }
    this.transfer.report();
    this.#connection.kept.freeze();
    // The next daemon would not know of what the guest is told from now on.
    this.#goes("stopped");
  }

  /** Lets go of device and buffer: nothing here touches them afterwards, even if this throws. */
  release(): void {
    const { services, status } = this.#connection;
    services.pollSetChanged();
    try {
      try {
        if (this.#deviceState === "running") this.#reportNow();
      } finally {
        this.transfer.close();
      }
    } finally {
      this.#buffer.detach();
      status.setDeviceLost(false);
      try {
        this.transfer.pcm.release();
      } finally {
        this.#standInTimer[Symbol.dispose]();
      }
    }
  }
}

/** What passes the device that the main thread has opened: silence alone, if the stream is denied. */
function soundOrSilence(isDenied: boolean): PassedFrames {
  return isDenied ? "deniedFrames" : "heardFrames";
}

/** Whether the error is the device's end, and not a mere stop (xrun, suspend). */
function isLoss(error: number): boolean {
  return error < 0 && error !== -ERRNO.EPIPE && error !== -ERRNO.ESTRPIPE;
}
