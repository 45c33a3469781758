// SPDX-License-Identifier: MIT
/**
 * The part of a guest's ALSA core that works on one substream (sound/core/pcm_native.c and pcm_lib.c): states, pointers, xruns,
 * and the calls of a program. Each call returns a number from 0 up, or -errno, and may sleep. All sizes and pointers are in
 * frames; the pointers count from `prepare`.
 *
 * The stream lock is a mutex, since the driver's PCM is `nonatomic`. A trigger waits for its answer under that lock: meanwhile the
 * interrupt's thread, which tells the core of a period, waits as well.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import type { Direction } from "../../../lib/pcm/pcm.ts";
import type { EventIdBehaviour, HwParam } from "../../../lib/sndif/mod.ts";
import type { Incident, SegmentCause } from "./account.ts";
import { frameBytesOf, type PcmConfig } from "./hw_params.ts";
import { HwPointer } from "./hw_pointer.ts";
import type { CardOfSubstream, PcmOps, PcmState } from "./pcm_ops.ts";
import { type Blocking, Mutex, type Tasks, WaitQueue } from "./tasks.ts";

/** What a read or write returns in a state; -EBADFD in all others. */
const ACCESSIBLE: Partial<Record<PcmState, number>> = {
  prepared: 0,
  running: 0,
  paused: 0,
  xrun: -ERRNO.EPIPE,
  suspended: -ERRNO.ESTRPIPE,
};

/** `struct snd_pcm_sw_params`. */
export interface SwParams {
  readonly availMin: number;
  readonly startThreshold: number;
  readonly stopThreshold: number;
}

export class Substream {
  state: PcmState = "open";
  isOpened = false;
  config: PcmConfig | undefined;
  bufferFrames = 0;
  periodFrames = 0;
  frameBytes = 0;
  readonly #hwPointer = new HwPointer();
  applPtr = 0;
  xruns = 0;
  #sw: SwParams = { availMin: 1, startThreshold: 1, stopThreshold: Infinity };
  #twake = 0;
  readonly #lock: Mutex;
  /** `runtime->sleep`, for poll(2), and `tsleep`, for blocking reads and writes. */
  readonly #sleep = new WaitQueue();
  readonly #tsleep = new WaitQueue();

  constructor(
    private readonly tasks: Tasks,
    readonly direction: Direction,
    private readonly generation: EventIdBehaviour,
    private readonly ops: PcmOps,
    private readonly card: CardOfSubstream,
    private readonly incident: (kind: Incident["kind"], text: string) => void,
  ) {
    this.#lock = new Mutex(tasks);
  }

  /** The device's pointer, as the core last read it. */
  get hwPtr(): number {
    return this.#hwPointer.frame;
  }

  get isPlayback(): boolean {
    return this.direction === "playback";
  }

  /** `snd_pcm_running`. */
  get isRunning(): boolean {
    return this.state === "running" || this.state === "draining" && this.isPlayback;
  }

  /** `snd_pcm_avail`: frames of room, or frames to read. */
  get avail(): number {
    return this.isPlayback ? this.hwPtr + this.bufferFrames - this.applPtr : this.hwPtr - this.applPtr;
  }

  /** `snd_pcm_open`. A substream that is open already makes a non-blocking open fail. */
  *open(): Blocking<number> {
    if (this.card.isShutdown) return -ERRNO.ENODEV;
    if (this.isOpened) return -ERRNO.EBUSY;
    this.isOpened = true;
    this.card.fileOpened();
    this.state = "open";
    this.config = undefined;
    this.bufferFrames =
      this.periodFrames =
      this.frameBytes =
      this.applPtr =
        0;
    return yield* this.ops.open();
  }

  /** `SNDRV_PCM_IOCTL_HW_REFINE`. */
  *refine(space: HwParam): Blocking<number> {
    if (this.card.isShutdown) return -ERRNO.ENODEV;
    return yield* this.ops.refine(space);
  }

