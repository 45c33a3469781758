// SPDX-License-Identifier: MIT
/**
 * An open PCM: {@link SndPcm} sets it up and owns it (main thread), {@link SndPcmIo} moves frames through it from any
 * one thread.
 */
import { ERRNO } from "../libc/errno.ts";
import { check, libasound, text } from "./libasound.ts";
import { allocate, HwParams, SwParams } from "./libasound_params.ts";
import { addressOf, whileAlive, wrappedMicros } from "../libc/libc.ts";
import { cString } from "../base/library.ts";
import { mappedBuffer } from "../libc/memory.ts";

type Pointer = NonNullable<Deno.PointerValue>;

/** A poll descriptor of a PCM. */
export interface SndPollFd {
  readonly fd: number;
  /** `POLL.*` bits to wait for. */
  readonly events: number;
}

/** `snd_pcm_info_t`: which device an open PCM is. */
export interface SndPcmInfo {
  /** -1: no hardware card (a plugin). */
  readonly card: number;
  readonly device: number;
  readonly subdevice: number;
  readonly id: string;
  readonly name: string;
  readonly subdeviceName: string;
}

/** A `snd_pcm_t`, open. Methods throw {@link AlsaError}; those that may take seconds run on a pool thread. */
export class SndPcm implements AsyncDisposable {
  #pcm: Deno.PointerValue;

  private constructor(readonly name: string, pcm: Pointer) {
    this.#pcm = pcm;
  }

  /**
   * @param name an ALSA PCM name, e.g. `hw:0,0`
   * @param stream `SND_PCM_STREAM.*`
   * @param mode `SND_PCM_NONBLOCK` and `SND_PCM_NO_AUTO.*` bits
   */
  static async open(name: string, stream: number, mode: number): Promise<SndPcm> {
    const [out, cName] = [new BigUint64Array(1), cString(name)];
    const opened = await whileAlive(libasound().snd_pcm_open_async(out, cName, stream, mode), out, cName);
    check(opened, `snd_pcm_open ${name}`);
    return new SndPcm(name, Deno.UnsafePointer.create(out[0])!);
  }

