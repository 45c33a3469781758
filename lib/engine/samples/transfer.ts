// SPDX-License-Identifier: MIT
/**
 * Moving samples between a guest's buffer and a card: what playback and capture have in common.
 *
 * All frames are absolute, counted from OPEN, and never wrap: octet `offset` of the guest's buffer holds frame
 * `n` where `n * frameBytes % bufferBytes === offset`. `base` is the absolute frame at which the card's own pointer
 * was 0, which moves each time the card is prepared anew.
 */
import type { Pcm } from "../../pcm/pcm.ts";
import { XEN_EINVAL } from "../../sndif/mod.ts";
import type { GuestBuffer } from "./guest_buffer.ts";
import type { PositionFeed } from "./position_feed.ts";
import type { StatusRow } from "../../bridge/stream_status.ts";
import type { StreamTrace } from "../stream_trace.ts";
import { Volume } from "./volume.ts";
import { Xruns } from "./xruns.ts";

export interface TransferOptions {
  /** The guest's period; 0 for a guest that wants no events. */
  readonly periodFrames?: number;
  readonly trace?: StreamTrace;
}

/** Octets that are moved in a turn of one stream's at most: a fraction of a millisecond. */
const TURN_BYTES = 1 << 18;
/** Changing a sample's volume takes as long as moving so many octets. */
const VOLUME_BYTES = 16;

export abstract class Transfer {
  readonly bufferFrames: number;
  protected readonly frameBytes: number;
  protected readonly stagingFrames: number;
  readonly volume: Volume;
  /** The end of what the guest has written (playback) or read (capture). */
  guestFrames = 0;
  /** The end of what has been handed to (playback) or taken from (capture) the card. */
  cardFrames = 0;
  /** The absolute frame of the card's frame 0. */
  protected base = 0;
  #position = 0;
  /** Whether {@link hold} had to stop the card for good, since it cannot pause. */
  #prepared = false;
  /** Whether {@link pump} has left samples behind, as there were more than are moved in a turn. */
  hasMore = false;
  #moved = 0;
  /** The card's last error, -errno; 0 while it is well. */
  error = 0;
  protected readonly xruns: Xruns;
  #pcm: Pcm;

  constructor(
    pcm: Pcm,
    readonly buffer: GuestBuffer,
    protected readonly feed: PositionFeed,
    protected readonly status: StatusRow,
    { trace }: TransferOptions = {},
  ) {
    this.#pcm = pcm;
    this.xruns = new Xruns(status, pcm.params.rate, trace);
    this.frameBytes = pcm.params.frameBytes;
    this.bufferFrames = buffer.bytes / this.frameBytes;
    this.stagingFrames = Math.floor(pcm.staging.byteLength / this.frameBytes);
    this.volume = new Volume(pcm);
  }

  get pcm(): Pcm {
    return this.#pcm;
  }

  /** The card's pointer as an absolute frame, read now; never goes back. */
  position(): number {
    return this.#moveTo(this.pcm.position());
  }

  /** The same as the card's last interrupt found it. */
  pointer(): number {
    return this.#moveTo(this.pcm.pointer());
  }

