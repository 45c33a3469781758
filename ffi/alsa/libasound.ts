// SPDX-License-Identifier: MIT
/**
 * libasound: ALSA's PCM interface and the enumeration of cards, as `alsa/pcm.h`, `alsa/control.h` and
 * `alsa/error.h` declare them. The handle classes over this table are in `libasound_pcm.ts` (an open PCM) and
 * `libasound_cards.ts` (what this host has).
 */
import { cString, lazyLibrary } from "../base/library.ts";
import { errnoName } from "../libc/errno.ts";
import { functionWithoutEffect, libc } from "../libc/libc.ts";

/** pcm.h: `snd_pcm_stream_t`. */
export const SND_PCM_STREAM = { PLAYBACK: 0, CAPTURE: 1 } as const;
/** pcm.h: flags of snd_pcm_open. */
export const SND_PCM_NONBLOCK = 0x1;
export const SND_PCM_NO_AUTO = { RESAMPLE: 0x10000, CHANNELS: 0x20000, FORMAT: 0x40000 } as const;
/** pcm.h: `snd_pcm_access_t`. */
export const SND_PCM_ACCESS = {
  MMAP_INTERLEAVED: 0,
  MMAP_NONINTERLEAVED: 1,
  MMAP_COMPLEX: 2,
  RW_INTERLEAVED: 3,
  RW_NONINTERLEAVED: 4,
} as const;
/** pcm.h: `snd_pcm_state_t`. */
export const SND_PCM_STATE = {
  OPEN: 0,
  SETUP: 1,
  PREPARED: 2,
  RUNNING: 3,
  XRUN: 4,
  DRAINING: 5,
  PAUSED: 6,
  SUSPENDED: 7,
  DISCONNECTED: 8,
} as const;
/** pcm.h: `snd_pcm_tstamp_t` and `snd_pcm_tstamp_type_t`. */
export const SND_PCM_TSTAMP = { NONE: 0, ENABLE: 1 } as const;
export const SND_PCM_TSTAMP_TYPE = { GETTIMEOFDAY: 0, MONOTONIC: 1, MONOTONIC_RAW: 2 } as const;
/** pcm.h: `snd_pcm_format_t`. */
// deno-fmt-ignore
export const SND_PCM_FORMAT = {
  UNKNOWN: -1, S8: 0, U8: 1, S16_LE: 2, S16_BE: 3, U16_LE: 4, U16_BE: 5, S24_LE: 6, S24_BE: 7, U24_LE: 8, U24_BE: 9,
  S32_LE: 10, S32_BE: 11, U32_LE: 12, U32_BE: 13, FLOAT_LE: 14, FLOAT_BE: 15, FLOAT64_LE: 16, FLOAT64_BE: 17,
  IEC958_SUBFRAME_LE: 18, IEC958_SUBFRAME_BE: 19, MU_LAW: 20, A_LAW: 21, IMA_ADPCM: 22, MPEG: 23, GSM: 24,
  S20_LE: 25, S20_BE: 26, U20_LE: 27, U20_BE: 28, SPECIAL: 31, S24_3LE: 32, S24_3BE: 33, U24_3LE: 34, U24_3BE: 35,
  S20_3LE: 36, S20_3BE: 37, U20_3LE: 38, U20_3BE: 39, S18_3LE: 40, S18_3BE: 41, U18_3LE: 42, U18_3BE: 43,
} as const;

