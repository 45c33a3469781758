// SPDX-License-Identifier: MIT
/** The PCMs that this host has, by the names that a configuration's `device` may have. */
import { AlsaError } from "../../ffi/alsa/alsa_error.ts";
import { libasound, SND_PCM_STREAM } from "../../ffi/alsa/libasound.ts";
import { sndCards, sndHints } from "../../ffi/alsa/snd_cards.ts";
import { Exit, XsndError } from "../base/error.ts";
import { AlsaMessages, withAlsaMessages } from "./alsa/alsa_messages.ts";
import type { Direction } from "./pcm.ts";

export interface HostPcm {
  readonly name: string;
  readonly direction: Direction;
  /** A card's own device, and not a name in ALSA's configuration, which may stand for anything. */
  readonly hardware: boolean;
  /** Nobody has named it: ALSA's configuration advertises it. */
  readonly advertised?: boolean;
}

const BOTH: readonly Direction[] = ["playback", "capture"];

/** Both directions of a PCM, as nobody knows which of them it has. */
export function bothDirections(name: string): HostPcm[] {
  return BOTH.map((direction) => ({ name, direction, hardware: name.startsWith("hw:") }));
}

/**
 * Devices of cards, then the PCMs that ALSA's configuration advertises. Throws XsndError: exit 5 without libasound, exit 1 if ALSA
 * cannot tell, with its own diagnosis.
 */
export function hostPcms(): HostPcm[] {
  libasound(); // what is not there says nothing
  using alsa = new AlsaMessages();
  try {
    return [...devicesOfCards(), ...advertised()];
  } catch (error) {
    if (!(error instanceof AlsaError)) throw error;
    const what = withAlsaMessages(`ALSA cannot list this host's PCMs: ${error.message}`, alsa.list());
    throw new XsndError(what, Exit.failed, { cause: error });
  }
}

function devicesOfCards(): HostPcm[] {
  return sndCards().flatMap(({ id, devices }) =>
    devices.map(({ device, stream }) => ({
      name: `hw:${id},${device}`,
      direction: directionOf(stream),
      hardware: true,
    }))
  );
}

function advertised(): HostPcm[] {
  const entry = { hardware: false, advertised: true } as const;
  return sndHints().flatMap(({ name, stream }) =>
    stream === undefined
      ? BOTH.map((direction) => ({ ...entry, name, direction }))
      : [{ ...entry, name, direction: directionOf(stream) }]
  );
}

function directionOf(stream: number): Direction {
  return stream === SND_PCM_STREAM.CAPTURE ? "capture" : "playback";
}
