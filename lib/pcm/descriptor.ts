/** How a card that the main thread has opened travels to the engine's thread, and becomes a {@link Pcm} there. */
import { type AlsaDescriptor, AlsaPcm } from "./alsa.ts";
import { type DummyDescriptor, DummyPcm } from "./dummy.ts";
import type { Pcm } from "./pcm.ts";

export type PcmDescriptor = AlsaDescriptor | DummyDescriptor;

/** To be called in the engine's thread. */
export function openPcm(descriptor: PcmDescriptor): Pcm {
  return descriptor.kind === "alsa" ? new AlsaPcm(descriptor) : new DummyPcm(descriptor);
}
