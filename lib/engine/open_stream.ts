// SPDX-License-Identifier: MIT
/**
 * What a guest has opened, from OPEN to CLOSE: its buffer, a device, the transfer of samples between them, and the feed of
 * positions to the guest. The device runs as guest and operator want it. device_place.ts has what becomes of a device that fails.
 */
import { ERRNO } from "../../ffi/libc/errno.ts";
import { POLL } from "../../ffi/libc/libc.ts";
import { MicrosClock } from "../../ffi/libc/micros_clock.ts";
import { Memory } from "../../ffi/libc/memory.ts";
import { TimerFd } from "../../ffi/libc/timer_fd.ts";
import type { KeptOpen } from "../bridge/kept_stream.ts";
import type { EngineCommand } from "../bridge/messages.ts";
import { openPcm } from "../pcm/descriptor.ts";
import type { Pcm } from "../pcm/pcm.ts";
import type { Connection } from "./connection.ts";
import { DevicePlace, isLoss, soundOrSilence } from "./device_place.ts";
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
  /** The place of the device. */
  readonly device: DevicePlace;
  readonly #feed: PositionFeed;
  readonly #clock = new MicrosClock();

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
      if (isStandIn) stream.device.standIn();
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
    timer: TimerFd,
    periodFrames: number,
    passed: PassedFrames,
    connection: Connection,
  ) {
    const { direction, kept, services, status, trace } = connection;
    this.#connection = connection;
    this.#buffer = buffer;
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
    this.device = new DevicePlace(this.transfer, connection, timer, passed);
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

  /** The guest's STOP. The guest is told its position before the answer, while its driver still listens. */
  stop(): void {
    this.#reportNow();
    this.device.takeBack(false);
    const at = this.transfer.restart();
    this.#feed.tell(at);
    this.#connection.kept.stopped(at);
    this.device.goes("stopped");
  }

  /** Makes the device run or stand. A device that stands is `emptied`, or keeps the samples that it has. Returns 0 or -errno. */
  run(runs: boolean, emptied: boolean): number {
    const { transfer } = this;
    let status = 0;
    if (runs && this.device.state !== "running") {
      status = this.device.state === "held" ? transfer.unhold() : transfer.start();
      // A host that has slept since the device was prepared, for one.
      if (status < 0 && !isLoss(status)) status = transfer.startAnew();
      if (isLoss(status) && this.device.lose(status)) status = transfer.start();
      if (status >= 0) {
        this.device.goes("running");
        this.#connection.status.add("starts", 1);
      }
    } else if (!runs && this.device.state === "running") {
      this.#reportNow();
      this.device.takeBack(false);
      transfer.hold(emptied);
      this.device.goes("held");
    } else if (this.device.state === "held" && emptied) {
      transfer.hold(true);
    }
    transfer.report();
    return Math.min(0, status);
  }

  /** Called when {@link DevicePlace.stopFd} has failed: an xrun, or another stop that nobody has asked for. */
  deviceStopped(): void {
    this.transfer.position();
    this.pump();
  }

  /** Called when the PCM's descriptor was ready, for `revents`. */
  servePcm(revents: number): void {
    const { transfer } = this;
    if ((revents & POLL_FAILED) !== 0) return this.#recover(-ERRNO.ENODEV);
    transfer.pcm.acknowledge();
    if (this.device.state !== "running") return;
    this.device.look();
    const told = this.#feed.toldFrames;
    const isTimed = transfer.pcm.noteInterrupt();
    this.pump();
    this.#connection.trace.sample(this.device.pcm);
    // From the device's interrupt to the event that tells the guest, if there was one.
    if (!isTimed || this.#feed.toldFrames === told) return;
    this.#connection.status.eventDelays.add(transfer.pcm.interruptAge(this.#clock.now()));
  }

  /** Called when {@link DevicePlace.watchFd} was ready. */
  watch(): void {
    const stands = this.device.stands();
    if (this.transfer.error !== 0) this.pump();
    else if (stands) this.device.standAside();
    // A device that stands makes no interrupt. The next daemon goes on where this look has found the pointer.
    else this.#report();
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
      if (this.device.state !== "running") return;
      if (this.transfer.recover(error) === 0) return this.device.watchAnew();
    }
    this.device.lose(error);
  }

  /** Tells the guest the device's position as of now, if that is due. */
  #reportNow(): void {
    this.transfer.position();
    this.#report();
  }

  /** Tells the guest the position that {@link Transfer.pump} found, if that is due, and writes the status row. */
  #report(): void {
    if (this.device.state === "running") this.#feed.follow(this.transfer.reportable());
    this.transfer.report();
  }

  /** Leaves the stream to the next daemon, which goes on from the position that the guest is told now. {@link release} follows. */
  leave(): void {
    if (this.device.state === "running") {
      // A device that can pause plays nothing more, which the next daemon would have played again.
      this.transfer.pcm.pause(true);
      this.#reportNow();
    }
    this.transfer.report();
    this.#connection.kept.freeze();
    // The next daemon would not know of what the guest is told from now on.
    this.device.goes("stopped");
  }

  /** Lets go of device and buffer: nothing here touches them afterwards, even if this throws. */
  release(): void {
    this.#connection.services.pollSetChanged();
    try {
      try {
        if (this.device.state === "running") this.#reportNow();
      } finally {
        this.transfer.close();
      }
    } finally {
      this.#buffer.detach();
      this.device.release();
    }
  }
}
