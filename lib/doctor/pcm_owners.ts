// SPDX-License-Identifier: MIT
/** Finding the processes that have PCMs of this host open, in /proc/asound. */
import { SND_PCM_STREAM } from "../../ffi/alsa/libasound.ts";
import { sndCards, type SndDevice } from "../../ffi/alsa/snd_cards.ts";
import { processName, readText } from "./host.ts";

/** The processes that have a PCM of any card open, each once, as `1234 (pulseaudio)`. */
export function pcmOwners(): string[] {
  return [
    ...new Set(
      sndCards().flatMap(({ index, devices }) => devices.flatMap((device) => owners(index, device))),
    ),
  ];
}

/** The processes that have substreams of the device open, as `1234 (pulseaudio)`. */
export function owners(card: number, { device, stream, subdevices }: SndDevice): string[] {
  const letter = stream === SND_PCM_STREAM.PLAYBACK ? "p" : "c";
  return Array.from({ length: subdevices }, (_, sub) => {
    const status = readText(`/proc/asound/card${card}/pcm${device}${letter}/sub${sub}/status`);
    const pid = status?.match(/^owner_pid\s*:\s*(\d+)$/m)?.[1];
    return pid === undefined ? [] : [processName(Number(pid))];
  }).flat();
}
