// SPDX-License-Identifier: MIT
/**
 * The policy of a card that xl made. The {@link CardSnapshot} says what the card is; the daemon's configuration says which devices it
 * gets. A configured stream gets device, parameters and `denied` from the configuration. The other streams get the default devices,
 * within {@link XL_CAPS}. Nobody on the host has named those streams, so a capture stream gets no device that is meant for playback.
 */
import {
  type CardPolicy,
  DEFAULT_PARAMS,
  LINUX_RATES,
  SILENT_DEVICE,
  type StreamParams,
  type StreamPolicy,
} from "../../vsnd/model/card.ts";
import { SERVED_FORMATS } from "../../vsnd/model/param_nodes.ts";
import type { CardSnapshot, SnapshotStream } from "../../vsnd/nodes/card_snapshot.ts";

/** Devices for streams that the configuration does not name. */
export interface DefaultDevices {
  readonly playback?: string;
  readonly capture?: string;
}

/** The upper limits of a stream on a default device. A configured stream may exceed them. */
export const XL_CAPS: StreamParams = {
  rates: LINUX_RATES,
  formats: SERVED_FORMATS,
  channelsMin: 1,
  channelsMax: 8,
  /** 680 ms of 8 channels at 48 kHz in s32_le. */
  bufferSizeBytes: 1 << 20,
};

/** The reason for a stream's policy. */
export type Grounds =
  | "configured"
  /** A default device, with all the parameters that the stream asks for. */
  | "default"
  /** A default device, with fewer parameters than the stream asks for. */
  | "capped"
  /** Silence: the host names no device for capture. */
  | "unnamedCapture"
  /** Silence: the guest may have turned the stream into a capture stream before the card was pinned. */
  | "lateCapture"
  /** The card is not served, as this stream has no device. */
  | "deviceless";

export interface XlCardDecision {
  /** Undefined: the card is not served. */
  readonly policy: CardPolicy | undefined;
  /** By PCM and stream. */
  readonly grounds: readonly (readonly Grounds[])[];
}

/** @param matches the configured stream of each stream, by PCM and stream */
export function xlCardPolicy(
  { isLate, pcms }: CardSnapshot,
  matches: readonly (readonly (StreamPolicy | undefined)[])[],
  defaults: DefaultDevices,
): XlCardDecision {
  const decisions = pcms.map(({ streams }, p) =>
    streams.map((stream, s) => decide(stream, matches[p]?.[s], isLate, defaults))
  );
  const grounds = decisions.map((streams) => streams.map(([ground]) => ground));
  if (grounds.flat().includes("deviceless")) return { policy: undefined, grounds };
  return {
    policy: { pcms: decisions.map((streams) => ({ streams: streams.map(([, policy]) => policy) })) },
    grounds,
  };
}

function decide(
  { type, uniqueId, effective: asked }: SnapshotStream,
  match: StreamPolicy | undefined,
  isLate: boolean,
  defaults: DefaultDevices,
): [Grounds, StreamPolicy] {
  if (match !== undefined) {
    const { device, denied, first, effective } = match;
    const policy = { type, uniqueId, device, ...(denied && { denied }), ...(first && { first }), effective };
    return ["configured", policy];
  }
  const effective = within(asked, isLate ? DEFAULT_PARAMS : XL_CAPS);
  const silence = { type, uniqueId, device: defaults[type] ?? SILENT_DEVICE, denied: true, effective };
  if (type === "capture" && defaults.playback !== undefined) {
    if (isLate) return ["lateCapture", silence];
    if (defaults.capture === undefined) return ["unnamedCapture", silence];
  }
  const device = defaults[type];
  // Without --default-device, too, nobody vouches for a capture stream of a late card.
  if (device === undefined || type === "capture" && isLate) return ["deviceless", silence];
  const isWhole = JSON.stringify(effective) === JSON.stringify(asked);
  return [isWhole ? "default" : "capped", { type, uniqueId, device, effective }];
}

/** `params` cut down to `caps`. Where a list would become empty, the list of `caps` holds: the guest's queries find that out. */
function within(params: StreamParams, caps: StreamParams): StreamParams {
  const common = <T>(own: readonly T[], most: readonly T[]) => {
    const left = own.filter((item) => most.includes(item));
    return left.length > 0 ? left : most;
  };
  const channelsMax = Math.min(params.channelsMax, caps.channelsMax);
  return {
    rates: common(params.rates, caps.rates),
    formats: common(params.formats, caps.formats),
    channelsMin: Math.min(params.channelsMin, channelsMax),
    channelsMax,
    bufferSizeBytes: Math.min(params.bufferSizeBytes, caps.bufferSizeBytes),
  };
}
