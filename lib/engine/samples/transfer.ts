// SPDX-License-Identifier: MIT
/**
 * Moves samples between a guest's buffer and a device. This file has the part that playback and capture share.
 *
 * Frames are absolute: counted from OPEN, they never wrap. Octet `offset` of the guest's buffer holds frame `n` where
 * `n * frameBytes % bufferBytes === offset`. `base` is the absolute frame at which the device's own pointer was 0; preparing
 * the device anew moves it.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import type { Pcm } from "../../pcm/pcm.ts";
import { XEN_EINVAL } from "../../sndif/mod.ts";
import type { GuestBuffer } from "./guest_buffer.ts";
import type { PositionFeed } from "./position_feed.ts";
import { type KeptPositions, KeptStream } from "../../bridge/kept_stream.ts";
import type { StatusRow } from "../../bridge/stream_status.ts";
import type { StreamTrace } from "../stream_trace.ts";
import { Volume } from "./volume.ts";
import { Xruns } from "./xruns.ts";

/** The counter of the frames that pass a device: the host's own, a stand-in, or the silence that a denied stream has. */
export type PassedFrames = "heardFrames" | "standInFrames" | "deniedFrames";

export interface TransferOptions {
  /** The counter of the frames that pass the first device; by default `heardFrames`. */
  readonly passed?: PassedFrames;
  /** The guest's period; 0 for a guest that wants no events. */
  readonly periodFrames?: number;
  readonly trace?: StreamTrace;
  /** What the next daemon goes on by. */
  readonly kept?: KeptStream;
}

/** How one device takes another's place. */
export interface Succession {
  /** What passes the new device. */
  readonly passed?: PassedFrames;
  /** Whether the former device is left alone, and not released. */
  readonly keeps?: boolean;
  /** The new device has passed all before this frame already. */
  readonly least?: number;
}

/** Octets that one stream moves in a turn at most: a fraction of a millisecond. */
const TURN_BYTES = 1 << 18;
/** Changing one sample's volume takes as long as moving this many octets. */
const VOLUME_BYTES = 16;

export abstract class Transfer {
  readonly bufferFrames: number;
  protected readonly frameBytes: number;
  protected readonly stagingFrames: number;
  readonly volume: Volume;
  /** The end of what the guest has written (playback) or read (capture). */
  guestFrames = 0;
  /** The end of what has been handed to (playback) or taken from (capture) the device. */
  deviceFrames = 0;
  /** The absolute frame of the device's frame 0. */
  protected base = 0;
  #position = 0;
  /** Whether the device is prepared and has yet to be started: {@link hold} dropped its samples, or it took over from another. */
  #prepared = false;
  /** Whether {@link pump} has left samples behind: there were more than a turn's worth. */
  hasMore = false;
  #moved = 0;
  /** The device's last error, -errno; 0 while the device is well. */
  error = 0;
  protected readonly xruns: Xruns;
  protected readonly kept: KeptStream;
  #pcm: Pcm;
  /** The end of the frames that {@link settle} has counted. */
  protected settled = 0;
  #passed: PassedFrames;

  constructor(
    pcm: Pcm,
    readonly buffer: GuestBuffer,
    protected readonly feed: PositionFeed,
    protected readonly status: StatusRow,
    { trace, passed = "heardFrames", kept = new KeptStream() }: TransferOptions = {},
  ) {
    this.kept = kept;
    this.#pcm = pcm;
    this.#passed = passed;
    this.xruns = new Xruns(status, pcm.params.rate, trace);
    this.frameBytes = pcm.params.frameBytes;
    this.bufferFrames = buffer.bytes / this.frameBytes;
    if (!Number.isInteger(this.bufferFrames) || this.bufferFrames === 0) {
      throw new Error(
        `a buffer of ${buffer.bytes} octets is no whole number of frames of ${this.frameBytes}`,
      );
    }
    this.stagingFrames = Math.floor(pcm.staging.byteLength / this.frameBytes);
    this.volume = new Volume(pcm);
  }

  get pcm(): Pcm {
    return this.#pcm;
  }

  /** The device's pointer as an absolute frame, read now. The pointer never goes back. */
  position(): number {
    return this.#moveTo(this.pcm.position());
  }

  /** The device's pointer as its last interrupt found it. */
  pointer(): number {
    return this.#moveTo(this.pcm.pointer());
  }

