// SPDX-License-Identifier: MIT
/** A card that cannot do what was asked. */
export class PcmError extends Error {
  override name = "PcmError";
  /** What libasound says of it, where somebody has listened. */
  readonly alsaMessages: readonly string[];

  /** @param errno `XEN_E*`, positive: what the guest is answered */
  constructor(
    message: string,
    readonly errno: number,
    { alsaMessages = [], ...options }: ErrorOptions & { readonly alsaMessages?: readonly string[] } = {},
  ) {
    super(message, options);
    this.alsaMessages = alsaMessages;
  }
}