  /** The `snd_pcm_t *`, for calls of {@link libasound}. */
  get pointer(): Pointer {
    if (this.#pcm === null) throw new TypeError(`the ALSA PCM ${this.name} is closed`);
    return this.#pcm;
  }

  /** The same as a number, for {@link SndPcmIo} on another thread, which must be done with it before the close. */
  get address(): bigint {
    return Deno.UnsafePointer.value(this.pointer);
  }

  /** Stops at once and closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#pcm === null) return;
    const pcm = this.#pcm;
    this.#pcm = null;
    check(await libasound().snd_pcm_close_async(pcm), `snd_pcm_close ${this.name}`);
  }

  /** All that the PCM can be set up as. */
  hwParams(): HwParams {
    return new HwParams(this.pointer);
  }

  /** Sets the PCM up with one configuration out of `params`, and prepares it. */
  async setHwParams(params: HwParams): Promise<void> {
    const result = await whileAlive(
      libasound().snd_pcm_hw_params_async(this.pointer, params.pointer),
      params,
    );
    check(result, `snd_pcm_hw_params ${this.name}`);
  }

  /** Undoes {@link setHwParams}. */
  async hwFree(): Promise<void> {
    check(await libasound().snd_pcm_hw_free_async(this.pointer), `snd_pcm_hw_free ${this.name}`);
  }

  swParams(): SwParams {
    return new SwParams(this.pointer);
  }

  setSwParams(params: SwParams): void {
    check(libasound().snd_pcm_sw_params(this.pointer, params.pointer), `snd_pcm_sw_params ${this.name}`);
  }

  nonblock(nonblocking: boolean): void {
    check(libasound().snd_pcm_nonblock(this.pointer, Number(nonblocking)), `snd_pcm_nonblock ${this.name}`);
  }

  async prepare(): Promise<void> {
    check(await libasound().snd_pcm_prepare_async(this.pointer), `snd_pcm_prepare ${this.name}`);
  }

  /** Plays what is queued to its end. EAGAIN at once if the PCM is non-blocking. */
  async drain(): Promise<void> {
    check(await libasound().snd_pcm_drain_async(this.pointer), `snd_pcm_drain ${this.name}`);
  }

  /** `SND_PCM_STATE.*`. */
  get state(): number {
    return libasound().snd_pcm_state(this.pointer);
  }

  /** The name of the PCM's type, e.g. `"HW"`, `"PLUG"`, `"IOPLUG"`. */
  get type(): string {
    return text(libasound().snd_pcm_type_name(libasound().snd_pcm_type(this.pointer)));
  }

  /** What the PCM is made of, down to its last slave, in libasound's words: `Plug PCM: Multi PCM\n ... Slave #0: Null PCM\n`. */
  dump(): string {
    const lib = libasound();
    const output = allocate(lib.snd_output_buffer_open, "snd_output_buffer_open");
    try {
      check(lib.snd_pcm_dump(this.pointer, output), `snd_pcm_dump ${this.name}`);
      const start = new BigUint64Array(1);
      const octets = Number(lib.snd_output_buffer_string(output, start));
      if (octets === 0) return "";
      const buffer = mappedBuffer(String(start[0]), octets);
      const dumped = new TextDecoder().decode(new Uint8Array(buffer).slice());
      buffer.transfer(0);
      return dumped;
    } finally {
      lib.snd_output_close(output);
    }
  }

  /**
   * The poll descriptors, to be waited for together; read them again after each set-up. A card with period events
   * ({@link SwParams.setPeriodEvent}) has two: the PCM's own, and that of a timer which its period interrupts feed.
   */
  pollFds(): SndPollFd[] {
    const lib = libasound();
    const count = check(lib.snd_pcm_poll_descriptors_count(this.pointer), "snd_pcm_poll_descriptors_count");
    const fds = new Int32Array(count * 2); // struct pollfd { int fd; short events; short revents; }
    const filled = check(lib.snd_pcm_poll_descriptors(this.pointer, fds, count), "snd_pcm_poll_descriptors");
    return Array.from({ length: filled }, (_, i) => ({ fd: fds[i * 2], events: fds[i * 2 + 1] & 0xffff }));
  }

  info(): SndPcmInfo {
    const lib = libasound();
    const info = allocate(lib.snd_pcm_info_malloc, "snd_pcm_info_malloc");
    try {
      check(lib.snd_pcm_info(this.pointer, info), `snd_pcm_info ${this.name}`);
      return {
        card: lib.snd_pcm_info_get_card(info),
        device: lib.snd_pcm_info_get_device(info),
        subdevice: lib.snd_pcm_info_get_subdevice(info),
        id: text(lib.snd_pcm_info_get_id(info)),
        name: text(lib.snd_pcm_info_get_name(info)),
        subdeviceName: text(lib.snd_pcm_info_get_subdevice_name(info)),
      };
    } finally {
      lib.snd_pcm_info_free(info);
    }
  }
}

/**
 * Moving frames through a PCM that is set up. Nothing here allocates (but the constructor) or throws: results are
 * ALSA's own, negative ones being errors. Does not own the PCM.
 */
export class SndPcmIo implements Disposable {
  readonly #lib = libasound();
  readonly #pcm: Pointer;
  #status: Deno.PointerValue;
  readonly #cells = new BigInt64Array(4); // avail, delay; timespec {s, ns}
  readonly #availCell = addressOf(this.#cells.subarray(0, 1));
  readonly #delayCell = addressOf(this.#cells.subarray(1, 2));
  readonly #stampCell = addressOf(this.#cells.subarray(2, 4));
  readonly #words = new Int32Array(this.#cells.buffer);

  /** @param address {@link SndPcm.address} */
  constructor(address: bigint) {
    const pcm = Deno.UnsafePointer.create(address);
    if (pcm === null) throw new TypeError("an ALSA PCM cannot be at address 0");
    this.#pcm = pcm;
    this.#status = allocate(this.#lib.snd_pcm_status_malloc, "snd_pcm_status_malloc");
  }

