// SPDX-License-Identifier: MIT
/** Finding the reason why no guest can open a stream now: a busy or missing device, or one that can do nothing that the stream allows. */
import { Exit, XsndError } from "../base/error.ts";
import { withAlsaMessages } from "../pcm/alsa/alsa_messages.ts";
import { askDevice } from "../pcm/ask_device.ts";
import { PcmError } from "../pcm/pcm_error.ts";
import { DUMMY } from "../pcm/device_name.ts";
import type { Refiner } from "../pcm/refiner.ts";
import { maskToFormats, XEN_EBUSY, XEN_EINVAL } from "../sndif/mod.ts";
import type { StreamParams, StreamPolicy } from "../vsnd/model/card.ts";
import { everything } from "./capabilities.ts";
import { narrow } from "../stream/open_admission.ts";

export interface DeviceProblem {
  /**
   * `mismatch`: the device can do nothing that the stream allows. `busy`: a process has the device open, so its capabilities
   * cannot be asked. `unusable`: the device cannot be opened now. `unasked`: libasound is missing.
   */
  readonly kind: "mismatch" | "busy" | "unusable" | "unasked";
  /** The reason, with ALSA's own diagnosis. */
  readonly reason: string;
  /** What to do. */
  readonly advice?: string;
}

/** The problem with the device of a stream; undefined if there is none. The device of a denied stream is not opened and has no problem. */
export async function deviceProblem(
  { type, device, denied, effective }: StreamPolicy,
): Promise<DeviceProblem | undefined> {
  if (denied) return undefined;
  try {
    return await askDevice(device, type, (refiner) => mismatchOf(refiner, device, effective));
  } catch (error) {
    if (error instanceof PcmError) return problemFrom(error);
    if (!(error instanceof XsndError && error.exitCode === Exit.xenOrLibraryMissing)) throw error;
    return { kind: "unasked", ...reasonAndAdvice(error) };
  }
}

/** The problem with a device that cannot be asked. */
export function problemFrom(error: PcmError): DeviceProblem {
  const { reason, advice } = reasonAndAdvice(error);
  return {
    kind: error.errno === XEN_EBUSY ? "busy" : "unusable",
    reason: withAlsaMessages(reason, error.alsaMessages),
    ...(advice !== undefined && { advice }),
  };
}

/** Splits the message of an error: the reason before the first semicolon, the advice after it. */
function reasonAndAdvice({ message }: Error): { readonly reason: string; readonly advice?: string } {
  const at = message.indexOf("; ");
  return at < 0 ? { reason: message } : { reason: message.slice(0, at), advice: message.slice(at + 2) };
}

/** The problem if `device` can do nothing that `effective` allows. Throws {@link PcmError} if the device cannot be asked. */
export function mismatchOf(
  refiner: Refiner,
  device: string,
  effective: StreamParams,
): DeviceProblem | undefined {
  const reason = nothingInCommon(refiner, effective);
  return reason === undefined
    ? undefined
    : { kind: "mismatch", reason, advice: adviceFor(device, "allow what the device can do") };
}

/** The advice for a device that can do less than the stream allows: `first`, or ALSA's conversion. */
export function adviceFor(device: string, first: string): string {
  return device.startsWith(DUMMY)
    ? first
    : `${first}, or put ALSA's conversion before it (plughw: for hw:, or plug:)`;
}

function nothingInCommon(refiner: Refiner, effective: StreamParams): string | undefined {
  const param = everything();
  narrow(param, effective);
  try {
    refiner.refine(param);
  } catch (error) {
    if (error instanceof PcmError && error.errno === XEN_EINVAL) return error.message;
    throw error;
  }
  const { formatsLow, rates, channels } = param;
  const { formats, rates: allowed, channelsMin, channelsMax } = effective;
  if (maskToFormats(formatsLow).length === 0) {
    return `the device has none of the formats ${formats.join(", ")}`;
  }
  if (!allowed.some((rate) => rate >= rates.min && rate <= rates.max)) {
    return `the device has ${range(rates.min, rates.max)} Hz, and not ${allowed.join(", ")}`;
  }
  if (channels.min > channels.max) {
    return `the device cannot have ${range(channelsMin, channelsMax)} channels`;
  }
  return undefined;
}

function range(min: number, max: number): string {
  return min >= max ? `${max}` : `${min} to ${max}`;
}
