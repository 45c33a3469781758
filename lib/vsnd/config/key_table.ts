// SPDX-License-Identifier: MIT
/**
 * What each key of a configuration file means. The JSON Schema, the manual page xsnd.yaml(5) and the findings about a file are
 * made from this table, so that the three agree.
 */
import { MAX_VOLUME, MIN_VOLUME } from "../../stream/volume_bounds.ts";
import { DEFAULT_BACKEND, DEFAULT_PARAMS, Limits, LINUX_RATES } from "../model/card.ts";

/** One key. All texts are for people. */
export interface KeyDescription {
  /** One or more whole sentences. */
  readonly meaning: string;
  /** The values that the key takes, as the object of "write": "true or false". */
  readonly values: string;
  /** What holds without the key, as the end of "Default: ". A required key has none. */
  readonly default?: string;
  /** A value that the schema accepts. */
  readonly example: unknown;
  /** What a wrong value would do, or why the bounds are what they are; undefined where that is plain. */
  readonly why?: string;
}

const STREAM = { type: "playback", device: "hw:0,0" };
const NAME = `a text of at most ${Limits.longNameOctets} octets, without a comma`;
const WHY_NAME = "sndif.h has 80 octets for the name with its NUL, and in xl.cfg a comma ends a value";
const CHANNELS = `a number from 1 to ${Limits.channels}`;
const WHY_CHANNELS = "sndif.h has one octet for the number of channels";

/** How card, PCM and stream share a parameter; part of the meaning of each. */
const NARROWS =
  "A PCM inherits the value of its card, and a stream that of its PCM. A lower level can only narrow it.";

/** The default of a parameter. */
function inherited(value: string): string {
  return `the value of the level above, and ${value} where no level has one`;
}

