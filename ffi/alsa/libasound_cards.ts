// SPDX-License-Identifier: MIT
/** What sound hardware and which PCM names this host has, as alsa-lib enumerates them. */
import { check, libasound, SND_PCM_STREAM, takeText, text } from "./libasound.ts";
import { allocate } from "./libasound_params.ts";
import { ERRNO } from "../libc/errno.ts";
import { cString } from "../base/library.ts";

/** `snd_ctl_card_info_t`. */
export interface SndCard {
  readonly index: number;
  /** E.g. `"PCH"`: `hw:PCH,0` names its first device. */
  readonly id: string;
  readonly driver: string;
  readonly name: string;
  readonly longName: string;
  readonly mixerName: string;
  readonly components: string;
  readonly devices: readonly SndDevice[];
}

/** One direction of one PCM device of a card. */
export interface SndDevice {
  readonly device: number;
  /** `SND_PCM_STREAM.*`. */
  readonly stream: number;
  readonly id: string;
  readonly name: string;
  readonly subdevices: number;
  /** Those of them that nobody has open. */
  readonly subdevicesAvailable: number;
}

/** A PCM name that ALSA's configuration advertises. */
export interface SndHint {
  readonly name: string;
  readonly description: string;
  /** `SND_PCM_STREAM.*`; undefined: both. */
  readonly stream: number | undefined;
}

type Pointer = NonNullable<Deno.PointerValue>;

/** All sound cards of this host with their PCM devices; none is opened for more than its description. */
export function sndCards(): SndCard[] {
  const index = new Int32Array([-1]);
  const cards: SndCard[] = [];
  while (true) {
    check(libasound().snd_card_next(index), "snd_card_next");
    if (index[0] < 0) return cards;
    cards.push(sndCard(index[0]));
  }
}

function sndCard(index: number): SndCard {
  const lib = libasound();
  const out = new BigUint64Array(1);
  check(lib.snd_ctl_open(out, cString(`hw:${index}`), 0), `snd_ctl_open hw:${index}`);
  const ctl = Deno.UnsafePointer.create(out[0])!;
  const info = allocate(lib.snd_ctl_card_info_malloc, "snd_ctl_card_info_malloc");
  try {
    check(lib.snd_ctl_card_info(ctl, info), `snd_ctl_card_info hw:${index}`);
    return {
      index,
      id: text(lib.snd_ctl_card_info_get_id(info)),
      driver: text(lib.snd_ctl_card_info_get_driver(info)),
      name: text(lib.snd_ctl_card_info_get_name(info)),
      longName: text(lib.snd_ctl_card_info_get_longname(info)),
      mixerName: text(lib.snd_ctl_card_info_get_mixername(info)),
      components: text(lib.snd_ctl_card_info_get_components(info)),
      devices: devices(ctl),
    };
  } finally {
    lib.snd_ctl_card_info_free(info);
    lib.snd_ctl_close(ctl);
  }
}

function devices(ctl: Pointer): SndDevice[] {
  const lib = libasound();
  const info = allocate(lib.snd_pcm_info_malloc, "snd_pcm_info_malloc");
  const device = new Int32Array([-1]);
  const found: SndDevice[] = [];
  try {
    while (true) {
      check(lib.snd_ctl_pcm_next_device(ctl, device), "snd_ctl_pcm_next_device");
      if (device[0] < 0) return found;
      for (const stream of Object.values(SND_PCM_STREAM)) {
        lib.snd_pcm_info_set_device(info, device[0]);
        lib.snd_pcm_info_set_subdevice(info, 0);
        lib.snd_pcm_info_set_stream(info, stream);
        const result = lib.snd_ctl_pcm_info(ctl, info);
        if (result === -ERRNO.ENOENT) continue; // the device has not this direction
        check(result, `snd_ctl_pcm_info ${device[0]}`);
        found.push({
          device: device[0],
          stream,
          id: text(lib.snd_pcm_info_get_id(info)),
          name: text(lib.snd_pcm_info_get_name(info)),
          subdevices: lib.snd_pcm_info_get_subdevices_count(info),
          subdevicesAvailable: lib.snd_pcm_info_get_subdevices_avail(info),
        });
      }
    }
  } finally {
    lib.snd_pcm_info_free(info);
  }
}

/** PCM names of ALSA's configuration, of all cards. */
export function sndHints(): SndHint[] {
  const lib = libasound();
  const out = new BigUint64Array(1);
  check(lib.snd_device_name_hint(-1, cString("pcm"), out), "snd_device_name_hint pcm");
  const hints = Deno.UnsafePointer.create(out[0])!;
  const view = new Deno.UnsafePointerView(hints);
  try {
    const found: SndHint[] = [];
    for (let hint, i = 0; (hint = view.getPointer(i * 8)) !== null; i++) {
      const field = (id: string) => takeText(lib.snd_device_name_get_hint(hint, cString(id)));
      const direction = field("IOID");
      found.push({
        name: field("NAME"),
        description: field("DESC"),
        stream: direction === "" ? undefined : SND_PCM_STREAM[direction === "Input" ? "CAPTURE" : "PLAYBACK"],
      });
    }
    return found;
  } finally {
    lib.snd_device_name_free_hint(hints);
  }
}
