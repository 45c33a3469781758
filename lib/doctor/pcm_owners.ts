// SPDX-License-Identifier: MIT
/** Which processes have PCMs of this host's cards open, as the kernel tells. */
import { SND_PCM_STREAM } from "../../ffi/alsa/libasound.ts";
import { sndCards, type SndDevice } from "../../ffi/alsa/snd_cards.ts";
import { processName, readText } from "./host.ts";

/** The processes that have a card's PCM open, each once. */
export function pcmOwners(): string[] {
  return [
    ...new Set(
      sndCards().flatMap(({ index, devices }) => devices.flatMap((device) => owners(index, device))),
    ),
  ];
}

/** Who has substreams of the device open. */
export function owners(card: number, { device, stream, subdevices }: SndDevice): string[] {
  const letter = stream === SND_PCM_STREAM.PLAYBACK ? "p" : "c";
  return Array.from({ length: subdevices }, (_, sub) => {
    const status = readText(`/proc/asound/card${card}/pcm${device}${letter}/sub${sub}/status`);
    const pid = status?.match(/^owner_pid\s*:\s*(\d+)$/m)?.[1];
    return pid === undefined ? [] : [processName(Number(pid))];
  }).flat();
}
