// SPDX-License-Identifier: MIT
/**
 * libasound as its headers declare it (`alsa/pcm.h`, `output.h`, `control.h`, `error.h`, `conf.h`): the constants and functions
 * that xsnd uses. The other files of this folder hold the classes over this table.
 */
import { lazyLibrary } from "../base/library.ts";

/** pcm.h: `snd_pcm_stream_t`. */
export const SND_PCM_STREAM = { PLAYBACK: 0, CAPTURE: 1 } as const;
/** pcm.h: the flag of snd_pcm_open for calls that return at once. */
export const SND_PCM_NONBLOCK = 0x1;
/** pcm.h: `snd_pcm_access_t`. */
export const SND_PCM_ACCESS = { RW_INTERLEAVED: 3 } as const;
/** pcm.h: `snd_pcm_state_t`. */
export const SND_PCM_STATE = { SETUP: 1, DISCONNECTED: 8 } as const;
/** pcm.h: `snd_pcm_tstamp_t` and `snd_pcm_tstamp_type_t`. */
export const SND_PCM_TSTAMP = { ENABLE: 1 } as const;
export const SND_PCM_TSTAMP_TYPE = { MONOTONIC: 1 } as const;
/** error.h: errors from this number on are libasound's own; smaller ones are errno values. */
export const SND_ERROR_BEGIN = 500000;

/**
 * The symbol table: `pcm`, `params`, `info`, `ctl` and `output` point to the opaque structures of those names. A setter of
 * hardware parameters has `dir`, which is -1, 0 or 1: the exact value lies below, at or above `val`.
 */
