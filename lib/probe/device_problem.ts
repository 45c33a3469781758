// SPDX-License-Identifier: MIT
/** Whether a stream's device can do anything of what the stream allows: to be found out before a guest does. */
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
   * `mismatch`: the device can do nothing of what the stream allows. `busy`: somebody has it open, so nobody can ask it.
   * `unusable`: it cannot be opened now. `unasked`: there is no libasound to ask it by.
   */
  readonly kind: "mismatch" | "busy" | "unusable" | "unasked";
  /** What is in the way, with ALSA's own diagnosis. */
  readonly reason: string;
  /** What to do about it. */
  readonly advice?: string;
}

/** What keeps a guest from opening the stream now. A stream that is denied has no problem: its device is not opened. */
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

/** The problem that a device is which cannot be asked. */
export function problemFrom(error: PcmError): DeviceProblem {
  const { reason, advice } = reasonAndAdvice(error);
  return {
    kind: error.errno === XEN_EBUSY ? "busy" : "unusable",
    reason: withAlsaMessages(reason, error.alsaMessages),
    ...(advice !== undefined && { advice }),
  };
}

/** Our errors say what went wrong, and after a semicolon what mends it. */
function reasonAndAdvice({ message }: Error): { readonly reason: string; readonly advice?: string } {
  const at = message.indexOf("; ");
  return at < 0 ? { reason: message } : { reason: message.slice(0, at), advice: message.slice(at + 2) };
}

/** The problem that `device` is if it can do nothing of what `effective` allows. Throws {@link PcmError} if it cannot be asked. */
export function mismatchOf(
  refiner: Refiner,
  device: string,
  effective: StreamParams,
): DeviceProblem | undefined {
  const reason = nothingInCommon(refiner, effective);
  return reason === undefined
    ? undefined
    : { kind: "mismatch", reason, advice: adviceFor(device, "allow what it can do") };
}

/** What to do about a device that can do less than is allowed: `first`, or what ALSA offers. */
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
