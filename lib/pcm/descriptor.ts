// SPDX-License-Identifier: MIT
/** How a card that the main thread has opened travels to the engine's thread, and becomes a {@link Pcm} there. */
import { type AlsaDescriptor, AlsaPcm } from "./alsa/pcm.ts";
import { type DummyDescriptor, DummyPcm } from "./dummy/pcm.ts";
import { type Pcm, STAGING_BYTES } from "./pcm.ts";

export type PcmDescriptor = AlsaDescriptor | DummyDescriptor;

/** To be called in the engine's thread. @param staging that of the card which this one replaces */
export function openPcm(descriptor: PcmDescriptor, staging = new ArrayBuffer(STAGING_BYTES)): Pcm {
  return descriptor.kind === "alsa"
    ? new AlsaPcm(descriptor, staging)
    : new DummyPcm(descriptor, undefined, staging);
}
