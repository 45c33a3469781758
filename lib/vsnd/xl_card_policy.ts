/**
 * The policy of a card that xl made: what the card is comes from its {@link PinnedCard}, the devices from the daemon's
 * configuration. A stream of the configuration decides on everything: device, parameters, `denied`. The default devices serve the
 * other streams, within {@link XL_CAPS}. The configuration's owner has not seen those streams, so a capture stream gets no device
 * that was meant for playback.
 */
import {
  type CardPolicy,
  DEFAULT_PARAMS,
  LINUX_RATES,
  SILENT_DEVICE,
  type StreamParams,
  type StreamPolicy,
} from "./card.ts";
import type { PinnedCard, PinnedStream } from "./pinned.ts";
import { SERVED_FORMATS } from "./params.ts";

/** Devices for streams that the configuration does not name. */
export interface DefaultDevices {
  readonly playback?: string;
  readonly capture?: string;
}

/** The most that a stream on a default device may have: what cards of the market do, and 680 ms of it. A configured stream may have more. */
export const XL_CAPS: StreamParams = {
  rates: LINUX_RATES,
  formats: SERVED_FORMATS,
  channelsMin: 1,
  channelsMax: 8,
  bufferSizeBytes: 1 << 20,
};

export interface XlCardDecision {
  /** Undefined: the card is not served. */
  readonly policy: CardPolicy | undefined;
  /** What an operator may not expect, a sentence each. */
  readonly notes: readonly string[];
}

export function xlCardPolicy(
  { isLate, pcms }: PinnedCard,
  configured: readonly StreamPolicy[],
  defaults: DefaultDevices,
): XlCardDecision {
  const notes: string[] = [];
  const without: string[] = [];
  const caps = isLate ? DEFAULT_PARAMS : XL_CAPS;
  const decide = (stream: PinnedStream, name: string): StreamPolicy => {
    const { type, uniqueId } = stream;
    const match = configured.find((one) => one.uniqueId === uniqueId && one.type === type);
    if (match !== undefined) return { ...configuredPart(match), type, uniqueId };
    const label = `${name} (${type}, unique-id ${JSON.stringify(uniqueId)})`;
    const effective = within(stream.effective, caps);
    if (JSON.stringify(effective) !== JSON.stringify(stream.effective)) {
      notes.push(
        `stream ${label} asks for more than a stream of xl's may have without an entry in --config: it is cut`,
      );
    }
    const device = defaults[type];
    if (type === "capture" && isLate && defaults.playback !== undefined) {
      notes.push(
        `stream ${label} records silence: its guest ran before this host had a record of the card, and may have made the stream ` +
          "a capture stream itself; name its device in --config, or attach the card again",
      );
      return { type, uniqueId, device: device ?? SILENT_DEVICE, denied: true, effective };
    }
    if (type === "capture" && device === undefined && defaults.playback !== undefined) {
      notes.push(
        `stream ${label} records silence: --default-device is for playback; ` +
          "name a device with --default-capture-device or in --config",
      );
      return { type, uniqueId, device: SILENT_DEVICE, denied: true, effective };
    }
    if (device === undefined) without.push(label);
    return { type, uniqueId, device: device ?? SILENT_DEVICE, effective };
  };
  const policy = {
    pcms: pcms.map(({ streams }, p) => ({
      streams: streams.map((stream, s) => decide(stream, `${p}/${s}`)),
    })),
  };
  if (without.length === 0) return { policy, notes };
  return {
    policy: undefined,
    notes: [
      `the card is not served: xl made it, and nothing names a device for ${without.join(", ")}; ` +
      "name one with --default-device and --default-capture-device, or each by its unique-id and type in --config",
    ],
  };
}

/** What a stream of the configuration decides. */
function configuredPart(
  { device, denied, effective }: StreamPolicy,
): Pick<StreamPolicy, "device" | "denied" | "effective"> {
  return { device, ...(denied ? { denied } : {}), effective };
}

/** `params` without what is beyond `caps`. Where nothing is left of a list, the caps' own stands: the guest's queries find out. */
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
