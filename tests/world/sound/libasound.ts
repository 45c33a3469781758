// SPDX-License-Identifier: MIT
/** libasound over the host's virtual devices: its functions as the daemon's code calls them. */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { type libasoundSymbols, SND_PCM_ACCESS, SND_PCM_STREAM } from "../../../ffi/alsa/libasound.ts";
import { addressOf } from "../../../ffi/libc/pointers.ts";
import { memoryOf } from "../machine/libc.ts";
import { currentThread } from "../machine/process.ts";
import type { SoundCall } from "./faults.ts";
import { addressOf as handleOf, type HostCards } from "./host_cards.ts";
import { type HostPcm, PCM_TYPE, STATE, type SwParameters } from "./host_pcm.ts";
import { HwSpace } from "./hw_space.ts";
import { errorText } from "./error_text.ts";

type Pointer = Deno.PointerValue;
type Libasound = Deno.DynamicLibrary<typeof libasoundSymbols>["symbols"];

/** µs that a call of the pool's threads takes beside what the device asks for. */
const POOL_MICROS = 50;

/** Structures that the program has allocated, by their addresses. */
class Structures<T extends object> {
  readonly #at = new Map<bigint, T>();
  readonly #byPointer = new WeakMap<object, T>();
  #last: bigint;

  constructor(base: bigint) {
    this.#last = base;
  }

  put(structure: T, out: unknown): 0 {
    this.#last += 0x1000n;
    this.#at.set(this.#last, structure);
    (out as BigUint64Array)[0] = this.#last;
    return 0;
  }

  at(pointer: Pointer): T {
    const known = pointer === null ? undefined : this.#byPointer.get(pointer);
    if (known !== undefined) return known;
    const found = pointer === null ? undefined : this.#at.get(Deno.UnsafePointer.value(pointer));
    if (found === undefined) {
      throw new TypeError("libasound got a pointer that is no structure, or was freed");
    }
    this.#byPointer.set(pointer!, found);
    return found;
  }

  free(pointer: Pointer): void {
    if (pointer === null) return;
    this.#at.delete(Deno.UnsafePointer.value(pointer));
    this.#byPointer.delete(pointer);
  }
}

/** Strings of the library's own, which live as long as the library. */
const texts = new Map<string, NonNullable<Pointer>>();

function textOf(text: string): NonNullable<Pointer> {
  let pointer = texts.get(text);
  if (pointer === undefined) texts.set(text, pointer = addressOf(new TextEncoder().encode(`${text}\0`)));
  return pointer;
}

function number32(pointer: Pointer): Uint32Array {
  const memory = memoryOf(pointer!, 4);
  return new Uint32Array(memory.buffer, memory.byteOffset, 1);
}

/**
 * The functions of `symbols`. `hostOf` gives the host whose devices the calling process sees: worlds that follow each other in one
 * process of ours have a host each.
 */
