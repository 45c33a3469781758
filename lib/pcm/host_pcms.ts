// SPDX-License-Identifier: MIT
/** Lists this host's PCMs, by names that a configuration's `device` can have. */
import { AlsaError } from "../../ffi/alsa/alsa_error.ts";
import { libasound, SND_PCM_STREAM } from "../../ffi/alsa/libasound.ts";
import { sndCards, sndHints } from "../../ffi/alsa/snd_cards.ts";
import { Exit, XsndError } from "../base/error.ts";
import { AlsaMessages, withAlsaMessages } from "./alsa/alsa_messages.ts";
import type { Direction } from "./pcm.ts";

export interface HostPcm {
  readonly name: string;
  readonly direction: Direction;
  /** A hardware device. A name of ALSA's configuration may stand for anything. */
  readonly hardware: boolean;
  /** The name comes from the hints of ALSA's configuration, and not from the user. */
  readonly advertised?: boolean;
}

const BOTH: readonly Direction[] = ["playback", "capture"];

/** Both directions of a PCM whose directions are unknown. */
export function bothDirections(name: string): HostPcm[] {
  return BOTH.map((direction) => ({ name, direction, hardware: name.startsWith("hw:") }));
}

/**
 * The hardware devices, then the PCMs that ALSA's configuration advertises. Throws XsndError: exit 5 without libasound, exit 1 with
 * ALSA's own messages if ALSA cannot list them.
 */
export function hostPcms(): HostPcm[] {
  libasound(); // throws without libasound, before AlsaMessages captures standard error
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
