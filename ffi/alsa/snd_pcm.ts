// SPDX-License-Identifier: MIT
/** An open PCM as its owner, the main thread, uses it: opening, setting up, closing. `snd_pcm_io.ts` moves frames through it. */
import { cString, textAt } from "../base/c_string.ts";
import { mappedBuffer } from "../libc/memory.ts";
import { whileAlive } from "../libc/pointers.ts";
import { allocate, createdPointer } from "./allocate.ts";
import { check } from "./alsa_error.ts";
import { libasound } from "./libasound.ts";
import { HwParams } from "./snd_pcm_hw_params.ts";
import { SwParams } from "./snd_pcm_sw_params.ts";

type Pointer = NonNullable<Deno.PointerValue>;

/** A poll descriptor of a PCM. */
export interface SndPollFd {
  readonly fd: number;
  /** `POLL.*` bits to wait for. */
  readonly events: number;
}

/** A `snd_pcm_t`. Methods throw {@link AlsaError}. Calls that may take seconds run on a pool thread. */
export class SndPcm implements AsyncDisposable {
  #pcm: Deno.PointerValue;

  private constructor(readonly name: string, pcm: Pointer) {
    this.#pcm = pcm;
  }

  /**
   * @param name an ALSA PCM name, e.g. `hw:0,0`
   * @param stream `SND_PCM_STREAM.*`
   * @param mode `SND_PCM_NONBLOCK`, or 0
   */
  static async open(name: string, stream: number, mode: number): Promise<SndPcm> {
    const [out, cName] = [new BigUint64Array(1), cString(name)];
    const opened = await whileAlive(libasound().snd_pcm_open_async(out, cName, stream, mode), out, cName);
    check(opened, `snd_pcm_open ${name}`);
    return new SndPcm(name, createdPointer(out));
  }

  /** The `snd_pcm_t *`, for calls of {@link libasound}. */
  get pointer(): Pointer {
    if (this.#pcm === null) throw new TypeError(`the ALSA PCM ${this.name} is closed`);
    return this.#pcm;
  }

  /** The pointer as a number, for an {@link SndPcmIo} of another thread. That thread stops using the PCM before the close. */
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

  /** All configurations that the PCM can have. */
  hwParams(): HwParams {
    return new HwParams(this.pointer);
  }

  /** Sets the PCM up with one configuration out of `params`, and prepares the PCM. */
  async setHwParams(params: HwParams): Promise<void> {
    const result = await whileAlive(
      libasound().snd_pcm_hw_params_async(this.pointer, params.pointer),
      params,
    );
    check(result, `snd_pcm_hw_params ${this.name}`);
  }

  swParams(): SwParams {
    return new SwParams(this.pointer);
  }

  setSwParams(params: SwParams): void {
    check(libasound().snd_pcm_sw_params(this.pointer, params.pointer), `snd_pcm_sw_params ${this.name}`);
  }

  async prepare(): Promise<void> {
    check(await libasound().snd_pcm_prepare_async(this.pointer), `snd_pcm_prepare ${this.name}`);
  }

  /** The name of the PCM's type, e.g. `"HW"`, `"PLUG"`, `"IOPLUG"`. */
  get type(): string {
    return textAt(libasound().snd_pcm_type_name(libasound().snd_pcm_type(this.pointer)));
  }

  /** The PCM and its slaves in libasound's words, down to the last slave: `Plug PCM: Multi PCM\n ... Slave #0: Null PCM\n`. */
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
   * The poll descriptors, to be waited for together. Each set-up may change them. A hardware PCM with period events
   * ({@link SwParams.setPeriodEvent}) has two: its own, and that of a timer which its period interrupts feed.
   */
  pollFds(): SndPollFd[] {
    const lib = libasound();
    const count = check(lib.snd_pcm_poll_descriptors_count(this.pointer), "snd_pcm_poll_descriptors_count");
    const fds = new Int32Array(count * 2); // struct pollfd { int fd; short events; short revents; }
    const filled = check(lib.snd_pcm_poll_descriptors(this.pointer, fds, count), "snd_pcm_poll_descriptors");
    return Array.from({ length: filled }, (_, i) => ({ fd: fds[i * 2]!, events: fds[i * 2 + 1]! & 0xffff }));
  }
}