export function virtualLibasound(symbols: Deno.ForeignLibraryInterface, hostOf: () => HostCards): unknown {
  // The parameters' structures may outlive a process here: its code keeps one in a variable of a module.
  const spaces = new Structures<HwSpace>(0x5b00_0000_0000n);
  const softwares = new Structures<SwParameters>(0x5c00_0000_0000n);
  const outputs = new Structures<{ text: Uint8Array<ArrayBuffer> }>(0x5d00_0000_0000n);

  /** What every call on a handle begins with. Undefined after the use of a closed handle. */
  const entered = (pointer: Pointer, call: string): HostPcm | undefined => {
    const host = hostOf();
    const pcm = host.at(pointer);
    if (pcm.closedAt !== undefined) {
      host.reports.violated(`${call} on the closed PCM ${pcm.label}`);
      return undefined;
    }
    if (pcm.busyUntil > 0) {
      const thread = currentThread();
      if (pcm.busyThread !== thread && pcm.busyUntil > thread.now) {
        host.reports.violated(`${call} on ${pcm.label} while another thread's call on it is under way`);
      }
    }
    return pcm;
  };

  /** As {@link entered}, for a system call, which the orders of the world may slow down. Gives the errno of a failure as `errno`. */
  const order = (pcm: HostPcm, call: SoundCall): number => {
    const { faults } = pcm.end;
    if (faults.isEmpty) return 0;
    const { micros, errno } = faults.take(call);
    if (micros > 0) {
      const thread = currentThread();
      thread.spend(micros);
      [pcm.busyThread, pcm.busyUntil] = [thread, thread.now];
    }
    return -errno;
  };

  /** A system call of the calling thread. */
  const call = (pointer: Pointer, name: SoundCall, work: (pcm: HostPcm, now: number) => number): number => {
    const thread = currentThread();
    thread.process.call();
    const pcm = entered(pointer, name);
    if (pcm === undefined) return -ERRNO.EBADFD;
    const failure = order(pcm, name);
    return failure < 0 ? failure : work(pcm, thread.now);
  };

  /** A call of a thread of the pool: `work` runs `micros` µs from now, unless the process dies before. */
  const later = (micros: number, work: (now: number) => number): Promise<number> => {
    const { process } = currentThread();
    return new Promise((resolve) => {
      const entry = process.clock.after(micros + POOL_MICROS, () => {
        forget();
        const result = work(process.clock.now);
        process.main.post(process.latency(), () => resolve(result));
      });
      const forget = process.atEnd(() => process.clock.cancel(entry));
    });
  };

  /** A call of a thread of the pool on a handle. */
  const pooled = (
    pointer: Pointer,
    name: SoundCall,
    micros: number,
    work: (pcm: HostPcm, now: number) => number,
  ): Promise<number> => {
    currentThread().process.call();
    const pcm = entered(pointer, name);
    if (pcm === undefined) return Promise.resolve(-ERRNO.EBADFD);
    const fault = pcm.end.faults.take(name);
    [pcm.busyThread, pcm.busyUntil] = [undefined, Infinity];
    return later(micros + fault.micros, (now) => {
      pcm.busyUntil = 0;
      return fault.errno !== 0 ? -fault.errno : work(pcm, now);
    });
  };

  const opened = (out: unknown, cName: unknown, stream: number): Promise<number> => {
    const { process } = currentThread();
    process.call();
    const host = hostOf();
    const octets = cName as Uint8Array;
    const name = new TextDecoder().decode(octets.subarray(0, octets.indexOf(0)));
    const found = host.find(name, stream === SND_PCM_STREAM.PLAYBACK ? "playback" : "capture");
    if (typeof found === "number") return later(0, () => found);
    const { end, opening } = found;
    const fault = end.faults.take("open");
    const micros = end.openTime() + fault.micros;
    if (fault.errno !== 0) return later(micros, () => -fault.errno);
    // The kernel gives the substream away at once; the rest is what takes long.
    const pcm = host.openPcm(end, opening, process);
    if (typeof pcm === "number") return later(micros, () => pcm);
    [pcm.busyThread, pcm.busyUntil] = [undefined, Infinity];
    return later(micros, () => {
      pcm.busyUntil = 0;
      if (pcm.state === STATE.DISCONNECTED) {
        end.close(pcm);
        end.release(pcm);
        return -ERRNO.ENODEV;
      }
      (out as BigUint64Array)[0] = handleOf(pcm);
      return 0;
    });
  };

  const closed = (pointer: Pointer): Promise<number> => {
    currentThread().process.call();
    const pcm = entered(pointer, "close");
    if (pcm === undefined) return Promise.resolve(-ERRNO.EBADFD);
    const fault = pcm.end.faults.take("close");
    pcm.end.close(pcm);
    return later(fault.micros, () => {
      pcm.end.release(pcm);
      return -fault.errno;
    });
  };

  /** A setter of a configuration space, or a question about one. */
  const refine = (pcm: Pointer, work: () => number): number => {
    const handle = entered(pcm, "hw_refine");
    if (handle === undefined) return -ERRNO.EBADFD;
    return handle.state === STATE.DISCONNECTED ? -ERRNO.ENODEV : work();
  };

  /** Stores one of two bounds. */
  const bound = (value: number, out: Pointer, dir?: Pointer): number => {
    number32(out)[0] = value;
    if (dir !== undefined && dir !== null) number32(dir)[0] = 0;
    return 0;
  };

  const mine: Partial<Record<keyof Libasound, unknown>> = {
    snd_pcm_type: (pcm: Pointer) => PCM_TYPE[hostOf().at(pcm).type],
    snd_pcm_type_name: (type: number) =>
      textOf(Object.entries(PCM_TYPE).find(([, number]) => number === type)?.[0] ?? ""),
    snd_pcm_state: (pcm: Pointer) => entered(pcm, "state")?.state ?? STATE.DISCONNECTED,
    snd_pcm_dump: (pcm: Pointer, output: Pointer) => {
      outputs.at(output).text = new TextEncoder().encode(hostOf().at(pcm).dump());
      return 0;
    },
    snd_pcm_poll_descriptors_count: (pcm: Pointer) =>
      entered(pcm, "poll_descriptors")?.pollFiles.length ?? -ERRNO.EBADFD,
    snd_pcm_poll_descriptors: (pcm: Pointer, out: Int32Array, space: number) => {
      const handle = entered(pcm, "poll_descriptors");
      if (handle === undefined) return -ERRNO.EBADFD;
      const listed = handle.pollFiles.slice(0, space);
      listed.forEach(({ file, events }, i) => {
        out[i * 2] = handle.fdOf(file);
        out[i * 2 + 1] = events;
      });
      return listed.length;
    },
    snd_pcm_htimestamp: (pcm: Pointer, avail: Pointer, stamp: Pointer) => {
      const { now } = currentThread();
      const handle = entered(pcm, "htimestamp");
      if (handle === undefined) return -ERRNO.EBADFD;
      const time = handle.timestamp(now);
      if (time < 0) return time;
      const [count, words] = [memoryOf(avail!, 8), memoryOf(stamp!, 16)];
      new Int32Array(count.buffer, count.byteOffset, 2)[0] = handle.availUpdate(now);
      const spec = new Int32Array(words.buffer, words.byteOffset, 4);
      spec[0] = Math.floor(time / 1e6);
      spec[2] = Math.floor(time % 1e6) * 1000;
      spec[1] = spec[3] = 0;
      return 0;
    },
    snd_pcm_prepare: (pcm: Pointer) => call(pcm, "prepare", (handle, now) => handle.prepare(now)),
    snd_pcm_start: (pcm: Pointer) => call(pcm, "start", (handle, now) => handle.start(now)),
    snd_pcm_drop: (pcm: Pointer) => call(pcm, "drop", (handle, now) => handle.drop(now)),
    snd_pcm_pause: (pcm: Pointer, enable: number) =>
      call(pcm, "pause", (handle, now) => handle.pause(now, enable !== 0)),

    snd_pcm_hw_params_malloc: (out: unknown) => spaces.put(new HwSpace(), out),
    snd_pcm_hw_params_free: (params: Pointer) => spaces.free(params),
    snd_pcm_hw_params_any: (pcm: Pointer, params: Pointer) =>
      call(pcm, "refine", (handle) => {
        if (handle.state === STATE.DISCONNECTED) return -ERRNO.ENODEV;
        spaces.at(params).begin(handle.capabilities);
        return 0;
      }),
    snd_pcm_hw_params_can_pause: (params: Pointer) => Number(spaces.at(params).canPause),
    snd_pcm_hw_params_set_access: (pcm: Pointer, _params: Pointer, access: number) =>
      refine(pcm, () => access === SND_PCM_ACCESS.RW_INTERLEAVED ? 0 : -ERRNO.EINVAL),
    snd_pcm_hw_params_set_format: (pcm: Pointer, params: Pointer, format: number) =>
      refine(pcm, () => spaces.at(params).setFormat(format)),
    snd_pcm_hw_params_test_format: (pcm: Pointer, params: Pointer, format: number) =>
      refine(pcm, () => spaces.at(params).testFormat(format)),
    snd_pcm_hw_params_set_channels: (pcm: Pointer, params: Pointer, channels: number) =>
      refine(pcm, () => spaces.at(params).limitChannels(channels, channels)),
    snd_pcm_hw_params_get_channels_min: (params: Pointer, out: Pointer) =>
      bound(spaces.at(params).channels[0], out),
    snd_pcm_hw_params_get_channels_max: (params: Pointer, out: Pointer) =>
      bound(spaces.at(params).channels[1], out),
    snd_pcm_hw_params_set_channels_min: (pcm: Pointer, params: Pointer, value: Pointer) =>
      refine(pcm, () => spaces.at(params).limitChannels(number32(value)[0]!, Infinity)),
    snd_pcm_hw_params_set_channels_max: (pcm: Pointer, params: Pointer, value: Pointer) =>
      refine(pcm, () => spaces.at(params).limitChannels(0, number32(value)[0]!)),
    snd_pcm_hw_params_set_rate: (pcm: Pointer, params: Pointer, rate: number) =>
      refine(pcm, () => spaces.at(params).limitRate(rate, rate)),
    snd_pcm_hw_params_get_rate_min: (params: Pointer, out: Pointer, dir: Pointer) =>
      bound(spaces.at(params).rates[0], out, dir),
    snd_pcm_hw_params_get_rate_max: (params: Pointer, out: Pointer, dir: Pointer) =>
      bound(spaces.at(params).rates[1], out, dir),
    snd_pcm_hw_params_set_rate_min: (pcm: Pointer, params: Pointer, value: Pointer) =>
      refine(pcm, () => spaces.at(params).limitRate(number32(value)[0]!, Infinity)),
    snd_pcm_hw_params_set_rate_max: (pcm: Pointer, params: Pointer, value: Pointer) =>
      refine(pcm, () => spaces.at(params).limitRate(0, number32(value)[0]!)),
    snd_pcm_hw_params_set_period_size_near: (pcm: Pointer, params: Pointer, value: BigUint64Array) =>
      refine(pcm, () => {
        const size = spaces.at(params).setPeriodNear(Number(value[0]));
        if (size > 0) value[0] = BigInt(size);
        return Math.min(size, 0);
      }),
    snd_pcm_hw_params_set_buffer_size_near: (pcm: Pointer, params: Pointer, value: BigUint64Array) =>
      refine(pcm, () => {
        const size = spaces.at(params).setBufferNear(Number(value[0]));
        if (size > 0) value[0] = BigInt(size);
        return Math.min(size, 0);
      }),

    snd_pcm_sw_params: (pcm: Pointer, params: Pointer) =>
      call(pcm, "sw_params", (handle) => {
        if (handle.configuration === undefined) return -ERRNO.EIO;
        if (handle.state === STATE.DISCONNECTED) return -ERRNO.ENODEV;
        return handle.setSoftware(softwares.at(params));
      }),
    snd_pcm_sw_params_current: (pcm: Pointer, params: Pointer) => {
      const handle = entered(pcm, "sw_params_current");
      if (handle?.configuration === undefined) return -ERRNO.EIO;
      Object.assign(softwares.at(params), handle.sw, { boundary: handle.boundary });
      return 0;
    },
    snd_pcm_sw_params_malloc: (out: unknown) => softwares.put({} as SwParameters, out),
    snd_pcm_sw_params_free: (params: Pointer) => softwares.free(params),
    snd_pcm_sw_params_get_boundary: (params: Pointer, out: BigUint64Array) => {
      out[0] = (softwares.at(params) as SwParameters & { boundary: bigint }).boundary;
      return 0;
    },
    snd_pcm_sw_params_set_tstamp_mode: (_pcm: Pointer, params: Pointer, mode: number) => {
      softwares.at(params).hasTimestamps = mode === 1;
      return 0;
    },
    snd_pcm_sw_params_set_tstamp_type: (_pcm: Pointer, params: Pointer, type: number) => {
      softwares.at(params).isMonotonic = type === 1;
      return 0;
    },
    snd_pcm_sw_params_set_period_event: (_pcm: Pointer, params: Pointer, wake: number) => {
      softwares.at(params).periodEvent = wake !== 0;
      return 0;
    },
    snd_pcm_sw_params_set_start_threshold: (_pcm: Pointer, params: Pointer, frames: number | bigint) => {
      softwares.at(params).startThreshold = Number(frames);
      return 0;
    },
    snd_pcm_sw_params_set_stop_threshold: (_pcm: Pointer, params: Pointer, frames: number | bigint) => {
      softwares.at(params).stopThreshold = Number(frames);
      return 0;
    },
    snd_pcm_sw_params_set_silence_size: (_pcm: Pointer, params: Pointer, frames: number | bigint) => {
      softwares.at(params).silenceSize = Number(frames);
      return 0;
    },

    snd_output_buffer_open: (out: unknown) => outputs.put({ text: new Uint8Array(0) }, out),
    snd_output_buffer_string: (output: Pointer, start: BigUint64Array) => {
      const { text } = outputs.at(output);
      if (text.length > 0) start[0] = Deno.UnsafePointer.value(addressOf(text));
      return BigInt(text.length);
    },
    snd_output_close: (output: Pointer) => {
      outputs.free(output);
      return 0;
    },

    snd_strerror: (errnum: number) => textOf(errorText(errnum)),
    snd_lib_error_set_handler: () => 0,
    snd_config_update: () => 0,
    snd_config_update_free_global: () => 0,

    snd_pcm_open_async: opened,
    snd_pcm_close_async: closed,
    snd_pcm_hw_params_async: (pcm: Pointer, params: Pointer) =>
      pooled(pcm, "hw_params", 100, (handle, now) => {
        if (handle.state === STATE.DISCONNECTED) return -ERRNO.ENODEV;
        const states: readonly number[] = [STATE.OPEN, STATE.SETUP, STATE.PREPARED];
        if (!states.includes(handle.state)) return -ERRNO.EBADFD;
        const configuration = spaces.at(params).choose();
        if (configuration === undefined) return -ERRNO.EINVAL;
        handle.configure(configuration);
        return handle.prepare(now);
      }),
    snd_pcm_prepare_async: (pcm: Pointer) => pooled(pcm, "prepare", 0, (handle, now) => handle.prepare(now)),

    hot_writei: (pointer: Pointer, samples: Pointer, frames: number) => {
      const thread = currentThread();
      thread.process.call();
      const pcm = entered(pointer, "writei");
      if (pcm === undefined) return -ERRNO.EBADFD;
      const failure = order(pcm, "writei");
      if (failure < 0) return failure;
      return pcm.writei(thread.now, memoryOf(samples!, frames * pcm.frameBytes), frames);
    },
    hot_readi: (pointer: Pointer, samples: Pointer, frames: number) => {
      const thread = currentThread();
      thread.process.call();
      const pcm = entered(pointer, "readi");
      if (pcm === undefined) return -ERRNO.EBADFD;
      const failure = order(pcm, "readi");
      if (failure < 0) return failure;
      return pcm.readi(thread.now, memoryOf(samples!, frames * pcm.frameBytes), frames);
    },
    hot_avail: (pcm: Pointer) => call(pcm, "avail", (handle, now) => handle.avail(now)),
    // No system call: it reads memory that the kernel shares.
    hot_avail_update: (pointer: Pointer) =>
      entered(pointer, "avail_update")?.availUpdate(currentThread().now) ?? -ERRNO.EBADFD,
    hot_forward: (pcm: Pointer, frames: number) =>
      call(pcm, "forward", (handle, now) => handle.forward(now, frames)),
  };
  const functions: Record<string, unknown> = {};
  for (const name of Object.keys(symbols)) {
    functions[name] = mine[name as keyof Libasound] ??
      (() => {
        throw new Error(`the virtual libasound has no ${name}`);
      });
  }
  return functions;
}