  /** `snd_pcm_hw_params`; `space` has the configuration alone. */
  *hwParams(space: HwParam, config: PcmConfig): Blocking<number> {
    if (this.card.isShutdown) return -ERRNO.ENODEV;
    if (this.state !== "open" && this.state !== "setup" && this.state !== "prepared") return -ERRNO.EBADFD;
    if (this.state === "prepared") this.ops.abandoned("stop");
    let error = yield* this.ops.refine(space);
    if (error >= 0) error = yield* this.ops.hwParams(config);
    if (error < 0) {
      // The core calls hw_free after any failure, so that the backend gets a CLOSE.
      this.state = "open";
      yield* this.ops.hwFree();
      return error;
    }
    this.config = config;
    this.bufferFrames = config.bufferFrames;
    this.periodFrames = config.periodFrames;
    this.frameBytes = frameBytesOf(config);
    this.#sw = { availMin: config.periodFrames, startThreshold: 1, stopThreshold: config.bufferFrames };
    this.state = "setup";
    return 0;
  }

  /** `snd_pcm_sw_params`. */
  swParams(sw: SwParams): number {
    if (this.card.isShutdown) return -ERRNO.ENODEV;
    if (this.state === "open") return -ERRNO.EBADFD;
    this.#sw = sw;
    return 0;
  }

  /** `snd_pcm_hw_free`. */
  *hwFree(): Blocking<number> {
    if (this.card.isShutdown) return -ERRNO.ENODEV;
    if (this.state !== "setup" && this.state !== "prepared") return -ERRNO.EBADFD;
    const result = yield* this.ops.hwFree();
    this.state = "open";
    return result;
  }

  /** `snd_pcm_prepare`. */
  *prepare(): Blocking<number> {
    if (this.card.isShutdown) return -ERRNO.ENODEV;
    if (this.state === "suspended") yield* this.#locked(this.#stop("setup", "suspend"));
    // snd_pcm_pre_prepare
    if (this.state === "open" || this.state === "disconnected") return -ERRNO.EBADFD;
    if (this.isRunning) return -ERRNO.EBUSY;
    if (this.state === "prepared") this.ops.abandoned("stop");
    const error = yield* this.ops.prepare();
    if (error < 0) return error;
    // snd_pcm_do_reset, snd_pcm_post_prepare
    this.#hwPointer.reset(this.config!);
    this.applPtr = 0;
    this.state = "prepared";
    return 0;
  }

  /** `snd_pcm_start`. */
  *start(): Blocking<number> {
    if (this.card.isShutdown) return -ERRNO.ENODEV;
    return yield* this.#locked(this.#start());
  }

