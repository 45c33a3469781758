// SPDX-License-Identifier: MIT
/**
 * The model of a virtual sound card, after inheritance: what `provision` writes, `show` prints and the backend obeys.
 * Keys are those of sndif.h in camel case; sizes are in octets, rates in Hz.
 */
import type { Direction } from "../../pcm/pcm.ts";

/** What a stream may be opened with. */
export interface StreamParams {
  readonly rates: readonly number[];
  /** Names as in sndif.h (`XENSND_PCM_FORMAT_*_STR`): s16_le, float_le. */
  readonly formats: readonly string[];
  readonly channelsMin: number;
  readonly channelsMax: number;
  /** The most that the guest may share as one stream's buffer. */
  readonly bufferSizeBytes: number;
}

/** What the host decides about a stream. The guest can neither read nor change it. */
export interface StreamPolicy {
  readonly type: Direction;
  /** Names the stream to people and to logs; a configuration's stream without one has its place. */
  readonly uniqueId: string;
  /** An ALSA PCM name, or `dummy:[FILE]`. */
  readonly device: string;
  /** The guest hears (plays into) silence in the device's place, which is not opened; it sees no difference. */
  readonly denied?: boolean;
  readonly effective: StreamParams;
}

/** The device of a stream that is denied: silence in real time, so that its guest sees nothing of the policy. */
export const SILENT_DEVICE = "dummy:";

/** The device that serves the stream. */
export function usedDevice({ device, denied }: Pick<StreamPolicy, "device" | "denied">): string {
  return denied ? SILENT_DEVICE : device;
}

/** A stream's place within its domain: CARD/PCM/STREAM, each counted from 0. */
export function streamPlace(card: number, pcm: number, stream: number): string {
  return `${card}/${pcm}/${stream}`;
}

export interface CardPolicy {
  readonly pcms: readonly { readonly streams: readonly StreamPolicy[] }[];
}

/** A stream as configured: `declared` is what its own level says, `effective` what it gets from all levels. */
export interface StreamConfig extends StreamPolicy {
  readonly declared: Partial<StreamParams>;
}

export interface PcmConfig {
  readonly name?: string;
  readonly declared: Partial<StreamParams>;
  readonly streams: readonly StreamConfig[];
}

export interface CardConfig extends CardPolicy {
  readonly shortName?: string;
  readonly longName?: string;
  readonly declared: Partial<StreamParams>;
  readonly pcms: readonly PcmConfig[];
}

/** A domain's cards; a card's number is its index. */
export interface DomainConfig {
  /** The domain that serves the cards, by name or number. */
  readonly backend: string;
  readonly cards: readonly CardConfig[];
}

/** A configuration file; the key of a domain is its name or number. */
export type Config = ReadonlyMap<string, DomainConfig>;

/** The rates that the Linux frontend knows; it silently drops all others (xen_snd_front_cfg.c). */
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

/** What holds where no level says otherwise. */
export const DEFAULT_PARAMS: StreamParams = {
  rates: LINUX_RATES.filter((rate) => rate >= 8000 && rate <= 48000),
  formats: ["s16_le"],
  channelsMin: 1,
  channelsMax: 2,
  bufferSizeBytes: 65536,
};

export const DEFAULT_BACKEND = "Domain-0";

/** Bounds of a card, each with the reason for it. */
export const Limits = {
  /** SNDRV_CARDS of the guest's kernel. */
  cardsPerDomain: 32,
  /** SNDRV_PCM_DEVICES; the Linux frontend looks no further. */
  pcmsPerCard: 32,
  /** VSND_MAX_STREAM; the Linux frontend looks no further. */
  streamsPerPcm: 8,
  /** A stream costs its guest up to 13 nodes; xenstored allows a guest 1000 for everything (quota-nb-entry). */
  streamsPerDomain: 64,
  /** `channels-max` is a uint8_t. */
  channels: 255,
  /** Bounds what one stream pins of the host: 4096 grants, and 5 seconds of 8 channels at 96 kHz in s32_le. */
  bufferSizeBytes: 16 * 1024 * 1024,
  /** char[32] and char[80] in sndif.h, which include the NUL. */
  shortNameOctets: 31,
  longNameOctets: 79,
  /** Keeps path and value well below XENSTORE_PAYLOAD_MAX (4096). */
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