// deno-fmt-ignore
export const libasoundSymbols = {
  // alsa/pcm.h: an open PCM
  snd_pcm_type: { parameters: ["pointer"], result: "u32" }, // pcm
  snd_pcm_type_name: { parameters: ["u32"], result: "pointer" }, // type
  snd_pcm_state: { parameters: ["pointer"], result: "u32" }, // pcm
  snd_pcm_dump: { parameters: ["pointer", "pointer"], result: "i32" }, // pcm, out
  snd_pcm_poll_descriptors_count: { parameters: ["pointer"], result: "i32" }, // pcm
  snd_pcm_poll_descriptors: { parameters: ["pointer", "buffer", "u32"], result: "i32" }, // pcm, *pfds, space
  snd_pcm_htimestamp: { parameters: ["pointer", "pointer", "pointer"], result: "i32" }, // pcm, *avail, *tstamp

  snd_pcm_prepare: { parameters: ["pointer"], result: "i32" }, // pcm
  snd_pcm_start: { parameters: ["pointer"], result: "i32" }, // pcm
  snd_pcm_drop: { parameters: ["pointer"], result: "i32" }, // pcm
  snd_pcm_pause: { parameters: ["pointer", "i32"], result: "i32" }, // pcm, enable

  // alsa/pcm.h: a configuration space. Addresses in place of buffers allocate nothing: the engine asks with them.
  snd_pcm_hw_params_malloc: { parameters: ["buffer"], result: "i32" }, // **ptr
  snd_pcm_hw_params_free: { parameters: ["pointer"], result: "void" }, // obj
  snd_pcm_hw_params_any: { parameters: ["pointer", "pointer"], result: "i32" }, // pcm, params
  snd_pcm_hw_params_can_pause: { parameters: ["pointer"], result: "i32" }, // params
  snd_pcm_hw_params_set_access: { parameters: ["pointer", "pointer", "u32"], result: "i32" }, // pcm, params, access
  snd_pcm_hw_params_set_format: { parameters: ["pointer", "pointer", "i32"], result: "i32" }, // pcm, params, val
  snd_pcm_hw_params_test_format: { parameters: ["pointer", "pointer", "i32"], result: "i32" }, // pcm, params, val
  snd_pcm_hw_params_set_channels: { parameters: ["pointer", "pointer", "u32"], result: "i32" }, // pcm, params, val
  snd_pcm_hw_params_get_channels_min: { parameters: ["pointer", "pointer"], result: "i32" }, // params, *val
  snd_pcm_hw_params_get_channels_max: { parameters: ["pointer", "pointer"], result: "i32" }, // params, *val
  snd_pcm_hw_params_set_channels_min: { parameters: ["pointer", "pointer", "pointer"], result: "i32" }, // pcm, params, *val
  snd_pcm_hw_params_set_channels_max: { parameters: ["pointer", "pointer", "pointer"], result: "i32" }, // pcm, params, *val
  snd_pcm_hw_params_set_rate: { parameters: ["pointer", "pointer", "u32", "i32"], result: "i32" }, // pcm, params, val, dir
  snd_pcm_hw_params_get_rate_min: { parameters: ["pointer", "pointer", "pointer"], result: "i32" }, // params, *val, *dir
  snd_pcm_hw_params_get_rate_max: { parameters: ["pointer", "pointer", "pointer"], result: "i32" }, // params, *val, *dir
  snd_pcm_hw_params_set_rate_min: { parameters: ["pointer", "pointer", "pointer", "pointer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_rate_max: { parameters: ["pointer", "pointer", "pointer", "pointer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_period_size_near: { parameters: ["pointer", "pointer", "buffer", "buffer"], result: "i32" }, // pcm, params, *val, *dir
  snd_pcm_hw_params_set_buffer_size_near: { parameters: ["pointer", "pointer", "buffer"], result: "i32" }, // pcm, params, *val

  // alsa/pcm.h: software parameters
  snd_pcm_sw_params: { parameters: ["pointer", "pointer"], result: "i32" }, // pcm, params
  snd_pcm_sw_params_current: { parameters: ["pointer", "pointer"], result: "i32" }, // pcm, params
  snd_pcm_sw_params_malloc: { parameters: ["buffer"], result: "i32" }, // **ptr
  snd_pcm_sw_params_free: { parameters: ["pointer"], result: "void" }, // obj
  snd_pcm_sw_params_get_boundary: { parameters: ["pointer", "buffer"], result: "i32" }, // params, *val
  snd_pcm_sw_params_set_tstamp_mode: { parameters: ["pointer", "pointer", "u32"], result: "i32" }, // pcm, params, val
  snd_pcm_sw_params_set_tstamp_type: { parameters: ["pointer", "pointer", "u32"], result: "i32" }, // pcm, params, val
  snd_pcm_sw_params_set_period_event: { parameters: ["pointer", "pointer", "i32"], result: "i32" }, // pcm, params, val
  snd_pcm_sw_params_set_start_threshold: { parameters: ["pointer", "pointer", "u64"], result: "i32" }, // pcm, params, val
  snd_pcm_sw_params_set_stop_threshold: { parameters: ["pointer", "pointer", "u64"], result: "i32" }, // pcm, params, val
  snd_pcm_sw_params_set_silence_size: { parameters: ["pointer", "pointer", "u64"], result: "i32" }, // pcm, params, val

  // alsa/output.h
  snd_output_buffer_open: { parameters: ["buffer"], result: "i32" }, // **outputp
  snd_output_buffer_string: { parameters: ["pointer", "buffer"], result: "usize" }, // output, **buf
  snd_output_close: { parameters: ["pointer"], result: "i32" }, // output

  // alsa/control.h, and the part of alsa/pcm.h that it uses
  snd_card_next: { parameters: ["buffer"], result: "i32" }, // *rcard
  snd_ctl_open: { parameters: ["buffer", "buffer", "i32"], result: "i32" }, // **ctl, name, mode
  snd_ctl_close: { parameters: ["pointer"], result: "i32" }, // ctl
  snd_ctl_card_info: { parameters: ["pointer", "pointer"], result: "i32" }, // ctl, info
  snd_ctl_card_info_malloc: { parameters: ["buffer"], result: "i32" }, // **ptr
  snd_ctl_card_info_free: { parameters: ["pointer"], result: "void" }, // obj
  snd_ctl_card_info_get_id: { parameters: ["pointer"], result: "pointer" }, // obj
  snd_ctl_card_info_get_driver: { parameters: ["pointer"], result: "pointer" }, // obj
  snd_ctl_card_info_get_name: { parameters: ["pointer"], result: "pointer" }, // obj
  snd_ctl_pcm_next_device: { parameters: ["pointer", "buffer"], result: "i32" }, // ctl, *device
  snd_ctl_pcm_info: { parameters: ["pointer", "pointer"], result: "i32" }, // ctl, info
  snd_pcm_info_malloc: { parameters: ["buffer"], result: "i32" }, // **ptr
  snd_pcm_info_free: { parameters: ["pointer"], result: "void" }, // obj
  snd_pcm_info_set_device: { parameters: ["pointer", "u32"], result: "void" }, // obj, val
  snd_pcm_info_set_subdevice: { parameters: ["pointer", "u32"], result: "void" }, // obj, val
  snd_pcm_info_set_stream: { parameters: ["pointer", "u32"], result: "void" }, // obj, val
  snd_pcm_info_get_subdevices_count: { parameters: ["pointer"], result: "u32" }, // obj
  snd_device_name_hint: { parameters: ["i32", "buffer", "buffer"], result: "i32" }, // card, iface, ***hints
  snd_device_name_get_hint: { parameters: ["pointer", "buffer"], result: "pointer" }, // hint, id
  snd_device_name_free_hint: { parameters: ["pointer"], result: "i32" }, // hints

  // alsa/error.h, alsa/conf.h
  snd_strerror: { parameters: ["i32"], result: "pointer" }, // errnum
  snd_lib_error_set_handler: { parameters: ["function"], result: "i32" }, // handler
  snd_config_update: { parameters: [], result: "i32" },
  snd_config_update_free_global: { parameters: [], result: "i32" },

  // `_async`: a thread of Deno's pool makes the call. With a sleeping sound server behind a plugin these take seconds.
  snd_pcm_open_async: { name: "snd_pcm_open", parameters: ["buffer", "buffer", "u32", "i32"], result: "i32", nonblocking: true }, // **pcm, name, stream, mode
  snd_pcm_close_async: { name: "snd_pcm_close", parameters: ["pointer"], result: "i32", nonblocking: true }, // pcm
  snd_pcm_hw_params_async: { name: "snd_pcm_hw_params", parameters: ["pointer", "pointer"], result: "i32", nonblocking: true }, // pcm, params
  snd_pcm_prepare_async: { name: "snd_pcm_prepare", parameters: ["pointer"], result: "i32", nonblocking: true }, // pcm

  // `hot_`: 32 bits where C has 64; `libcSymbols` says why that is right. The frame counts of one call are far below
  // 2^31, and errors are small negative numbers.
  hot_writei: { name: "snd_pcm_writei", parameters: ["pointer", "pointer", "u32"], result: "i32" }, // pcm, buffer, size
  hot_readi: { name: "snd_pcm_readi", parameters: ["pointer", "pointer", "u32"], result: "i32" }, // pcm, buffer, size
  hot_avail: { name: "snd_pcm_avail", parameters: ["pointer"], result: "i32" }, // pcm
  hot_avail_update: { name: "snd_pcm_avail_update", parameters: ["pointer"], result: "i32" }, // pcm
  hot_forward: { name: "snd_pcm_forward", parameters: ["pointer", "u32"], result: "i32" }, // pcm, frames
} as const satisfies Deno.ForeignLibraryInterface;

/** libasound's functions. The first call loads the library. */
export const libasound = lazyLibrary(
  { soname: "libasound.so.2", debianPackage: "libasound2", variable: "XSND_LIBASOUND" },
  libasoundSymbols,
);
