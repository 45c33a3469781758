// SPDX-License-Identifier: MIT
/**
 * The model of a card: the streams that `provision` writes, `show` prints and the daemon serves, with all inheritance resolved.
 * Names are those of sndif.h in camel case. Sizes are in octets, rates in Hz.
 */
import type { Direction } from "../../pcm/pcm.ts";

/** The parameters that a stream may be opened with. */
export interface StreamParams {
  /** Hz. */
  readonly rates: readonly number[];
  /** Names as in sndif.h (`XENSND_PCM_FORMAT_*_STR`): s16_le, float_le. */
  readonly formats: readonly string[];
  /** The smallest number of channels. */
  readonly channelsMin: number;
  /** The largest number of channels. */
  readonly channelsMax: number;
  /** The largest buffer that the guest may share for one stream. */
  readonly bufferSizeBytes: number;
}

/** What a configuration says of a stream until an operator sets something. */
export interface FirstSettings {
  /** In steps of 0.001 dB, on top of the guest's own volume. */
  readonly volume?: number;
  /** Whether the stream is silent. */
  readonly muted?: boolean;
}

/** The host's decisions about a stream. The guest can neither read nor change them. */
export interface StreamPolicy {
  /** Playback: the guest plays; capture: the guest records. */
  readonly type: Direction;
  /** The stream's name for people and logs. For a configured stream without a name, its place CARD/PCM/STREAM. */
  readonly uniqueId: string;
  /** An ALSA PCM name, or `dummy:[FILE]`. */
  readonly device: string;
  /** The guest plays to nowhere and captures silence. The device is not opened, and the guest sees no difference. */
  readonly denied?: boolean;
  /** Volume and mute until an operator sets them. A policy from XenStore has none: there, the operator's nodes have them. */
  readonly first?: FirstSettings;
  /** What the guest may open the stream with. */
  readonly effective: StreamParams;
}

/** The device of a denied stream: silence in real time, so that the guest cannot tell. */
export const SILENT_DEVICE = "dummy:";

/** The device that serves the stream. */
export function usedDevice({ device, denied }: Pick<StreamPolicy, "device" | "denied">): string {
  return denied ? SILENT_DEVICE : device;
}

/** The stream's place in its domain: CARD/PCM/STREAM, each counted from 0. */
export function streamPlace(card: number, pcm: number, stream: number): string {
  return `${card}/${pcm}/${stream}`;
}

/** What the host decides about a card. */
export interface CardPolicy {
  /** The card's PCMs, each with its streams. */
  readonly pcms: readonly { readonly streams: readonly StreamPolicy[] }[];
}

/** The policy as a text, for comparisons. Two policies that differ in their first settings alone have one text. */
export function policyText(policy: CardPolicy | StreamPolicy | undefined): string {
  return JSON.stringify(policy, (key, value) => key === "first" ? undefined : value) ?? "";
}

/** A configured stream. `declared` has the parameters of the stream's own level, `effective` those that all levels come to. */
export interface StreamConfig extends StreamPolicy {
  /** The parameters that the configuration gives at the stream itself. */
  readonly declared: Partial<StreamParams>;
}

/** A PCM as configured. */
export interface PcmConfig {
  /** The PCM's name, which the guest sees. */
  readonly name?: string;
  /** The parameters that the configuration gives at the PCM. */
  readonly declared: Partial<StreamParams>;
  /** The PCM's streams. */
  readonly streams: readonly StreamConfig[];
}

/** A card as configured. */
export interface CardConfig extends CardPolicy {
  /** The card's short name, which the guest sees. */
  readonly shortName?: string;
  /** The card's long name, which the guest sees. */
  readonly longName?: string;
  /** The parameters that the configuration gives at the card. */
  readonly declared: Partial<StreamParams>;
  /** The card's PCMs. */
  readonly pcms: readonly PcmConfig[];
}

/** The cards of a domain. A card's number is its index. */
export interface DomainConfig {
  /** The name or number of the domain that serves the cards. */
  readonly backend: string;
  /** The domain's cards. */
  readonly cards: readonly CardConfig[];
}

/** A whole configuration. The key of a domain is its name or number. */
export type Config = ReadonlyMap<string, DomainConfig>;

/** The rates that the Linux frontend knows. It drops all others silently (xen_snd_front_cfg.c). */
export const LINUX_RATES: readonly number[] = [
  5512,
  8000,
  11025,
  16000,
  22050,
  32000,
  44100,
  48000,
  64000,
  96000,
  176400,
  192000,
];

/** The parameters that hold where no level sets them. */
export const DEFAULT_PARAMS: StreamParams = {
  rates: LINUX_RATES.filter((rate) => rate >= 8000 && rate <= 48000),
  formats: ["s16_le"],
  channelsMin: 1,
  channelsMax: 2,
  bufferSizeBytes: 65536,
};

export const DEFAULT_BACKEND = "Domain-0";

/** The bounds of a card, each with its reason. */
export const Limits = {
  /** SNDRV_CARDS of the guest's kernel. */
  cardsPerDomain: 32,
  /** SNDRV_PCM_DEVICES. The Linux frontend reads no more. */
  pcmsPerCard: 32,
  /** VSND_MAX_STREAM. The Linux frontend reads no more. */
  streamsPerPcm: 8,
  /** A stream takes up to 13 nodes of its guest's quota. xenstored allows a guest 1000 nodes in all (quota-nb-entry). */
  streamsPerDomain: 64,
  /** `channels-max` is a uint8_t. */
  channels: 255,
  /** Bounds the host memory that one stream pins: 4096 grants, or 5 s of 8 channels at 96 kHz in s32_le. */
  bufferSizeBytes: 16 * 1024 * 1024,
  /** char[32] and char[80] in sndif.h, with the final NUL. */
  shortNameOctets: 31,
  longNameOctets: 79,
  /** Keeps a path with its value well below XENSTORE_PAYLOAD_MAX (4096). */
  textOctets: 255,
  /** period_bytes_min and periods_min of the Linux frontend. */
  periodBytesMin: 64,
  periodsMin: 2,
} as const;

/** The card of a bare `xsnd provision DOMAIN`: stereo playback and capture on one ALSA device. */
export function defaultCard(device: string): CardConfig {
  const stream = (type: Direction): StreamConfig => ({
    type,
    uniqueId: type,
    device,
    declared: {},
    effective: DEFAULT_PARAMS,
  });
  return {
    shortName: "xsnd",
    longName: "xsnd virtual sound card",
    declared: DEFAULT_PARAMS,
    pcms: [{ name: "Main", declared: {}, streams: [stream("playback"), stream("capture")] }],
  };
}