  #moveTo(pointer: number): number {
    if (pointer >= 0) this.#position = Math.max(this.#position, this.base + pointer);
    else this.error = pointer;
    return this.#position;
  }

  /** Answers a WRITE or READ of `length` octets at `offset`, both straight from the guest: 0, or -XEN_E*. */
  request(offset: number, length: number): number {
    if (offset >= this.buffer.bytes || length > this.buffer.bytes - offset) return -XEN_EINVAL;
    if (offset % this.frameBytes !== 0 || length % this.frameBytes !== 0) return -XEN_EINVAL;
    return this.serve(offset / this.frameBytes, length / this.frameBytes);
  }

  /** Octets that have been moved since this was last asked, those more that took longer. */
  takeMoved(): number {
    const moved = this.#moved;
    this.#moved = 0;
    return moved;
  }

  protected moves(frames: number): void {
    this.#moved += frames * this.frameBytes;
  }

  /** Moves `frames` frames through the volume. */
  protected movesAloud(frames: number): void {
    this.#moved += frames * this.#framePrice;
  }

  /** Frames that go through the volume in a turn. */
  protected get turnFrames(): number {
    return Math.max(1, Math.floor(TURN_BYTES / this.#framePrice));
  }

  get #framePrice(): number {
    const { volume, frameBytes, pcm: { params: { channels } } } = this;
    return volume.isChanging ? frameBytes + channels * VOLUME_BYTES : frameBytes;
  }

  /** The position that the guest may be told, by the card's pointer as {@link pump} or {@link position} last found it. */
  abstract reportable(): number;

  protected get lastPosition(): number {
    return this.#position;
  }

  protected abstract serve(offsetFrames: number, frames: number): number;

  /** Moves as many samples as both ends allow, by {@link pointer}, up to {@link turnFrames}. */
  abstract pump(): void;

  /** The guest's START, whether the card may run or not. */
  started(): void {}

  /** The guest's STOP or CLOSE: an xrun that is on has ended. Called before the card stops. */
  abstract stopped(): void;

  /** Makes the card start over at the absolute frame `at`; what it still held has been dropped. */
  rebase(at: number): void {
    this.pcm.prepare();
    this.base = this.#position = this.cardFrames = at;
  }

  /**
   * The guest has stopped the stream: its driver keeps its own pointer while the ALSA core goes back to frame 0 of
   * the buffer, so both agree again only at a multiple of the buffer. Returns the position that the guest must be
   * told for that (snd_xen_front's `xen_snd_front_alsa_handle_cur_pos` takes it modulo the buffer size).
   */
  restart(): number {
    this.stopped();
    this.pcm.drop();
    const at = Math.ceil(this.feed.toldFrames / this.bufferFrames) * this.bufferFrames;
    this.rebase(at);
    this.guestFrames = at;
    return at;
  }

  /**
   * Stops the card so that {@link unhold} goes on with the very next frame: by its own pause, or, if it has none or is to
   * be `emptied`, by giving it later once more what it now drops. A card that stands first has not gone on by the time
   * that it is dropped.
   */
  hold(emptied: boolean): void {
    if (this.#prepared) return;
    const stands = this.pcm.pause(true) === 0;
    if (stands && !emptied) return;
    this.position();
    this.pump();
    const at = this.reportable();
    this.pcm.drop();
    this.rebase(at);
    this.#prepared = true;
  }

  /** Goes on after {@link hold}; 0 or -errno. */
  unhold(): number {
    if (!this.#prepared) {
      this.pump();
      return this.pcm.pause(false);
    }
    this.#prepared = false;
    return this.start();
  }

  /** Lets the card run. */
  start(): number {
    this.#prepared = false;
    this.pump();
    return this.pcm.start();
  }

  /** Prepares and starts a card that could not be started as it was, with all that it has not played. 0 or -errno. */
  startAnew(): number {
    this.error = 0;
    this.rebase(this.reportable());
    return this.start();
  }

  /**
   * Starts a card anew that stopped by itself, as some plugins do when they run dry: what it was given is taken to have been
   * played, and the guest's clock goes on. 0 or -errno; -EPIPE and -ESTRPIPE are the errors that this can mend.
   */
  recover(): number {
    if (!this.hasPlayedAll() && !this.xruns.isOn) {
      this.xruns.begin(this.cardFrames, true, 0);
      this.xruns.end(0);
    }
    this.error = 0;
    this.rebase(Math.max(this.#position, this.cardFrames));
    return this.start();
  }

  /**
   * Goes on with another card in the place of this one, which is released: of the same rate and format, and with the same
   * staging. It takes over at the position; what this one held and has not played, it is given. 0, or -errno if it is to run
   * and does not.
   */
  replaceCard(pcm: Pcm, runs: boolean): number {
    this.position();
    this.#pcm.release();
    this.#pcm = pcm;
    this.error = 0;
    this.rebase(this.reportable());
    // Whatever it stands for, it has yet to be started.
    this.#prepared = true;
    return runs ? this.start() : 0;
  }

  /** Whether the card has run dry for want of the guest's samples: no fault of the card's, or of this host's. */
  protected abstract hasPlayedAll(): boolean;

  /** Writes the counters that go with this transfer to the stream's status row. */
  report(): void {
    this.status.add("movedFrames", this.#position - this.status.get("positionFrames"));
    this.status.set("positionFrames", this.#position);
    this.status.set("guestFrames", this.guestFrames);
    this.status.set("cardFrames", this.cardFrames);
  }
}