  #moveTo(pointer: number): number {
    if (pointer >= 0) this.#position = Math.max(this.#position, this.base + pointer);
    else {
      this.error = pointer;
      if (pointer === -ERRNO.EPIPE) this.#ranDry();
    }
    return this.#position;
  }

  /** The device has stopped because it has played what it had (or had no room for more), so that its pointer cannot be read. */
  #ranDry(): void {
    this.#position = Math.max(this.#position, this.deviceFrames);
  }

  /** Answers a WRITE or READ of `length` octets at `offset` with 0 or -XEN_E*. Both numbers are the guest's, unchecked. */
  request(offset: number, length: number): number {
    if (offset >= this.buffer.bytes || length > this.buffer.bytes - offset) return -XEN_EINVAL;
    if (offset % this.frameBytes !== 0 || length % this.frameBytes !== 0) return -XEN_EINVAL;
    const status = this.serve(offset / this.frameBytes, length / this.frameBytes);
    this.kept.setGuestFrames(this.guestFrames);
    return status;
  }

  /** The price, in octets, of all that was moved since this was last asked: changing volumes costs extra. */
  takeMoved(): number {
    const moved = this.#moved;
    this.#moved = 0;
    return moved;
  }

  /** Counts `frames` that are moved as they are. */
  protected moves(frames: number): void {
    this.#moved += frames * this.frameBytes;
  }

  /** Counts `frames` that are moved through the volume. */
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

  /** The position that the guest may be told, by the device's pointer as {@link pump} or {@link position} last found it. */
  abstract reportable(): number;

  protected get lastPosition(): number {
    return this.#position;
  }

  /** Counts `frames` of sound that have passed the device. */
  protected pass(frames: number): void {
    this.status.add(this.#passed, frames);
  }

  /** Counts `frames` of silence in the place of sound; `isHosts`: this host is the cause. */
  protected silence(frames: number, isHosts: boolean): void {
    this.status.add("silenceFrames", frames);
    if (isHosts) this.status.add("hostSilenceFrames", frames);
  }

  /**
   * Counts the frames that the device has passed since the last call: see `COUNTERS`. To be called before another number changes
   * that the count depends on.
   */
  protected abstract settle(): void;

  /** Counts the frames that wait as discarded. The device is prepared anew or released next. */
  protected abstract discard(): void;

  protected abstract serve(offsetFrames: number, frames: number): number;

  /** Moves as many samples as both ends have room for by {@link pointer}, up to {@link turnFrames}. */
  abstract pump(): void;

  /** The guest's START, whether the device may run or not. */
  started(): void {}

  /** The guest's STOP or CLOSE, which ends an xrun. Called before the device stops. */
  abstract stopped(): void;

  /** Prepares the device, whose samples have been dropped, so that it goes on at the absolute frame `at`. */
  rebase(at: number): void {
    this.settle();
    this.pcm.prepare();
    this.error = 0;
    this.base =
      this.#position =
      this.deviceFrames =
      this.settled =
        at;
  }

  /**
   * The guest has stopped the stream. Its driver keeps its own pointer, and its ALSA core goes back to frame 0 of the buffer:
   * the two agree again at a multiple of the buffer alone. Returns the position that the guest must be told for that
   * (snd_xen_front's `xen_snd_front_alsa_handle_cur_pos` takes the position modulo the buffer).
   */
  restart(): number {
    this.#end();
    const at = Math.ceil(this.feed.toldFrames / this.bufferFrames) * this.bufferFrames;
    this.rebase(at);
    this.guestFrames = at;
    return at;
  }

  /**
   * Goes on where a former daemon's transfer has ended. A frame that the former device had played, and that the former daemon had not
   * seen played, is played once more.
   */
  resume({ position, guestFrames }: KeptPositions): void {
    this.rebase(position);
    this.guestFrames = guestFrames;
  }

  /** The guest has closed the stream, or is gone: device and buffer are released next. */
  close(): void {
    this.#end();
    this.report();
  }

  #end(): void {
    this.stopped();
    this.pcm.drop();
    this.settle();
    this.discard();
  }

  /**
   * Stops the device so that {@link unhold} goes on with the very next frame. The device pauses. If it cannot, or is to be
   * `emptied`, it drops its samples and gets them once more later. It pauses before it drops, so that it plays nothing
   * between the reading of its pointer and the drop.
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

  /** Starts the device; 0 or -errno. */
  start(): number {
    this.#prepared = false;
    this.pump();
    return this.pcm.start();
  }

  /** Prepares and starts a device that did not start as it was, with all samples that it has not played. 0 or -errno. */
  startAnew(): number {
    this.rebase(this.reportable());
    return this.start();
  }

  /**
   * Starts a device anew that stopped by itself, and the guest's clock goes on. `error` -EPIPE: the device ran dry, as some plugins'
   * do, and has played what it had. -ESTRPIPE: the device was suspended, and has lost what it had. 0 or -errno.
   */
  recover(error: number): number {
    this.settle();
    this.hasStopped(error === -ERRNO.ESTRPIPE);
    if (error === -ERRNO.EPIPE) this.#ranDry();
    this.rebase(Math.max(this.#position, this.deviceFrames));
    return this.start();
  }

  /**
   * Goes on with the device `pcm` in the place of the former one, which is released, unless the caller `keeps` it. The new device has
   * the same rate, format and staging. It takes over at the position, at `least` there, and gets the samples that the former one has
   * not played; `passed` counts what passes it. Returns 0, or -errno if the device is to run and does not.
   */
  replaceDevice(
    pcm: Pcm,
    runs: boolean,
    { passed = "heardFrames", keeps = false, least = 0 }: Succession = {},
  ): number {
    const { params: { rate, channels, format }, staging } = pcm;
    const former = this.#pcm.params;
    if (
      rate !== former.rate || channels !== former.channels || format !== former.format ||
      staging !== this.#pcm.staging
    ) {
      pcm.release();
      throw new Error("a device of another rate, format or staging in the place of the stream's");
    }
    this.#position = Math.max(this.position(), least);
    if (!keeps) this.#pcm.release();
    this.#pcm = pcm;
    // The frames up to here are those of the former device.
    this.rebase(this.reportable());
    this.#passed = passed;
    this.#prepared = true;
    return runs ? this.start() : 0;
  }

  /**
   * The device has stopped by itself; `isSuspended`: with what it had. Counts an xrun, unless there is one, or nothing is missing
   * but the guest's samples.
   */
  protected abstract hasStopped(isSuspended: boolean): void;

  /** Writes this transfer's counters to the stream's status row. */
  report(): void {
    this.settle();
    this.status.set("positionFrames", this.#position);
    this.status.set("guestFrames", this.guestFrames);
    this.status.set("cardFrames", this.deviceFrames);
    this.kept.setPosition(this.reportable());
    this.kept.setGuestFrames(this.guestFrames);
  }
}
