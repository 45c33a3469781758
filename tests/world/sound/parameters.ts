// SPDX-License-Identifier: MIT
/** libasound's hardware and software parameters, over the configuration spaces of the virtual devices. */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { type libasoundSymbols, SND_PCM_ACCESS } from "../../../ffi/alsa/libasound.ts";
import { memoryOf } from "../machine/libc.ts";
import { call, entered, pooled } from "./calls.ts";
import type { HostCards } from "./host_cards.ts";
import { STATE, type SwParameters } from "./host_pcm.ts";
import { HwSpace } from "./hw_space.ts";
import { type Pointer, Structures } from "./structures.ts";

type Functions = Partial<Record<keyof typeof libasoundSymbols, unknown>>;

/** A `snd_pcm_sw_params_t`. */
type Software = SwParameters & { boundary: bigint };

function number32(pointer: Pointer): Uint32Array {
  const memory = memoryOf(pointer!, 4);
  return new Uint32Array(memory.buffer, memory.byteOffset, 1);
}

/** Stores a bound. */
function bound(value: number, out: Pointer, dir?: Pointer): number {
  number32(out)[0] = value;
  if (dir !== undefined && dir !== null) number32(dir)[0] = 0;
  return 0;
}

/** The functions of a host's PCMs. */
export function parameterFunctions(hostOf: () => HostCards): Functions {
  return { ...hardware(hostOf), ...software(hostOf) };
}

function hardware(hostOf: () => HostCards): Functions {
  // A space may outlive a process here: the program keeps one in a variable of a module.
  const spaces = new Structures<HwSpace>(0x5b00_0000_0000n);

  /** A setter of a configuration space, or a question about one. */
  const refine = (pcm: Pointer, work: () => number): number => {
    const handle = entered(hostOf(), pcm, "hw_refine");
    if (handle === undefined) return -ERRNO.EBADFD;
    return handle.state === STATE.DISCONNECTED ? -ERRNO.ENODEV : work();
  };

  return {
    snd_pcm_hw_params_malloc: (out: unknown) => spaces.put(new HwSpace(), out),
    snd_pcm_hw_params_free: (params: Pointer) => spaces.free(params),
    snd_pcm_hw_params_any: (pcm: Pointer, params: Pointer) =>
      call(hostOf(), pcm, "refine", (handle) => {
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

    snd_pcm_hw_params_async: (pcm: Pointer, params: Pointer) =>
      pooled(hostOf(), pcm, "hw_params", 100, (handle, now) => {
        if (handle.state === STATE.DISCONNECTED) return -ERRNO.ENODEV;
        const states: readonly number[] = [STATE.OPEN, STATE.SETUP, STATE.PREPARED];
        if (!states.includes(handle.state)) return -ERRNO.EBADFD;
        const configuration = spaces.at(params).choose();
        if (configuration === undefined) return -ERRNO.EINVAL;
        handle.configure(configuration);
        return handle.prepare(now);
      }),
  };
}

function software(hostOf: () => HostCards): Functions {
  const softwares = new Structures<Software>(0x5c00_0000_0000n);
  return {
    snd_pcm_sw_params: (pcm: Pointer, params: Pointer) =>
      call(hostOf(), pcm, "sw_params", (handle) => {
        if (handle.configuration === undefined) return -ERRNO.EIO;
        if (handle.state === STATE.DISCONNECTED) return -ERRNO.ENODEV;
        return handle.setSoftware(softwares.at(params));
      }),
    snd_pcm_sw_params_current: (pcm: Pointer, params: Pointer) => {
      const handle = entered(hostOf(), pcm, "sw_params_current");
      if (handle?.configuration === undefined) return -ERRNO.EIO;
      Object.assign(softwares.at(params), handle.sw, { boundary: handle.boundary });
      return 0;
    },
    snd_pcm_sw_params_malloc: (out: unknown) => softwares.put({} as Software, out),
    snd_pcm_sw_params_free: (params: Pointer) => softwares.free(params),
    snd_pcm_sw_params_get_boundary: (params: Pointer, out: BigUint64Array) => {
      out[0] = softwares.at(params).boundary;
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
  };
}
