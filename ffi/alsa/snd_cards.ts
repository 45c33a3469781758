// SPDX-License-Identifier: MIT
/** The sound cards of this host, and the PCM names of its ALSA configuration. */
import { cString, textAt } from "../base/c_string.ts";
import { ERRNO } from "../libc/errno.ts";
import { libc } from "../libc/libc.ts";
import { allocate, createdPointer } from "./allocate.ts";
import { check } from "./alsa_error.ts";
import { libasound, SND_PCM_STREAM } from "./libasound.ts";

/** `snd_ctl_card_info_t`. */
export interface SndCard {
  readonly index: number;
  /** E.g. `"PCH"`: `hw:PCH,0` names the card's first device. */
  readonly id: string;
  readonly driver: string;
  readonly name: string;
  readonly devices: readonly SndDevice[];
}

/** One direction of one PCM device of a card. */
export interface SndDevice {
  readonly device: number;
  /** `SND_PCM_STREAM.*`. */
  readonly stream: number;
  /** How many users the device can have at a time. */
  readonly subdevices: number;
}

/** A PCM name that ALSA's configuration advertises. */
export interface SndHint {
  readonly name: string;
  /** `SND_PCM_STREAM.*`; undefined: both. */
  readonly stream: number | undefined;
}

type Pointer = NonNullable<Deno.PointerValue>;

/** All sound cards of this host with their PCM devices. Opens each card's control device, and no PCM. */
export function sndCards(): SndCard[] {
  const next = new Int32Array([-1]);
  const cards: SndCard[] = [];
  while (true) {
    check(libasound().snd_card_next(next), "snd_card_next");
    const [index = -1] = next;
    if (index < 0) return cards;
    cards.push(sndCard(index));
  }
}

function sndCard(index: number): SndCard {
  const lib = libasound();
  const out = new BigUint64Array(1);
  check(lib.snd_ctl_open(out, cString(`hw:${index}`), 0), `snd_ctl_open hw:${index}`);
  const ctl = createdPointer(out);
  const info = allocate(lib.snd_ctl_card_info_malloc, "snd_ctl_card_info_malloc");
  try {
    check(lib.snd_ctl_card_info(ctl, info), `snd_ctl_card_info hw:${index}`);
    return {
      index,
      id: textAt(lib.snd_ctl_card_info_get_id(info)),
      driver: textAt(lib.snd_ctl_card_info_get_driver(info)),
      name: textAt(lib.snd_ctl_card_info_get_name(info)),
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
  const next = new Int32Array([-1]);
  const found: SndDevice[] = [];
  try {
    while (true) {
      check(lib.snd_ctl_pcm_next_device(ctl, next), "snd_ctl_pcm_next_device");
      const [device = -1] = next;
      if (device < 0) return found;
      for (const stream of Object.values(SND_PCM_STREAM)) {
        lib.snd_pcm_info_set_device(info, device);
        lib.snd_pcm_info_set_subdevice(info, 0);
        lib.snd_pcm_info_set_stream(info, stream);
        const result = lib.snd_ctl_pcm_info(ctl, info);
        if (result === -ERRNO.ENOENT) continue; // the device lacks this direction
        check(result, `snd_ctl_pcm_info ${device}`);
        found.push({ device, stream, subdevices: lib.snd_pcm_info_get_subdevices_count(info) });
      }
    }
  } finally {
    lib.snd_pcm_info_free(info);
  }
}

/** The PCM names that ALSA's configuration advertises, of all cards. */
export function sndHints(): SndHint[] {
  const lib = libasound();
  const out = new BigUint64Array(1);
  check(lib.snd_device_name_hint(-1, cString("pcm"), out), "snd_device_name_hint pcm");
  const hints = createdPointer(out);
  const view = new Deno.UnsafePointerView(hints);
  try {
    const found: SndHint[] = [];
    for (let hint, i = 0; (hint = view.getPointer(i * 8)) !== null; i++) {
      const field = (id: string) => takeText(lib.snd_device_name_get_hint(hint, cString(id)));
      const direction = field("IOID");
      found.push({
        name: field("NAME"),
        stream: direction === "" ? undefined : SND_PCM_STREAM[direction === "Input" ? "CAPTURE" : "PLAYBACK"],
      });
    }
    return found;
  } finally {
    lib.snd_device_name_free_hint(hints);
  }
}

/** The C string at `pointer`, which malloc(3) made; frees it. `""` for NULL. */
function takeText(pointer: Deno.PointerValue): string {
  const taken = textAt(pointer);
  libc().free(pointer);
  return taken;
}