  *#start(): Blocking<number> {
    if (this.state !== "prepared") return -ERRNO.EBADFD;
    if (this.isPlayback && this.avail >= this.bufferFrames) return -ERRNO.EPIPE;
    const error = yield* this.ops.trigger("start", "stop");
    if (error < 0) {
      // snd_pcm_undo_start
      yield* this.ops.trigger("stop", "stop");
      return error;
    }
    this.#hwPointer.started(this.tasks.clock.now);
    this.state = "running";
    return 0;
  }

  /** `snd_pcm_stop`. */
  *#stop(state: PcmState, cause: SegmentCause): Blocking<number> {
    if (this.state === "open") return -ERRNO.EBADFD;
    if (this.isRunning) yield* this.ops.trigger("stop", cause);
    else if (this.state === "prepared") this.ops.abandoned(cause);
    this.state = state;
    this.#wakeAll();
    return 0;
  }

  #wakeAll(): void {
    this.#sleep.wakeAll();
    this.#tsleep.wakeAll();
  }

  /** `snd_pcm_drop`. */
  *drop(): Blocking<number> {
    if (this.card.isShutdown) return -ERRNO.ENODEV;
    return yield* this.#drop();
  }

  *#drop(): Blocking<number> {
    if (this.state === "open" || this.state === "disconnected") return -ERRNO.EBADFD;
    return yield* this.#locked(this.#dropLocked());
  }

  *#dropLocked(): Blocking<number> {
    if (this.state === "paused") yield* this.#pause(false);
    return yield* this.#stop("setup", "stop");
  }

  /** `snd_pcm_pause`, for a driver that can. */
  *pause(isOn: boolean): Blocking<number> {
    if (this.card.isShutdown) return -ERRNO.ENODEV;
    return yield* this.#locked(this.#pause(isOn));
  }

  *#pause(isOn: boolean): Blocking<number> {
    if (this.state !== (isOn ? "running" : "paused")) return -ERRNO.EBADFD;
    if (isOn && (yield* this.#updateHwPtr(false)) < 0) return -ERRNO.EPIPE;
    const error = yield* this.ops.trigger(isOn ? "pause" : "resume", "stop");
    if (error < 0) return error;
    this.#hwPointer.started(this.tasks.clock.now);
    this.state = isOn ? "paused" : "running";
    this.#wakeAll();
    return 0;
  }

  /** `snd_pcm_suspend`, as the guest goes to sleep. */
  *suspend(): Blocking<void> {
    yield* this.#lock.lock();
    // snd_pcm_pre_suspend, snd_pcm_do_suspend
    if (this.state !== "open" && this.state !== "setup" && this.state !== "disconnected") {
      if (this.isRunning) yield* this.ops.trigger("suspend", "suspend");
      else if (this.state === "prepared") this.ops.abandoned("suspend");
      this.state = "suspended";
      this.#wakeAll();
    }
    this.#lock.unlock();
  }

  /** `snd_pcm_drain`: returns when all was played. */
  *drain(): Blocking<number> {
    if (this.card.isShutdown) return -ERRNO.ENODEV;
    if (this.state === "open" || this.state === "disconnected" || this.state === "suspended") {
      return -ERRNO.EBADFD;
    }
    yield* this.#lock.lock();
    let result = yield* this.#drainInit();
    while (result === 0 && this.state === "draining" && this.isPlayback) {
      this.#lock.unlock();
      const woken = yield* this.tasks.sleep(this.#sleep, this.#patience, true);
      yield* this.#lock.lock();
      if (this.card.isShutdown) result = -ERRNO.ENODEV;
      else if (woken === "interrupted") result = -ERRNO.ERESTART;
      else if (woken === "timeout") {
        result = (this.state as PcmState) === "suspended" ? -ERRNO.ESTRPIPE : -ERRNO.EIO;
        if (result === -ERRNO.EIO) yield* this.#stop("setup", "drained");
      }
    }
    this.#lock.unlock();
    return result;
  }

  /** `snd_pcm_do_drain_init`. */
  *#drainInit(): Blocking<number> {
    if (this.state === "paused") yield* this.#pause(false);
    if (!this.isPlayback) {
      if (this.state !== "running") return 0;
      return yield* this.#stop(this.avail > 0 ? "draining" : "setup", "drained");
    }
    if (this.state === "running") this.state = "draining";
    else if (this.state === "xrun") this.state = "setup";
    else if (this.state === "prepared" && this.avail < this.bufferFrames) {
      // The core does not look whether the START has failed.
      yield* this.ops.trigger("start", "drained");
      this.#hwPointer.started(this.tasks.clock.now);
      this.state = "draining";
    } else if (this.state === "prepared") {
      this.ops.abandoned("drained");
      this.state = "setup";
    }
    return 0;
  }

  /** How long the core waits for a period (`wait_for_avail`, `snd_pcm_drain`), µs. */
  get #patience(): number {
    const { bufferFrames, periodFrames } = this;
    const rate = this.config?.rate ?? 0;
    if (this.generation === "linux-6.1") {
      return 1e6 * Math.max(10, rate === 0 ? 0 : Math.floor(periodFrames * 2 / rate));
    }
    return 1000 * Math.max(100, rate === 0 ? 0 : Math.floor(bufferFrames * 1100 / rate));
  }

  /** `snd_pcm_writei`. Returns the frames that were written, or -errno. */
  write(frames: number, isBlocking: boolean): Blocking<number> {
    return this.#transfer(frames, isBlocking);
  }

  /** `snd_pcm_readi`. Returns the frames that were read, or -errno. */
  read(frames: number, isBlocking: boolean): Blocking<number> {
    return this.#transfer(frames, isBlocking);
  }

  /** `__snd_pcm_lib_xfer`. */
  *#transfer(size: number, isBlocking: boolean): Blocking<number> {
    if (this.card.isShutdown) return -ERRNO.ENODEV;
    if (size === 0) return 0;
    yield* this.#lock.lock();
    let done = 0;
    let error = this.#accessible;
    if (error === 0) {
      this.#twake = Math.max(1, this.#sw.availMin);
      if (this.state === "running") error = Math.min(0, yield* this.#updateHwPtr(false));
      if (error === 0) error = this.#accessible;
    }
    if (error === 0 && !this.isPlayback && this.state === "prepared" && size >= this.#sw.startThreshold) {
      error = yield* this.#start();
    }
    while (error === 0 && done < size) {
      if (this.avail <= 0) {
        if (!this.isPlayback && this.state === "draining") {
          yield* this.#stop("setup", "drained");
          error = -ERRNO.EPIPE;
          break;
        }
        if (!isBlocking) {
          error = -ERRNO.EAGAIN;
          break;
        }
        this.#twake = Math.min(size - done, Math.max(1, this.#sw.availMin));
        error = yield* this.#waitForAvail();
        if (error < 0 || this.avail <= 0) continue;
      }
      const offset = this.applPtr % this.bufferFrames;
      const frames = Math.min(size - done, this.avail, this.bufferFrames - offset);
      this.#lock.unlock();
      error = Math.min(0, yield* this.ops.copy(offset, frames, this.applPtr));
      yield* this.#lock.lock();
      if (error === 0) error = this.#accessible;
      if (error < 0) break;
      this.applPtr += frames;
      done += frames;
      if (
        this.isPlayback && this.state === "prepared" &&
        this.bufferFrames - this.avail >= this.#sw.startThreshold
      ) error = Math.min(0, yield* this.#start());
    }
    this.#twake = 0;
    if (done > 0 && error >= 0 && this.isRunning) yield* this.#updateState();
    this.#lock.unlock();
    return done > 0 ? done : error;
  }

  /** `pcm_accessible_state`: 0 or -errno. */
  get #accessible(): number {
    const { state } = this;
    if (state === "draining") return this.isPlayback ? -ERRNO.EBADFD : 0;
    return ACCESSIBLE[state] ?? -ERRNO.EBADFD;
  }

  /** `wait_for_avail`. Called and left with the stream lock held. */
  *#waitForAvail(): Blocking<number> {
    for (;;) {
      if (this.tasks.current.isKilled) return -ERRNO.ERESTART;
      if (this.avail >= this.#twake) return 0;
      this.#lock.unlock();
      const woken = yield* this.tasks.sleep(this.#tsleep, this.#patience, true);
      yield* this.#lock.lock();
      switch (this.state) {
        case "suspended":
          return -ERRNO.ESTRPIPE;
        case "xrun":
          return -ERRNO.EPIPE;
        case "draining":
          return this.isPlayback ? -ERRNO.EPIPE : 0;
        case "open":
        case "setup":
        case "disconnected":
          return -ERRNO.EBADFD;
        case "paused":
          continue;
      }
      if (woken === "timeout") return -ERRNO.EIO;
    }
  }

  /** poll(2) for room or samples, for at most `micros` µs: 0, or -errno if a signal came. */
  *poll(micros: number): Blocking<number> {
    if (this.card.isShutdown || !this.isRunning || this.avail >= this.#sw.availMin) return 0;
    return (yield* this.tasks.sleep(this.#sleep, micros, true)) === "interrupted" ? -ERRNO.ERESTART : 0;
  }

  /** `SNDRV_PCM_IOCTL_HWSYNC`: 0 or -errno, with {@link hwPtr} as it is now. */
  *hwSync(): Blocking<number> {
    if (this.card.isShutdown) return -ERRNO.ENODEV;
    yield* this.#lock.lock();
    let error = 0;
    if (this.isRunning) error = Math.min(0, yield* this.#updateHwPtr(false));
    else if (this.state === "xrun") error = -ERRNO.EPIPE;
    else if (this.state === "suspended") error = -ERRNO.ESTRPIPE;
    else if (this.state !== "prepared" && this.state !== "paused") error = -ERRNO.EBADFD;
    this.#lock.unlock();
    return error;
  }

  /** `snd_pcm_rewind`: frames by which the application's pointer goes back. */
  *rewind(frames: number): Blocking<number> {
    const error = yield* this.hwSync();
    if (error < 0 || !this.isPlayback) return error;
    const back = Math.min(frames, Math.max(0, this.applPtr - this.hwPtr));
    this.applPtr -= back;
    return back;
  }

  /** `snd_pcm_forward`: frames that the application passes over without writing them. */
  *forward(frames: number): Blocking<number> {
    const error = yield* this.hwSync();
    if (error < 0) return error;
    const on = Math.min(frames, Math.max(0, this.avail));
    this.applPtr += on;
    return on;
  }

  /** `snd_pcm_period_elapsed`, in the interrupt's thread. */
  *periodElapsed(): Blocking<void> {
    yield* this.#lock.lock();
    if (this.isRunning) yield* this.#updateHwPtr(true);
    this.#lock.unlock();
  }

  /** `snd_pcm_update_hw_ptr0`. */
  *#updateHwPtr(isInterrupt: boolean): Blocking<number> {
    const hwPointer = this.#hwPointer;
    const old = hwPointer.frame;
    const pos = this.ops.pointer();
    if (!hwPointer.update(pos, isInterrupt, this.tasks.clock.now)) {
      const text = `the pointer goes from ${old} to ${pos} in a buffer of ${this.bufferFrames}`;
      this.incident("wrong position", text);
      return 0;
    }
    return hwPointer.frame === old ? 0 : yield* this.#updateState();
  }

  /** `snd_pcm_update_state`: -EPIPE after an xrun, or at the end of a drain. */
  *#updateState(): Blocking<number> {
    const { avail } = this;
    if (this.state === "draining") {
      if (avail >= this.bufferFrames) {
        yield* this.#stop("setup", "drained");
        return -ERRNO.EPIPE;
      }
    } else if (avail >= this.#sw.stopThreshold) {
      this.xruns++;
      yield* this.#stop("xrun", "xrun");
      return -ERRNO.EPIPE;
    }
    if (this.#twake > 0) {
      if (avail >= this.#twake) this.#tsleep.wakeAll();
    } else if (avail >= this.#sw.availMin) this.#sleep.wakeAll();
    return 0;
  }

  /** `snd_pcm_release`: what close(2) does, or the end of the program. */
  *release(): Blocking<void> {
    if (!this.isOpened) return;
    yield* this.#drop();
    if (this.state !== "open") yield* this.ops.hwFree();
    this.state = "open";
    yield* this.ops.close();
    this.isOpened = false;
    this.card.fileClosed();
  }

  /** `snd_pcm_dev_disconnect`. */
  *disconnect(): Blocking<void> {
    if (!this.isOpened) return;
    yield* this.#lock.lock();
    if (this.isRunning) yield* this.#stop("disconnected", "disconnect");
    this.state = "disconnected";
    this.#wakeAll();
    this.#lock.unlock();
  }

  *#locked(body: Blocking<number>): Blocking<number> {
    yield* this.#lock.lock();
    const result = yield* body;
    this.#lock.unlock();
    return result;
  }
}
