// SPDX-License-Identifier: MIT
/** A device that refuses a request, or fails. */
export class PcmError extends Error {
  override name = "PcmError";
  /** libasound's messages on the failure, if they were captured. */
  readonly alsaMessages: readonly string[];

  /** @param errno `XEN_E*`, positive: the answer to the guest */
  constructor(
    message: string,
    readonly errno: number,
    { alsaMessages = [], ...options }: ErrorOptions & { readonly alsaMessages?: readonly string[] } = {},
  ) {
    super(message, options);
    this.alsaMessages = alsaMessages;
  }
}