  /** Frees what this object made; the PCM stays open. No other call may follow. */
  [Symbol.dispose](): void {
    if (this.#status === null) return;
    this.#lib.snd_pcm_status_free(this.#status);
    this.#status = null;
  }

  /** Takes up to `frames` frames from `samples`; -EAGAIN if there is room for none, -EPIPE after an xrun. */
  writei(samples: Pointer, frames: number): number {
    return believable(this.#lib.hot_writei(this.#pcm, samples, frames), frames);
  }

  /** Gives up to `frames` frames into `samples`. */
  readi(samples: Pointer, frames: number): number {
    return believable(this.#lib.hot_readi(this.#pcm, samples, frames), frames);
  }

  /** Frames that can be written or read now, by the hardware pointer read afresh. */
  avail(): number {
    return this.#lib.hot_avail(this.#pcm);
  }

  /** The same by the pointer as the library last saw it. */
  availUpdate(): number {
    return this.#lib.hot_avail_update(this.#pcm);
  }

  /** {@link avail} and the delay together, consistent: read them from {@link lastAvail} and {@link lastDelay}. */
  availDelay(): number {
    return this.#lib.hot_avail_delay(this.#pcm, this.#availCell, this.#delayCell);
  }

  get lastAvail(): number {
    return this.#words[0];
  }

  /** Frames between the application's pointer and the sound in the air. */
  get lastDelay(): number {
    return this.#words[2];
  }

  /** Frames that {@link rewind} / {@link forward} move the application's pointer back / on; how many it was. */
  rewind(frames: number): number {
    return this.#lib.hot_rewind(this.#pcm, frames);
  }

  forward(frames: number): number {
    return this.#lib.hot_forward(this.#pcm, frames);
  }

  prepare(): number {
    return this.#lib.snd_pcm_prepare(this.#pcm);
  }

  start(): number {
    return this.#lib.snd_pcm_start(this.#pcm);
  }

  drop(): number {
    return this.#lib.snd_pcm_drop(this.#pcm);
  }

  pause(enable: boolean): number {
    return this.#lib.snd_pcm_pause(this.#pcm, enable ? 1 : 0);
  }

  /** After a suspend: 0, -EAGAIN (not yet), or -ENOSYS (prepare instead). */
  resume(): number {
    return this.#lib.snd_pcm_resume(this.#pcm);
  }

  /** `SND_PCM_STATE.*`. */
  state(): number {
    return this.#lib.snd_pcm_state(this.#pcm);
  }

  /** Reads state, avail, delay and time-stamp at one instant; then see the `status*` accessors. */
  status(): number {
    return this.#lib.snd_pcm_status(this.#pcm, this.#status);
  }

  statusState(): number {
    return this.#lib.snd_pcm_status_get_state(this.#status);
  }

  statusAvail(): number {
    return this.#lib.hot_status_get_avail(this.#status);
  }

  statusDelay(): number {
    return this.#lib.hot_status_get_delay(this.#status);
  }

  /** Takes note of when the pointer was last updated, without asking the card; false if that is not known. */
  noteUpdate(): boolean {
    return this.#lib.hot_htimestamp(this.#pcm, this.#availCell, this.#stampCell) >= 0;
  }

  /**
   * Whole µs from the update that {@link noteUpdate} was told of to `now` ({@link MicrosClock}). The PCM's time-stamps must be
   * CLOCK_MONOTONIC's: {@link SwParams.setTimestamps}.
   */
  updateAge(now: number): number {
    return now - wrappedMicros(this.#words[4], this.#words[6]) | 0;
  }

  /** Microseconds of the clock that {@link SwParams.setTimestamps} chose. */
  statusTimeMicros(): number {
    this.#lib.hot_status_get_htstamp(this.#status, this.#stampCell);
    return (this.#words[4] >>> 0) * 1e6 + this.#words[6] / 1000;
  }
}

/** A plugin that says that it has moved more than it was given is not well; -EIO. */
function believable(moved: number, frames: number): number {
  return moved > frames ? -ERRNO.EIO : moved;
}
