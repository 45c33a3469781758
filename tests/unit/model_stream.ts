// SPDX-License-Identifier: MIT
/** A stream on a model of a device, driven step by step as OpenStream and StreamLife do. */
import assert from "node:assert/strict";
import { Memory } from "../../ffi/libc/memory.ts";
import { COUNTERS, createStatusTable, StatusRow } from "../../lib/bridge/stream_status.ts";
import { Capture } from "../../lib/engine/samples/capture.ts";
import { GuestBuffer } from "../../lib/engine/samples/guest_buffer.ts";
import { Playback } from "../../lib/engine/samples/playback.ts";
import { PositionFeed } from "../../lib/engine/samples/position_feed.ts";
import type { PassedFrames } from "../../lib/engine/samples/transfer.ts";
import type { Direction } from "../../lib/pcm/pcm.ts";
import { frameSums } from "../frame_sums.ts";
import { FRAME_BYTES, ModelCard, type ModelCardOptions } from "./model_card.ts";

export const [EPIPE, ESTRPIPE, ENODEV] = [32, 86, 19];
/** What the guest's buffer holds before the guest has written. */
const UNWRITTEN = 0xffffffff;

export interface Sizes extends Omit<ModelCardOptions, "staging" | "bufferFrames"> {
  readonly guestFrames: number;
  readonly cardFrames: number;
}

export type Step =
  /**
   * The guest writes or reads that many frames, where it left off. `isBlind`: whatever room it knows of. `isFollowed`: the engine
   * serves the next request before it moves samples.
   */
  | { readonly move: number; readonly isBlind?: boolean; readonly isFollowed?: boolean }
  /** The guest goes on elsewhere: it writes on from that many frames after its end. */
  | { readonly jump: number }
  /** Time passes; `wakes`: and the engine serves the device. */
  | { readonly run: number; readonly wakes: boolean }
  | { readonly hold: "paused" | "stopped" | "none" }
  | { readonly trigger: "start" | "stop" }
  | { readonly fail: number }
  | { readonly replace: PassedFrames }
  /** The device takes and gives that many frames at once. */
  | { readonly limit: number }
  | { readonly reopen: true };

export class ModelStream {
  readonly row = new StatusRow(createStatusTable(1), 0);
  #before = this.row.counts();
  readonly #memory: Uint32Array<ArrayBuffer>;
  #transfer: Playback | Capture;
  #card: ModelCard;
  #feed = new PositionFeed();
  /** The host's devices, among all. */
  readonly #hosts: ModelCard[] = [];
  #device: "stopped" | "running" | "held" = "stopped";
  #isStarted = false;
  #hold: "paused" | "stopped" | "none" = "none";
  /** The end of what the guest has written or read, as the guest knows it. */
  #applPtr = 0;
  #nextNumber = 1;
  /** Whether the engine has served a request, and has yet to move samples. */
  #isInTurn = false;
  /** Capture: the numbers of the frames that the guest has read. */
  readonly read: number[] = [];

  constructor(readonly direction: Direction, private readonly sizes: Sizes) {
    this.#memory = new Uint32Array(sizes.guestFrames).fill(UNWRITTEN);
    this.#card = this.#newCard("heardFrames");
    this.#transfer = this.#open();
  }

