// SPDX-License-Identifier: MIT
/**
 * What a guest has opened, from OPEN to CLOSE: its buffer, a card, and the way of the samples between them. Keeps the card
 * in the state that guest and operator want of it, and tells the guest its position. A card that is lost gives way to a stand-in,
 * until it is found again.
 */
import { ERRNO, errnoName } from "../../ffi/libc/errno.ts";
import { POLL } from "../../ffi/libc/libc.ts";
import { MicrosClock } from "../../ffi/libc/micros_clock.ts";
import { Memory } from "../../ffi/libc/memory.ts";
import { openPcm } from "../pcm/descriptor.ts";
import { DummyPcm } from "../pcm/dummy/pcm.ts";
import type { Pcm } from "../pcm/pcm.ts";
import { XEN_EIO } from "../sndif/mod.ts";
import type { Connection } from "./connection.ts";
import { Capture } from "./samples/capture.ts";
import { GuestBuffer } from "./samples/guest_buffer.ts";
import type { EngineCommand } from "../bridge/messages.ts";
import { Playback } from "./samples/playback.ts";
import { PositionFeed } from "./samples/position_feed.ts";
import type { Transfer } from "./samples/transfer.ts";

/** What poll(2) says of a card that is not there any more. */
const POLL_FAILED = POLL.ERR | POLL.HUP | POLL.NVAL;

export class OpenStream {
  readonly #connection: Connection;
  readonly #buffer: GuestBuffer;
  readonly transfer: Transfer;
  readonly #feed: PositionFeed;
  /** What the card does, as against what guest and operator want of it. */
  #card: "stopped" | "running" | "held" = "stopped";
  /** Whether the transfer's card is a stand-in for one that was lost. */
  #isLost = false;
  /** Whether not even a stand-in could be had: the pointer stands, and the guest times out. */
  #isDead = false;
  readonly #clock = new MicrosClock();

  /** On the card and the buffer that the main thread has opened and mapped. Throws with nothing left behind. */
  static open(command: EngineCommand & { op: "opened" }, connection: Connection): OpenStream {
    const { open: { bufferSz, periodSz }, mappedBytes } = command;
    const pcm = openPcm(command.pcm);
    let buffer: GuestBuffer | undefined;
    try {
      if (bufferSz > mappedBytes) throw new RangeError(`a buffer of ${bufferSz} octets in a smaller mapping`);
      buffer = new GuestBuffer(Memory.mapped(BigInt(command.buffer), bufferSz), pcm.staging);
      const stream = new OpenStream(pcm, buffer, periodSz / pcm.params.frameBytes, connection);
      if (command.isStandIn) stream.#standIn();
      return stream;
    } catch (error) {
      buffer?.detach();
      pcm.release();
      throw error;
    }
  }

  private constructor(pcm: Pcm, buffer: GuestBuffer, periodFrames: number, connection: Connection) {
    const { direction, events, services, status, trace } = connection;
    this.#connection = connection;
    this.#buffer = buffer;
    const { rate, channels, format, frameBytes } = pcm.params;
    const bufferFrames = buffer.bytes / frameBytes;
    events.opened();
    this.#feed = new PositionFeed(
      periodFrames > 0 ? { periodFrames, bufferFrames, frameBytes, connection } : undefined,
    );
    const Direction = direction === "playback" ? Playback : Capture;
    this.transfer = new Direction(pcm, buffer, this.#feed, status, { periodFrames, trace });
    status.set("positionFrames", 0);
    status.set("rate", rate);
    status.set("channels", channels);
    status.set("format", format);
    status.set("bufferFrames", bufferFrames);
    status.set("periodFrames", periodFrames);
    this.#cardChanged(pcm);
    this.transfer.report();
    services.pollSetChanged();
  }

  /** The card; undefined if there is nothing left that could be waited for. */
  get pcm(): Pcm | undefined {
    return this.#isDead ? undefined : this.transfer.pcm;
  }

  /** The guest's STOP. Its position is put right before the answer, while its driver still listens. */
  stop(): void {
    this.#reportNow();
    this.#feed.tell(this.transfer.restart());
    this.#card = "stopped";
  }