export const KEY_TABLE = {
  defaults: {
    meaning:
      "Parameters for cards, where neither the card nor anything in it has its own value. At the top of the file they are for the " +
      "cards of all guests. In a guest's entry they are for the cards of that guest, and come first.",
    values: "a map with any of buffer-size, sample-rates, sample-formats, channels-min and channels-max",
    default: "nothing",
    example: { "sample-rates": [44100, 48000], "channels-max": 2 },
  },
  domains: {
    meaning: "The guests that get sound cards. Each key is a guest's name as in xl.cfg, or its number.",
    values: "a map from domain names to their cards",
    example: { domU: { cards: [{ pcms: [{ streams: [STREAM] }] }] } },
  },
  backend: {
    meaning:
      "The domain whose `xsnd serve` serves the guest's cards: its name, or its number. All cards of a guest " +
      "have one backend. Domain-0 is domain 0 even where XenStore has no name for it.",
    values: "the name or number of the domain that serves the cards, such as Domain-0",
    default: DEFAULT_BACKEND,
    example: "sound-driver-domain",
    why: "the guest's driver talks to the daemon of that domain",
  },
  cards: {
    meaning: "The guest's sound cards. A card's number is its place in the list, from 0. A guest can have " +
      `${Limits.streamsPerDomain} streams in all: more would use up its quota of XenStore nodes.`,
    values: `a list of 1 to ${Limits.cardsPerDomain} cards`,
    example: [{ "short-name": "VCard", pcms: [{ streams: [STREAM] }] }],
    why:
      `a guest's kernel has room for ${Limits.cardsPerDomain} cards, and a guest without cards needs no entry`,
  },
  "short-name": {
    meaning: "The card's short name, for the guest's driver. Linux's snd_xen_front does not read it.",
    values: `a text of at most ${Limits.shortNameOctets} octets, without a comma`,
    default: "no name",
    example: "VCard",
    why: "sndif.h has 32 octets for the name with its NUL, and in xl.cfg a comma ends a value",
  },
  "long-name": {
    meaning: "The card's long name, for the guest's driver. Linux's snd_xen_front does not read it.",
    values: NAME,
    default: "no name",
    example: "Virtual sound card",
    why: WHY_NAME,
  },
  pcms: {
    meaning:
      "The card's PCMs. A PCM's number is its place in the list, from 0. The guest sees PCM 1 of its first card " +
      "as hw:0,1.",
    values: `a list of 1 to ${Limits.pcmsPerCard} PCMs`,
    example: [{ name: "Main", streams: [STREAM] }],
    why: `the Linux frontend reads ${Limits.pcmsPerCard} PCMs of a card, and ignores the others silently`,
  },
  name: {
    meaning: "The PCM's name, which `aplay -l` in the guest shows.",
    values: NAME,
    default: "no name",
    example: "Main",
    why: WHY_NAME,
  },
  streams: {
    meaning:
      "The PCM's streams. A stream's number is its place in the list, from 0. Several streams of one type are the " +
      "guest's subdevices.",
    values: `a list of 1 to ${Limits.streamsPerPcm} streams`,
    example: [STREAM, { type: "capture", device: "hw:0,0" }],
    why: `the Linux frontend reads ${Limits.streamsPerPcm} streams of a PCM, and ignores the others silently`,
  },
  type: {
    meaning:
      "The direction of the stream: playback is from the guest to the device, capture from the device to the guest. " +
      "p and c are short for the two.",
    values: "playback or capture",
    example: "playback",
    why: "the Linux frontend refuses the whole card if one stream has an unknown type",
  },
  "unique-id": {
    meaning:
      "The stream's name for people, in commands and in logs. A card that xl made gets the devices of the streams " +
      "with the same unique-id and type.",
    values: `a text of at most ${Limits.textOctets} octets, without a comma`,
    default: "the stream's place CARD/PCM/STREAM, such as 0/0/1",
    example: "speakers",
    why: "the name stands in logs and in xl.cfg, where a comma ends a value",
  },
  device: {
    meaning:
      "The backend domain's device that the stream plays to or captures from: the name of an ALSA PCM, as " +
      "`xsnd probe` and `aplay -L` list them. dummy: is a device of xsnd's own that needs no hardware: it plays " +
      "to nowhere and captures silence in real time. dummy:FILE writes what it plays to the WAV file, or captures what " +
      "the file holds.",
    values: 'an ALSA PCM name such as "hw:0,0", or "dummy:FILE"',
    example: "hw:0,0",
    why: "only the configuration names devices: a guest must not choose one",
  },
  denied: {
    meaning:
      "Whether the guest is kept from the device. The stream of such a guest plays to nowhere and captures silence, in " +
      "real time. The device is not opened, and the guest sees no difference.",
    values: "true or false",
    default: "false",
    example: true,
    why: "the key keeps a guest from a device, so its value must not be in doubt",
  },
  volume: {
    meaning:
      "The stream's volume in dB, until `xsnd volume` sets another one: 0 leaves the sound unchanged, -6 halves the amplitude. The " +
      "value is for a new card. A later change of the file does not change an existing one.",
    values: `a number of dB from ${MIN_VOLUME / 1000}, which is silence, to ${MAX_VOLUME / 1000}`,
    default: "0",
    example: -6,
    why: "sound that is louder would be clipped",
  },
  muted: {
    meaning:
      "Whether the stream is muted, until `xsnd unmute` ends that. The value is for a new card, as that of `volume` is.",
    values: "true or false",
    default: "false",
    example: true,
    why: "whether a stream is heard must not be in doubt",
  },
  "buffer-size": {
    meaning: `The largest buffer, in octets, that the guest can share for one stream. ${NARROWS}`,
    values: `a number of octets from ${
      Limits.periodsMin * Limits.periodBytesMin
    } to ${Limits.bufferSizeBytes}`,
    default: inherited(String(DEFAULT_PARAMS.bufferSizeBytes)),
    example: 131072,
    why: "the guest's driver needs room for two periods, and the host pins the memory of the buffer",
  },
  "sample-rates": {
    meaning: `The rates in Hz that the stream can be opened with. ${NARROWS}`,
    values: `a list of the rates that the Linux frontend knows: ${LINUX_RATES.join(", ")}`,
    default: inherited(DEFAULT_PARAMS.rates.join(", ")),
    example: [44100, 48000],
    why: "the Linux frontend ignores every other rate silently",
  },
  "sample-formats": {
    meaning: `The sample formats that the stream can be opened with, by sndif.h's names. ${NARROWS}`,
    values: "a list of sndif.h's names of uncompressed formats, such as [s16_le, s32_le, float_le]",
    default: inherited(DEFAULT_PARAMS.formats.join(", ")),
    example: ["s16_le", "s32_le"],
    why:
      "the Linux frontend ignores unknown names silently, and a position in compressed sound cannot be counted " +
      "in frames",
  },
  "channels-min": {
    meaning: `The fewest channels that the stream can be opened with. ${NARROWS}`,
    values: CHANNELS,
    default: inherited(String(DEFAULT_PARAMS.channelsMin)),
    example: 2,
    why: WHY_CHANNELS,
  },
  "channels-max": {
    meaning: `The most channels that the stream can be opened with. ${NARROWS}`,
    values: CHANNELS,
    default: inherited(String(DEFAULT_PARAMS.channelsMax)),
    example: 6,
    why: WHY_CHANNELS,
  },
} as const satisfies Readonly<Record<string, KeyDescription>>;

/** Every key of a configuration. */
export type ConfigKey = keyof typeof KEY_TABLE;

/** The description of a key. */
export function describeKey(key: ConfigKey): KeyDescription {
  return KEY_TABLE[key];
}