  #newCard(passed: PassedFrames, staging?: ArrayBuffer): ModelCard {
    const { kind, canPause, cardFrames, periodFrames } = this.sizes;
    const isHosts = passed === "heardFrames";
    const card = new ModelCard(this.direction, {
      ...{ bufferFrames: cardFrames, periodFrames, staging },
      kind: isHosts ? kind : "hardware",
      canPause: canPause || !isHosts,
      isSilent: !isHosts,
    });
    card.recorded = this.#hosts.at(-1)?.recorded ?? 0;
    if (isHosts) this.#hosts.push(card);
    return card;
  }

  #open(): Playback | Capture {
    const buffer = new GuestBuffer(Memory.of(this.#memory.buffer), this.#card.staging);
    const Direction = this.direction === "playback" ? Playback : Capture;
    const { periodFrames } = this.sizes;
    const transfer = new Direction(this.#card, buffer, this.#feed, this.row, { periodFrames });
    transfer.report();
    return transfer;
  }

  take(step: Step): void {
    if ("jump" in step) {
      this.#applPtr += step.jump;
      return;
    }
    if ("move" in step) {
      this.#move(step.move, step.isBlind === true);
      this.#isInTurn = step.isFollowed === true;
      if (this.#isInTurn) return;
    }
    if ("move" in step || this.#isInTurn) this.#pump();
    this.#isInTurn = false;
    if ("run" in step) {
      this.#card.advance(step.run);
      if (step.wakes) this.#pump();
    } else if ("hold" in step) this.#setHold(step.hold);
    else if ("trigger" in step) this.#trigger(step.trigger);
    else if ("fail" in step) this.#fail(step.fail);
    else if ("replace" in step) this.#replace(step.replace);
    else if ("limit" in step) this.#card.limit = step.limit;
    else if ("reopen" in step) this.#reopen();
    this.check(true);
  }

  #move(wanted: number, isBlind: boolean): void {
    const { guestFrames } = this.sizes;
    const told = this.#feed.toldFrames;
    const isPlayback = this.direction === "playback";
    const known = isPlayback ? guestFrames - (this.#applPtr - told) : told - this.#applPtr;
    for (let left = isBlind ? wanted : Math.min(wanted, known); left > 0;) {
      const offset = this.#applPtr % guestFrames;
      const part = Math.min(left, guestFrames - offset);
      if (isPlayback) { for (let i = 0; i < part; i++) this.#memory[offset + i] = this.#nextNumber++; }
      const before = this.#transfer.guestFrames;
      const status = this.#transfer.request(offset * FRAME_BYTES, part * FRAME_BYTES);
      if (!isPlayback && status === 0) {
        this.read.push(...this.#memory.subarray(offset, offset + part).filter((number) => number !== 0));
        // Samples that the guest has left for too long are lost.
        this.#applPtr = Math.max(this.#transfer.guestFrames, before);
      } else this.#applPtr += part;
      left -= part;
    }
  }

  #pump(): void {
    const transfer = this.#transfer;
    transfer.pump();
    const { error } = transfer;
    if (error !== 0) this.#recover(error);
    this.#report();
  }

  #recover(error: number): void {
    const transfer = this.#transfer;
    if (error === -EPIPE || error === -ESTRPIPE) {
      transfer.error = 0;
      if (this.#device !== "running" || transfer.recover(error) === 0) return;
    }
    this.#replace("standInFrames");
  }

  #report(): void {
    if (this.#device === "running") this.#feed.follow(this.#transfer.reportable());
    this.#transfer.report();
  }

  #runDevice(): void {
    const transfer = this.#transfer;
    const runs = this.#isStarted && this.#hold === "none";
    const isEmptied = this.#hold === "stopped";
    if (runs && this.#device !== "running") {
      let status = this.#device === "held" ? transfer.unhold() : transfer.start();
      if (status < 0 && status !== -ENODEV) status = transfer.startAnew();
      if (status < 0) this.#replace("standInFrames");
      if (status < 0) assert.equal(transfer.start(), 0);
      this.#device = "running";
    } else if (!runs && this.#device === "running") {
      transfer.position();
      this.#report();
      transfer.hold(isEmptied);
      this.#device = "held";
    } else if (this.#device === "held" && isEmptied) transfer.hold(true);
    transfer.report();
  }

  #setHold(hold: "paused" | "stopped" | "none"): void {
    this.#hold = hold;
    this.#runDevice();
  }

  #trigger(trigger: "start" | "stop"): void {
    const isStart = trigger === "start";
    if (isStart === this.#isStarted) return;
    this.#isStarted = isStart;
    if (isStart) this.#transfer.started();
    else {
      this.#transfer.position();
      this.#report();
      const at = this.#transfer.restart();
      this.#feed.tell(at);
      this.#applPtr = at;
      this.#device = "stopped";
    }
    this.#runDevice();
  }

  /** The device is suspended or lost, at a moment at which its pointer was just read. */
  #fail(error: number): void {
    this.#transfer.position();
    this.#card.fail(error);
    this.#pump();
  }

  #replace(passed: PassedFrames): void {
    const card = this.#newCard(passed, this.#card.staging);
    this.#card = card;
    assert.equal(this.#transfer.replaceDevice(card, this.#device === "running", { passed }), 0);
    this.#transfer.report();
  }

  #reopen(): void {
    if (this.#device === "running") {
      this.#transfer.position();
      this.#report();
    }
    this.#transfer.close();
    this.check(false);
    this.#device = "stopped";
    this.#isStarted = false;
    this.#applPtr = 0;
    this.#feed = new PositionFeed();
    this.#card = this.#newCard("heardFrames");
    this.#transfer = this.#open();
  }

  check(isOpen: boolean): void {
    for (const { name, left, right } of frameSums(this.direction, (name) => this.row.get(name), isOpen)) {
      assert.equal(left, right, `${name}: ${JSON.stringify(this.row.counts())}`);
    }
    const now = this.row.counts();
    for (const name of COUNTERS) assert(now[name] >= this.#before[name], `${name} has fallen`);
    this.#before = now;
  }

  /** Closes the stream; then what the counters say was heard is what the devices have played, or given. */
  end(): void {
    this.#reopen();
    const heard = this.row.get("heardFrames");
    if (this.direction === "playback") {
      const played = this.#hosts.flatMap((card) => card.played).filter((number) => number !== 0);
      assert.equal(heard, played.length, "frames that the host's devices have played");
    } else {
      const isOnce = this.read.every((number, i) => i === 0 || number > this.read[i - 1]!);
      assert(isOnce, "the guest has read each frame once, and in their order");
      const { recorded } = this.#hosts.at(-1)!;
      assert(this.read.length <= heard && heard <= recorded, `${this.read.length}, ${heard}, ${recorded}`);
    }
  }
}