/** The symbol table; `pcm`, `params`, `info`, `status`, `ctl` point to the opaque structures of those names. */
// deno-fmt-ignore
export const libasoundSymbols = {
  // alsa/pcm.h
  snd_pcm_open: { parameters: ["buffer", "buffer", "u32", "i32"], result: "i32" }, // **pcm, name, stream, mode
  snd_pcm_close: { parameters: ["pointer"], result: "i32" }, // pcm
  snd_pcm_name: { parameters: ["pointer"], result: "pointer" }, // pcm
  snd_pcm_type: { parameters: ["pointer"], result: "u32" }, // pcm
  snd_pcm_stream: { parameters: ["pointer"], result: "u32" }, // pcm
  snd_pcm_info: { parameters: ["pointer", "pointer"], result: "i32" }, // pcm, info
  snd_pcm_nonblock: { parameters: ["pointer", "i32"], result: "i32" }, // pcm, nonblock

  snd_pcm_poll_descriptors_count: { parameters: ["pointer"], result: "i32" }, // pcm
  snd_pcm_poll_descriptors: { parameters: ["pointer", "buffer", "u32"], result: "i32" }, // pcm, *pfds, space
  snd_pcm_poll_descriptors_revents: { parameters: ["pointer", "buffer", "u32", "buffer"], result: "i32" }, // pcm, *pfds, nfds, *revents
  snd_pcm_wait: { parameters: ["pointer", "i32"], result: "i32" }, // pcm, timeout

  snd_pcm_hw_params: { parameters: ["pointer", "pointer"], result: "i32" }, // pcm, params
  snd_pcm_hw_params_current: { parameters: ["pointer", "pointer"], result: "i32" }, // pcm, params
  snd_pcm_hw_free: { parameters: ["pointer"], result: "i32" }, // pcm
  snd_pcm_hw_refine: { parameters: ["pointer", "pointer"], result: "i32" }, // pcm, params (exported, in no header)
  snd_pcm_sw_params: { parameters: ["pointer", "pointer"], result: "i32" }, // pcm, params
  snd_pcm_sw_params_current: { parameters: ["pointer", "pointer"], result: "i32" }, // pcm, params

  snd_pcm_prepare: { parameters: ["pointer"], result: "i32" }, // pcm
  snd_pcm_reset: { parameters: ["pointer"], result: "i32" }, // pcm
  snd_pcm_start: { parameters: ["pointer"], result: "i32" }, // pcm
  snd_pcm_drop: { parameters: ["pointer"], result: "i32" }, // pcm
  snd_pcm_drain: { parameters: ["pointer"], result: "i32" }, // pcm
  snd_pcm_pause: { parameters: ["pointer", "i32"], result: "i32" }, // pcm, enable
  snd_pcm_resume: { parameters: ["pointer"], result: "i32" }, // pcm
  snd_pcm_recover: { parameters: ["pointer", "i32", "i32"], result: "i32" }, // pcm, err, silent
  snd_pcm_state: { parameters: ["pointer"], result: "u32" }, // pcm
  snd_pcm_hwsync: { parameters: ["pointer"], result: "i32" }, // pcm

  snd_pcm_avail: { parameters: ["pointer"], result: "i64" }, // pcm
  snd_pcm_avail_update: { parameters: ["pointer"], result: "i64" }, // pcm
  snd_pcm_avail_delay: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // pcm, *availp, *delayp
  snd_pcm_delay: { parameters: ["pointer", "buffer"], result: "i32" }, // pcm, *delayp
  snd_pcm_htimestamp: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // pcm, *avail, *tstamp
  snd_pcm_rewindable: { parameters: ["pointer"], result: "i64" }, // pcm
  snd_pcm_rewind: { parameters: ["pointer", "u64"], result: "i64" }, // pcm, frames
  snd_pcm_forwardable: { parameters: ["pointer"], result: "i64" }, // pcm
  snd_pcm_forward: { parameters: ["pointer", "u64"], result: "i64" }, // pcm, frames
  snd_pcm_writei: { parameters: ["pointer", "buffer", "u64"], result: "i64" }, // pcm, buffer, size
  snd_pcm_readi: { parameters: ["pointer", "buffer", "u64"], result: "i64" }, // pcm, buffer, size

  // snd_pcm_hw_params_t is a configuration space. `dir` is -1, 0 or 1: the exact value lies below, at or above `val`
  snd_pcm_hw_params_malloc: { parameters: ["buffer"], result: "i32" }, // **ptr
  snd_pcm_hw_params_free: { parameters: ["pointer"], result: "void" }, // obj
  snd_pcm_hw_params_copy: { parameters: ["pointer", "pointer"], result: "void" }, // dst, src
  snd_pcm_hw_params_any: { parameters: ["pointer", "pointer"], result: "i32" }, // pcm, params
  snd_pcm_hw_params_can_pause: { parameters: ["pointer"], result: "i32" }, // params
  snd_pcm_hw_params_can_resume: { parameters: ["pointer"], result: "i32" }, // params
  snd_pcm_hw_params_is_monotonic: { parameters: ["pointer"], result: "i32" }, // params
  snd_pcm_hw_params_is_batch: { parameters: ["pointer"], result: "i32" }, // params
  snd_pcm_hw_params_is_double: { parameters: ["pointer"], result: "i32" }, // params
  snd_pcm_hw_params_is_half_duplex: { parameters: ["pointer"], result: "i32" }, // params
  snd_pcm_hw_params_is_joint_duplex: { parameters: ["pointer"], result: "i32" }, // params
  snd_pcm_hw_params_can_disable_period_wakeup: { parameters: ["pointer"], result: "i32" }, // params
  snd_pcm_hw_params_get_sbits: { parameters: ["pointer"], result: "i32" }, // params
  snd_pcm_hw_params_get_rate_numden: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // params, *rate_num, *rate_den

  snd_pcm_hw_params_set_access: { parameters: ["pointer", "pointer", "u32"], result: "i32" }, // pcm, params, access
  snd_pcm_hw_params_test_access: { parameters: ["pointer", "pointer", "u32"], result: "i32" }, // pcm, params, access
  snd_pcm_hw_params_get_access: { parameters: ["pointer", "buffer"], result: "i32" }, // params, *access
  snd_pcm_hw_params_set_format: { parameters: ["pointer", "pointer", "i32"], result: "i32" }, // pcm, params, val
  snd_pcm_hw_params_test_format: { parameters: ["pointer", "pointer", "i32"], result: "i32" }, // pcm, params, val
  snd_pcm_hw_params_get_format: { parameters: ["pointer", "buffer"], result: "i32" }, // params, *val
  snd_pcm_hw_params_get_format_mask: { parameters: ["pointer", "pointer"], result: "void" }, // params, mask
  snd_pcm_hw_params_set_format_mask: { parameters: ["pointer", "pointer", "pointer"], result: "i32" }, // pcm, params, mask

  snd_pcm_hw_params_set_channels: { parameters: ["pointer", "pointer", "u32"], result: "i32" }, // pcm, params, val
  snd_pcm_hw_params_test_channels: { parameters: ["pointer", "pointer", "u32"], result: "i32" }, // pcm, params, val
  snd_pcm_hw_params_get_channels: { parameters: ["pointer", "buffer"], result: "i32" }, // params, *val
  snd_pcm_hw_params_get_channels_min: { parameters: ["pointer", "buffer"], result: "i32" }, // params, *val
  snd_pcm_hw_params_get_channels_max: { parameters: ["pointer", "buffer"], result: "i32" }, // params, *val
  snd_pcm_hw_params_set_channels_min: { parameters: ["pointer", "pointer", "buffer"], result: "i32" }, // pcm, params, *val
  snd_pcm_hw_params_set_channels_max: { parameters: ["pointer", "pointer", "buffer"], result: "i32" }, // pcm, params, *val
  snd_pcm_hw_params_set_channels_near: { parameters: ["pointer", "pointer", "buffer"], result: "i32" }, // pcm, params, *val

  snd_pcm_hw_params_set_rate: { parameters: ["pointer", "pointer", "u32", "i32"], result: "i32" }, // pcm, params, val, dir
  snd_pcm_hw_params_test_rate: { parameters: ["pointer", "pointer", "u32", "i32"], result: "i32" }, // pcm, params, val, dir
  snd_pcm_hw_params_get_rate: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // params, *val, *dir
  snd_pcm_hw_params_get_rate_min: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // params, *val, *dir
  snd_pcm_hw_params_get_rate_max: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // params, *val, *dir
  snd_pcm_hw_params_set_rate_min: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_rate_max: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_rate_near: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_rate_resample: { parameters: ["pointer", "pointer", "u32"], result: "i32" }, // pcm, params, val
  snd_pcm_hw_params_get_rate_resample: { parameters: ["pointer", "pointer", "buffer"], result: "i32" }, // pcm, params, *val

  snd_pcm_hw_params_set_period_size: { parameters: ["pointer", "pointer", "u64", "i32"], result: "i32" }, // pcm, params, val, dir
  snd_pcm_hw_params_test_period_size: { parameters: ["pointer", "pointer", "u64", "i32"], result: "i32" }, // pcm, params, val, dir
  snd_pcm_hw_params_get_period_size: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // params, *frames, *dir
  snd_pcm_hw_params_get_period_size_min: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // params, *frames, *dir
  snd_pcm_hw_params_get_period_size_max: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // params, *frames, *dir
  snd_pcm_hw_params_set_period_size_min: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_period_size_max: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_period_size_near: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_period_size_first: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_period_size_last: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir

  snd_pcm_hw_params_set_buffer_size: { parameters: ["pointer", "pointer", "u64"], result: "i32" }, // pcm, params, val
  snd_pcm_hw_params_test_buffer_size: { parameters: ["pointer", "pointer", "u64"], result: "i32" }, // pcm, params, val
  snd_pcm_hw_params_get_buffer_size: { parameters: ["pointer", "buffer"], result: "i32" }, // params, *val
  snd_pcm_hw_params_get_buffer_size_min: { parameters: ["pointer", "buffer"], result: "i32" }, // params, *val
  snd_pcm_hw_params_get_buffer_size_max: { parameters: ["pointer", "buffer"], result: "i32" }, // params, *val
  snd_pcm_hw_params_set_buffer_size_min: { parameters: ["pointer", "pointer", "buffer"], result: "i32" }, // pcm, params, *val
  snd_pcm_hw_params_set_buffer_size_max: { parameters: ["pointer", "pointer", "buffer"], result: "i32" }, // pcm, params, *val
  snd_pcm_hw_params_set_buffer_size_near: { parameters: ["pointer", "pointer", "buffer"], result: "i32" }, // pcm, params, *val
  snd_pcm_hw_params_set_buffer_size_first: { parameters: ["pointer", "pointer", "buffer"], result: "i32" }, // pcm, params, *val
  snd_pcm_hw_params_set_buffer_size_last: { parameters: ["pointer", "pointer", "buffer"], result: "i32" }, // pcm, params, *val

  snd_pcm_hw_params_set_periods: { parameters: ["pointer", "pointer", "u32", "i32"], result: "i32" }, // pcm, params, val, dir
  snd_pcm_hw_params_test_periods: { parameters: ["pointer", "pointer", "u32", "i32"], result: "i32" }, // pcm, params, val, dir
  snd_pcm_hw_params_get_periods: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // params, *val, *dir
  snd_pcm_hw_params_get_periods_min: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // params, *val, *dir
  snd_pcm_hw_params_get_periods_max: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // params, *val, *dir
  snd_pcm_hw_params_set_periods_min: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_periods_max: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_periods_near: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_periods_first: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_periods_last: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir

  snd_pcm_hw_params_set_period_time: { parameters: ["pointer", "pointer", "u32", "i32"], result: "i32" }, // pcm, params, val, dir
  snd_pcm_hw_params_test_period_time: { parameters: ["pointer", "pointer", "u32", "i32"], result: "i32" }, // pcm, params, val, dir
  snd_pcm_hw_params_get_period_time: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // params, *val, *dir
  snd_pcm_hw_params_get_period_time_min: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // params, *val, *dir
  snd_pcm_hw_params_get_period_time_max: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // params, *val, *dir
  snd_pcm_hw_params_set_period_time_min: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_period_time_max: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_period_time_near: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_period_time_first: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_period_time_last: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir

  snd_pcm_hw_params_set_buffer_time: { parameters: ["pointer", "pointer", "u32", "i32"], result: "i32" }, // pcm, params, val, dir
  snd_pcm_hw_params_test_buffer_time: { parameters: ["pointer", "pointer", "u32", "i32"], result: "i32" }, // pcm, params, val, dir
  snd_pcm_hw_params_get_buffer_time: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // params, *val, *dir
  snd_pcm_hw_params_get_buffer_time_min: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // params, *val, *dir
  snd_pcm_hw_params_get_buffer_time_max: { parameters: ["pointer", "buffer", "buffer"], result: "i32" }, // params, *val, *dir
  snd_pcm_hw_params_set_buffer_time_min: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_buffer_time_max: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_buffer_time_near: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_buffer_time_first: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_buffer_time_last: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir

  snd_pcm_hw_params_set_period_size_integer: { parameters: ["pointer", "pointer"], result: "i32" }, // pcm, params
  snd_pcm_hw_params_set_periods_integer: { parameters: ["pointer", "pointer"], result: "i32" }, // pcm, params
  snd_pcm_hw_params_set_period_wakeup: { parameters: ["pointer", "pointer", "u32"], result: "i32" }, // pcm, params, val

  snd_pcm_format_mask_malloc: { parameters: ["buffer"], result: "i32" }, // **ptr
  snd_pcm_format_mask_free: { parameters: ["pointer"], result: "void" }, // obj
  snd_pcm_format_mask_none: { parameters: ["pointer"], result: "void" }, // mask
  snd_pcm_format_mask_set: { parameters: ["pointer", "i32"], result: "void" }, // mask, val
  snd_pcm_format_mask_test: { parameters: ["pointer", "i32"], result: "i32" }, // mask, val

  snd_pcm_sw_params_malloc: { parameters: ["buffer"], result: "i32" }, // **ptr
  snd_pcm_sw_params_free: { parameters: ["pointer"], result: "void" }, // obj
  snd_pcm_sw_params_get_boundary: { parameters: ["pointer", "buffer"], result: "i32" }, // params, *val
  snd_pcm_sw_params_set_tstamp_mode: { parameters: ["pointer", "pointer", "u32"], result: "i32" }, // pcm, params, val
  snd_pcm_sw_params_set_tstamp_type: { parameters: ["pointer", "pointer", "u32"], result: "i32" }, // pcm, params, val
  snd_pcm_sw_params_set_avail_min: { parameters: ["pointer", "pointer", "u64"], result: "i32" }, // pcm, params, val
  snd_pcm_sw_params_get_avail_min: { parameters: ["pointer", "buffer"], result: "i32" }, // params, *val
  snd_pcm_sw_params_set_period_event: { parameters: ["pointer", "pointer", "i32"], result: "i32" }, // pcm, params, val
  snd_pcm_sw_params_set_start_threshold: { parameters: ["pointer", "pointer", "u64"], result: "i32" }, // pcm, params, val
  snd_pcm_sw_params_get_start_threshold: { parameters: ["pointer", "buffer"], result: "i32" }, // params, *val
  snd_pcm_sw_params_set_stop_threshold: { parameters: ["pointer", "pointer", "u64"], result: "i32" }, // pcm, params, val
  snd_pcm_sw_params_get_stop_threshold: { parameters: ["pointer", "buffer"], result: "i32" }, // params, *val
  snd_pcm_sw_params_set_silence_threshold: { parameters: ["pointer", "pointer", "u64"], result: "i32" }, // pcm, params, val
  snd_pcm_sw_params_set_silence_size: { parameters: ["pointer", "pointer", "u64"], result: "i32" }, // pcm, params, val

  snd_pcm_status: { parameters: ["pointer", "pointer"], result: "i32" }, // pcm, status
  snd_pcm_status_malloc: { parameters: ["buffer"], result: "i32" }, // **ptr
  snd_pcm_status_free: { parameters: ["pointer"], result: "void" }, // obj
  snd_pcm_status_get_state: { parameters: ["pointer"], result: "u32" }, // obj
  snd_pcm_status_get_avail: { parameters: ["pointer"], result: "u64" }, // obj
  snd_pcm_status_get_avail_max: { parameters: ["pointer"], result: "u64" }, // obj
  snd_pcm_status_get_delay: { parameters: ["pointer"], result: "i64" }, // obj
  snd_pcm_status_get_htstamp: { parameters: ["pointer", "buffer"], result: "void" }, // obj, *ptr
  snd_pcm_status_get_trigger_htstamp: { parameters: ["pointer", "buffer"], result: "void" }, // obj, *ptr
  snd_pcm_status_get_audio_htstamp: { parameters: ["pointer", "buffer"], result: "void" }, // obj, *ptr

  snd_pcm_format_name: { parameters: ["i32"], result: "pointer" }, // format
  snd_pcm_format_description: { parameters: ["i32"], result: "pointer" }, // format
  snd_pcm_format_value: { parameters: ["buffer"], result: "i32" }, // name
  snd_pcm_format_width: { parameters: ["i32"], result: "i32" }, // format
  snd_pcm_format_physical_width: { parameters: ["i32"], result: "i32" }, // format
  snd_pcm_format_size: { parameters: ["i32", "usize"], result: "isize" }, // format, samples
  snd_pcm_format_silence_64: { parameters: ["i32"], result: "u64" }, // format
  snd_pcm_format_set_silence: { parameters: ["i32", "buffer", "u32"], result: "i32" }, // format, buf, samples
  snd_pcm_state_name: { parameters: ["u32"], result: "pointer" }, // state
  snd_pcm_type_name: { parameters: ["u32"], result: "pointer" }, // type
  snd_pcm_dump: { parameters: ["pointer", "pointer"], result: "i32" }, // pcm, out

  snd_output_buffer_open: { parameters: ["buffer"], result: "i32" }, // **outputp
  snd_output_buffer_string: { parameters: ["pointer", "buffer"], result: "usize" }, // output, **buf
  snd_output_close: { parameters: ["pointer"], result: "i32" }, // output

  snd_pcm_info_malloc: { parameters: ["buffer"], result: "i32" }, // **ptr
  snd_pcm_info_free: { parameters: ["pointer"], result: "void" }, // obj
  snd_pcm_info_set_device: { parameters: ["pointer", "u32"], result: "void" }, // obj, val
  snd_pcm_info_set_subdevice: { parameters: ["pointer", "u32"], result: "void" }, // obj, val
  snd_pcm_info_set_stream: { parameters: ["pointer", "u32"], result: "void" }, // obj, val
  snd_pcm_info_get_card: { parameters: ["pointer"], result: "i32" }, // obj
  snd_pcm_info_get_device: { parameters: ["pointer"], result: "u32" }, // obj
  snd_pcm_info_get_subdevice: { parameters: ["pointer"], result: "u32" }, // obj
  snd_pcm_info_get_stream: { parameters: ["pointer"], result: "u32" }, // obj
  snd_pcm_info_get_id: { parameters: ["pointer"], result: "pointer" }, // obj
  snd_pcm_info_get_name: { parameters: ["pointer"], result: "pointer" }, // obj
  snd_pcm_info_get_subdevice_name: { parameters: ["pointer"], result: "pointer" }, // obj
  snd_pcm_info_get_subdevices_count: { parameters: ["pointer"], result: "u32" }, // obj
  snd_pcm_info_get_subdevices_avail: { parameters: ["pointer"], result: "u32" }, // obj

  // alsa/control.h
  snd_card_next: { parameters: ["buffer"], result: "i32" }, // *rcard
  snd_card_get_index: { parameters: ["buffer"], result: "i32" }, // name
  snd_card_get_name: { parameters: ["i32", "buffer"], result: "i32" }, // card, **name
  snd_card_get_longname: { parameters: ["i32", "buffer"], result: "i32" }, // card, **name
  snd_device_name_hint: { parameters: ["i32", "buffer", "buffer"], result: "i32" }, // card, iface, ***hints
  snd_device_name_get_hint: { parameters: ["pointer", "buffer"], result: "pointer" }, // hint, id
  snd_device_name_free_hint: { parameters: ["pointer"], result: "i32" }, // hints
  snd_ctl_open: { parameters: ["buffer", "buffer", "i32"], result: "i32" }, // **ctl, name, mode
  snd_ctl_close: { parameters: ["pointer"], result: "i32" }, // ctl
  snd_ctl_card_info: { parameters: ["pointer", "pointer"], result: "i32" }, // ctl, info
  snd_ctl_pcm_next_device: { parameters: ["pointer", "buffer"], result: "i32" }, // ctl, *device
  snd_ctl_pcm_info: { parameters: ["pointer", "pointer"], result: "i32" }, // ctl, info
  snd_ctl_card_info_malloc: { parameters: ["buffer"], result: "i32" }, // **ptr
  snd_ctl_card_info_free: { parameters: ["pointer"], result: "void" }, // obj
  snd_ctl_card_info_get_id: { parameters: ["pointer"], result: "pointer" }, // obj
  snd_ctl_card_info_get_driver: { parameters: ["pointer"], result: "pointer" }, // obj
  snd_ctl_card_info_get_name: { parameters: ["pointer"], result: "pointer" }, // obj
  snd_ctl_card_info_get_longname: { parameters: ["pointer"], result: "pointer" }, // obj
  snd_ctl_card_info_get_mixername: { parameters: ["pointer"], result: "pointer" }, // obj
  snd_ctl_card_info_get_components: { parameters: ["pointer"], result: "pointer" }, // obj

  // alsa/error.h, alsa/global.h, alsa/conf.h
  snd_strerror: { parameters: ["i32"], result: "pointer" }, // errnum
  snd_lib_error_set_handler: { parameters: ["function"], result: "i32" }, // handler
  snd_asoundlib_version: { parameters: [], result: "pointer" },
  snd_config_update: { parameters: [], result: "i32" },
  snd_config_update_free_global: { parameters: [], result: "i32" },

  // Variants that run on a thread of Deno's pool: with a sleeping sound server behind a plugin these take seconds.
  snd_pcm_open_async: { name: "snd_pcm_open", parameters: ["buffer", "buffer", "u32", "i32"], result: "i32", nonblocking: true },
  snd_pcm_close_async: { name: "snd_pcm_close", parameters: ["pointer"], result: "i32", nonblocking: true },
  snd_pcm_hw_params_async: { name: "snd_pcm_hw_params", parameters: ["pointer", "pointer"], result: "i32", nonblocking: true },
  snd_pcm_hw_free_async: { name: "snd_pcm_hw_free", parameters: ["pointer"], result: "i32", nonblocking: true },
  snd_pcm_prepare_async: { name: "snd_pcm_prepare", parameters: ["pointer"], result: "i32", nonblocking: true },
  snd_pcm_drain_async: { name: "snd_pcm_drain", parameters: ["pointer"], result: "i32", nonblocking: true },
  snd_ctl_open_async: { name: "snd_ctl_open", parameters: ["buffer", "buffer", "i32"], result: "i32", nonblocking: true },

  // Hot aliases: 32 bits where C has 64, and addresses in place of buffers; why that is right: see `libcSymbols`.
  // Frame counts of one call are far below 2^31, and errors are small negative numbers.
  hot_writei: { name: "snd_pcm_writei", parameters: ["pointer", "pointer", "u32"], result: "i32" },
  hot_readi: { name: "snd_pcm_readi", parameters: ["pointer", "pointer", "u32"], result: "i32" },
  hot_avail: { name: "snd_pcm_avail", parameters: ["pointer"], result: "i32" },
  hot_avail_update: { name: "snd_pcm_avail_update", parameters: ["pointer"], result: "i32" },
  hot_avail_delay: { name: "snd_pcm_avail_delay", parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  hot_delay: { name: "snd_pcm_delay", parameters: ["pointer", "pointer"], result: "i32" },
  hot_rewind: { name: "snd_pcm_rewind", parameters: ["pointer", "u32"], result: "i32" },
  hot_forward: { name: "snd_pcm_forward", parameters: ["pointer", "u32"], result: "i32" },
  hot_htimestamp: { name: "snd_pcm_htimestamp", parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  hot_status_get_avail: { name: "snd_pcm_status_get_avail", parameters: ["pointer"], result: "u32" },
  hot_status_get_delay: { name: "snd_pcm_status_get_delay", parameters: ["pointer"], result: "i32" },
  hot_set_rate_min: { name: "snd_pcm_hw_params_set_rate_min", parameters: ["pointer", "pointer", "pointer", "pointer"], result: "i32" },
  hot_set_rate_max: { name: "snd_pcm_hw_params_set_rate_max", parameters: ["pointer", "pointer", "pointer", "pointer"], result: "i32" },
  hot_set_channels_min: { name: "snd_pcm_hw_params_set_channels_min", parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  hot_set_channels_max: { name: "snd_pcm_hw_params_set_channels_max", parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  hot_get_rate_min: { name: "snd_pcm_hw_params_get_rate_min", parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  hot_get_rate_max: { name: "snd_pcm_hw_params_get_rate_max", parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  hot_get_channels_min: { name: "snd_pcm_hw_params_get_channels_min", parameters: ["pointer", "pointer"], result: "i32" },
  hot_get_channels_max: { name: "snd_pcm_hw_params_get_channels_max", parameters: ["pointer", "pointer"], result: "i32" },
  hot_status_get_htstamp: { name: "snd_pcm_status_get_htstamp", parameters: ["pointer", "pointer"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

/** libasound's functions; loaded on the first call. */
export const libasound = lazyLibrary(
  { soname: "libasound.so.2", debianPackage: "libasound2", variable: "XSND_LIBASOUND" },
  libasoundSymbols,
);

/** A C string of ALSA's own, or `""` for NULL. */
export function text(pointer: Deno.PointerValue): string {
  return pointer === null ? "" : Deno.UnsafePointerView.getCString(pointer);
}

/** As {@link text}, for a string that the caller must free(3). */
export function takeText(pointer: Deno.PointerValue): string {
  const taken = text(pointer);
  libc().free(pointer);
  return taken;
}

/** error.h: `SND_ERROR_BEGIN`. Errors from here on are libasound's own; those below are errno's. */
export const SND_ERROR_BEGIN = 500000;

/** An ALSA call that failed. */
export class AlsaError extends Error {
  override name = "AlsaError";
  /**
   * @param call what was tried and on what, e.g. `snd_pcm_open hw:9,0`
   * @param code what ALSA returned: a negative errno, or a negative SND_ERROR_*
   */
  constructor(readonly call: string, readonly code: number, options?: ErrorOptions) {
    super(`${call}: ${text(libasound().snd_strerror(code))} (${errnoName(code)})`, options);
  }
}

/** Gives back a result that is not negative, or throws {@link AlsaError}. */
export function check(result: number, call: string): number {
  if (result < 0) throw new AlsaError(call, result);
  return result;
}

/**
 * Whether alsa-lib keeps to itself what it thinks of an error; by default it writes that to stderr. Errors are returned
 * all the same. Process-wide.
 */
export function silenceAlsa(silent = true): void {
  libasound().snd_lib_error_set_handler(silent ? functionWithoutEffect() : null);
}

/** The library's version, e.g. `"1.2.8"`. */
export function alsaVersion(): string {
  return text(libasound().snd_asoundlib_version());
}

/** ALSA's name of a format, e.g. `"S16_LE"`; `""` if it has none. */
export function formatName(format: number): string {
  return text(libasound().snd_pcm_format_name(format));
}

/** ALSA's number of a format by its name (case is ignored): {@link SND_PCM_FORMAT.UNKNOWN} if it knows none. */
export function formatValue(name: string): number {
  return libasound().snd_pcm_format_value(cString(name));
}