  /** Makes the card run, or stand, `emptied` or with what it was given. Returns 0 or -errno. */
  run(runs: boolean, emptied: boolean): number {
    const { transfer } = this;
    let status = 0;
    if (runs && this.#card !== "running") {
      status = this.#card === "held" ? transfer.unhold() : transfer.start();
      // The host has slept since the card was prepared.
      if (status < 0 && !isLoss(status)) status = transfer.startAnew();
      if (isLoss(status) && this.#lose(status)) status = transfer.start();
      if (status >= 0) {
        this.#card = "running";
        this.#connection.status.add("starts", 1);
      }
    } else if (!runs && this.#card === "running") {
      this.#reportNow();
      transfer.hold(emptied);
      this.#card = "held";
    } else if (this.#card === "held" && emptied) {
      transfer.hold(true);
    }
    transfer.report();
    return Math.min(0, status);
  }

  /** Called when the card's descriptor was ready, for `revents`. */
  servePcm(revents: number): void {
    const { transfer } = this;
    if ((revents & POLL_FAILED) !== 0) return this.#recover(-ERRNO.ENODEV);
    transfer.pcm.acknowledge();
    if (this.#card !== "running") return;
    const told = this.#feed.toldFrames;
    const isTimed = transfer.pcm.noteInterrupt();
    this.pump();
    this.#connection.trace.sample(this.pcm);
    // From the card's interrupt to the event that tells the guest of it, if one does.
    if (!isTimed || this.#feed.toldFrames === told) return;
    this.#connection.status.eventDelays.add(transfer.pcm.interruptAge(this.#clock.now()));
  }

  /** Moves the samples that there are, and tells the guest if it is time to. */
  pump(): void {
    this.transfer.pump();
    if (this.transfer.error !== 0) this.#recover(this.transfer.error);
    this.#report();
  }

  /** A card that stopped is started again; one that is lost gives way to a stand-in. */
  #recover(error: number): void {
    if (!isLoss(error)) {
      this.transfer.error = 0;
      // One that stands is prepared anew before it runs.
      if (this.#card !== "running" || this.transfer.recover() === 0) return;
    }
    this.#lose(error);
  }

  /**
   * The card is not there any more, and the stream goes on without: into silence, by the clock, until the main thread has found
   * it again. Returns false if there is nothing to go on with.
   */
  #lose(error: number): boolean {
    const { slot, services, status } = this.#connection;
    if (!this.#goSilent(error)) return false;
    status.add("losses", 1);
    services.post({ op: "lost", slot, errno: -error });
    return true;
  }

  /**
   * The main thread wants the card back: the stream goes on in silence until {@link replaced} brings another card. Throws if not
   * even a stand-in can be had: the card is not given back before the stream is released.
   */
  giveBackDevice(): void {
    if (this.#isLost || this.#goSilent(-ERRNO.ENODEV)) return;
    throw new Error("the card is to be given back, and nothing can stand in for it");
  }

  /** Puts a stand-in in the card's place. Returns false if not even a stand-in can be had; `error` is why the card has to go. */
  #goSilent(error: number): boolean {
    const { slot, services } = this.#connection;
    this.transfer.error = 0;
    if (this.#isDead) return false;
    const { params, staging } = this.transfer.pcm;
    try {
      this.#replaceCard(new DummyPcm({ kind: "dummy", params, fd: -1 }, undefined, staging));
    } catch (failure) {
      this.#card = "stopped";
      this.#isDead = true;
      services.pollSetChanged();
      const text = `the card has failed (${errnoName(error)}), and so has its stand-in: ${failure}`;
      services.post({ op: "log", slot, level: "error", text });
      return false;
    }
    this.#standIn();
    return true;
  }

  /** The card is a stand-in, from now on. */
  #standIn(): void {
    const { queries, status } = this.#connection;
    this.#isLost = true;
    queries.standIn(this.transfer.pcm.params);
    status.setCardLost(true);
  }

  /** The main thread has opened the card that was lost, or somebody else's. */
  replaced(command: EngineCommand & { op: "replaced" }): void {
    const { slot, services, queries, status } = this.#connection;
    if (!this.#isLost) return;
    let pcm: Pcm;
    try {
      pcm = openPcm(command.pcm, this.transfer.pcm.staging);
    } catch (error) {
      const text = `the card is there again, and cannot be used: ${error}`;
      services.post({ op: "log", slot, level: "error", text });
      return services.post({ op: "lost", slot, errno: XEN_EIO });
    }
    this.#isLost = false;
    queries.end();
    status.setCardLost(false);
    const error = this.#replaceCard(pcm);
    if (error < 0) this.#recover(error);
  }

  #replaceCard(pcm: Pcm): number {
    const status = this.transfer.replaceCard(pcm, this.#card === "running");
    this.#cardChanged(pcm);
    this.#connection.services.pollSetChanged();
    return status;
  }

  #cardChanged({ params }: Pcm): void {
    this.#connection.status.set("cardBufferFrames", params.bufferFrames);
    this.#connection.status.set("cardPeriodFrames", params.periodFrames);
  }

  #reportNow(): void {
    this.transfer.position();
    this.#report();
  }

  /** Tells the guest the position that {@link Transfer.pump} found, if it is time to. */
  #report(): void {
    if (this.#card === "running") this.#feed.follow(this.transfer.reportable());
    this.transfer.report();
  }

  /** Lets go of card and buffer: nothing here touches them any more, even if an exception comes out of it. */
  release(): void {
    const { services, status } = this.#connection;
    services.pollSetChanged();
    try {
      if (this.#card === "running") this.#reportNow();
      this.transfer.stopped();
      this.transfer.pcm.drop();
      this.transfer.report();
    } finally {
      this.#buffer.detach();
      status.setCardLost(false);
      this.transfer.pcm.release();
    }
  }
}

/** Whether a card's error means that it will not do any more, and not just that it has stopped (xrun, suspend). */
function isLoss(error: number): boolean {
  return error < 0 && error !== -ERRNO.EPIPE && error !== -ERRNO.ESTRPIPE;
}
