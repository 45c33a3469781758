/** Whether a device can do anything of what a stream allows: to be found out before a guest does. */
import { silenceAlsa } from "../../ffi/libasound.ts";
import { Exit, XsndError } from "../error.ts";
import { AlsaDevice } from "../pcm/alsa_device.ts";
import { PcmError } from "../pcm/device.ts";
import { pcmDevice } from "../pcm/open_device.ts";
import { refinerOf } from "../pcm/refiner.ts";
import { maskToFormats, XEN_EINVAL } from "../sndif/mod.ts";
import type { StreamPolicy } from "../vsnd/card.ts";
import { everything } from "./capabilities.ts";
import { narrow } from "./policy.ts";

/**
 * Why the stream's device can do nothing of what the stream allows; undefined if it can, and also if it cannot be asked now: it
 * is busy, not plugged in, or libasound is not there. Of a denied stream it never is.
 */
export async function mismatchOf(
  { type, device, denied, effective }: StreamPolicy,
): Promise<string | undefined> {
  if (denied) return undefined;
  const param = everything();
  narrow(param, effective);
  try {
    const pcm = pcmDevice(device, type);
    if (pcm instanceof AlsaDevice) silenceAlsa();
    try {
      refinerOf(await pcm.probe()).refine(param);
    } finally {
      await pcm.closeProbe();
    }
  } catch (error) {
    if (error instanceof PcmError) return error.errno === XEN_EINVAL ? error.message : undefined;
    if (error instanceof XsndError && error.exitCode === Exit.xenOrLibraryMissing) return undefined;
    throw error;
  }
  const { formatsLow, rates, channels } = param;
  const { formats, rates: allowed, channelsMin, channelsMax } = effective;
  if (maskToFormats(formatsLow).length === 0) return `it has none of the formats ${formats.join(", ")}`;
  if (!allowed.some((rate) => rate >= rates.min && rate <= rates.max)) {
    return `it has ${range(rates.min, rates.max)} Hz, and not ${allowed.join(", ")}`;
  }
  if (channels.min > channels.max) return `it cannot have ${range(channelsMin, channelsMax)} channels`;
  return undefined;
}

function range(min: number, max: number): string {
  return min >= max ? `${max}` : `${min} to ${max}`;
}
