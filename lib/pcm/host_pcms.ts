/** The PCMs that this host has, by the names that a configuration's `device` may have. */
import { silenceAlsa, SND_PCM_STREAM } from "../../ffi/libasound.ts";
import { sndCards, sndHints } from "../../ffi/libasound_cards.ts";
import type { Direction } from "./pcm.ts";

export interface HostPcm {
  readonly name: string;
  readonly direction: Direction;
  /** A card's own device, and not a name in ALSA's configuration, which may stand for anything. */
  readonly hardware: boolean;
}

const BOTH: readonly Direction[] = ["playback", "capture"];

/** Both directions of a PCM, as nobody knows which of them it has. */
export function bothDirections(name: string): HostPcm[] {
  return BOTH.map((direction) => ({ name, direction, hardware: name.startsWith("hw:") }));
}

/** Devices of cards, then the PCMs that ALSA's configuration advertises. Throws XsndError (exit 5) without libasound. */
export function hostPcms(): HostPcm[] {
  silenceAlsa();
  const devices = sndCards().flatMap(({ id, devices }) =>
    devices.map(({ device, stream }) => ({
      name: `hw:${id},${device}`,
      direction: directionOf(stream),
      hardware: true,
    }))
  );
  const names = sndHints().flatMap(({ name, stream }) =>
    stream === undefined
      ? bothDirections(name).map((pcm) => ({ ...pcm, hardware: false }))
      : [{ name, direction: directionOf(stream), hardware: false }]
  );
  return [...devices, ...names];
}

function directionOf(stream: number): Direction {
  return stream === SND_PCM_STREAM.CAPTURE ? "capture" : "playback";
}
