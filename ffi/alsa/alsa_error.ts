// SPDX-License-Identifier: MIT
/** Failures of ALSA calls: the error that they become here, and the messages that libasound itself prints of them. */
import { textAt } from "../base/c_string.ts";
import { errnoName } from "../libc/errno.ts";
import { functionWithoutEffect } from "../libc/pointers.ts";
import { libasound } from "./libasound.ts";

/** An ALSA call that failed. */
export class AlsaError extends Error {
  override name = "AlsaError";
  /**
   * @param call the call and its object, e.g. `snd_pcm_open hw:9,0`
   * @param code the call's result: a negative errno, or a negative SND_ERROR_*
   */
  constructor(readonly call: string, readonly code: number, options?: ErrorOptions) {
    super(`${call}: ${textAt(libasound().snd_strerror(code))} (${errnoName(code)})`, options);
  }
}

/** Returns a result that is not negative; throws {@link AlsaError} for a negative one. */
export function check(result: number, call: string): number {
  if (result < 0) throw new AlsaError(call, result);
  return result;
}

/** Turns libasound's own messages on standard error off or on, for the whole process. Calls return their errors either way. */
export function silenceAlsa(silent = true): void {
  libasound().snd_lib_error_set_handler(silent ? functionWithoutEffect() : null);
}
