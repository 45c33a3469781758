// SPDX-License-Identifier: MIT
/** Carries an open device from the main thread to the engine's thread, where the descriptor becomes a {@link Pcm}. */
import { type AlsaDescriptor, AlsaPcm } from "./alsa/pcm.ts";
import { type DummyDescriptor, DummyPcm } from "./dummy/pcm.ts";
import { type Pcm, STAGING_BYTES } from "./pcm.ts";

export type PcmDescriptor = AlsaDescriptor | DummyDescriptor;

/**
 * Makes the {@link Pcm} in the engine's thread.
 * @param staging the staging memory of the stream's former device
 */
export function openPcm(descriptor: PcmDescriptor, staging = new ArrayBuffer(STAGING_BYTES)): Pcm {
  return descriptor.kind === "alsa"
    ? new AlsaPcm(descriptor, staging)
    : new DummyPcm(descriptor, undefined, staging);
}
