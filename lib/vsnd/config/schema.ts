// SPDX-License-Identifier: MIT
/**
 * The shape of a configuration file, key by key: names, types, bounds of single values. What ties several values
 * together (inheritance, duplicates) is in resolve.ts. Keys are those of xl.cfg and sndif.h.
 */
import { z } from "zod";
import { Limits, LINUX_RATES } from "../model/card.ts";
import { SERVED_FORMATS } from "../model/params.ts";
import { textProblem } from "../model/node_text.ts";

/** A text of at most `octets` octets of UTF-8 in one line; `comma`: whether it may hold one. */
function text(octets: number, comma: "comma" | "no comma") {
  return z.string().check(({ value, issues }) => {
    const message = textProblem(value, octets, comma);
    if (message !== undefined) issues.push({ code: "custom", message, input: value });
  }).meta({ minLength: 1, maxLength: octets });
}

/** A list without repetitions. */
function listOf<T extends z.ZodType>(item: T) {
  return z.array(item).min(1).check(({ value, issues }) => {
    const twice = value.find((element, index) => value.indexOf(element) !== index);
    if (twice !== undefined) {
      issues.push({ code: "custom", message: `has ${JSON.stringify(twice)} twice`, input: value });
    }
  }).meta({ uniqueItems: true });
}

const channels = z.int().min(1).max(Limits.channels);

/** The parameters that each of card, PCM and stream may set; lower levels narrow what upper ones say. */
const params = {
  "buffer-size": z.int().min(Limits.periodsMin * Limits.periodBytesMin).max(Limits.bufferSizeBytes).optional()
    .describe("the most octets that the guest may share as one stream's buffer"),
  "sample-rates": listOf(z.literal([...LINUX_RATES])).optional().describe("Hz"),
  "sample-formats": listOf(z.enum(SERVED_FORMATS)).optional().describe("names as in sndif.h"),
  "channels-min": channels.optional(),
  "channels-max": channels.optional(),
};

const stream = z.strictObject({
  type: z.enum(["playback", "capture", "p", "c"]),
  "unique-id": text(Limits.textOctets, "no comma").optional()
    .describe("names the stream to people and in logs; its place CARD/PCM/STREAM if it has none"),
  device: text(Limits.textOctets, "comma")
    .describe("an ALSA PCM name, or dummy:[FILE] for the built-in card-less card"),
  denied: z.boolean().optional()
    .describe("the guest gets silence in real time in the device's place, and cannot tell"),
  ...params,
});

const pcm = z.strictObject({
  name: text(Limits.longNameOctets, "no comma").optional(),
  ...params,
  streams: z.array(stream).min(1).max(Limits.streamsPerPcm),
});

const card = z.strictObject({
  "short-name": text(Limits.shortNameOctets, "no comma").optional(),
  "long-name": text(Limits.longNameOctets, "no comma").optional(),
  ...params,
  pcms: z.array(pcm).min(1).max(Limits.pcmsPerCard),
});

const domain = z.strictObject({
  backend: z.union([text(Limits.textOctets, "comma"), z.int().min(0).max(32751)]).optional().describe(
    "the domain that runs `xsnd serve`",
  ),
  cards: z.array(card).min(1).max(Limits.cardsPerDomain),
});

/** A whole file. */
export const configSchema = z.strictObject({
  domains: z.record(z.string().regex(/^[^/\p{Cc}]{1,255}$/u), domain)
    .describe("guests by name or number"),
});

export type RawConfig = z.infer<typeof configSchema>;
export type RawDomain = RawConfig["domains"][string];
export type RawCard = RawDomain["cards"][number];
export type RawPcm = RawCard["pcms"][number];
export type RawStream = RawPcm["streams"][number];
export type RawParams = Pick<RawStream, keyof typeof params>;

/** Every key of a configuration. */
export type ConfigKey =
  | keyof RawConfig
  | keyof RawDomain
  | keyof RawCard
  | keyof RawPcm
  | keyof RawStream;

/** The keys that the map under `parent` may hold; `parent` is the last key on the way to it, if any. */
export const KEYS: Readonly<Record<string, readonly string[]>> = {
  "": Object.keys(configSchema.shape),
  domains: Object.keys(domain.shape),
  cards: Object.keys(card.shape),
  pcms: Object.keys(pcm.shape),
  streams: Object.keys(stream.shape),
};

/** The schema as JSON Schema (draft 2020-12), for editors. */
export function jsonSchema(): object {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, { io: "input" });
  return {
    $schema,
    title: "Sound cards of Xen guests",
    description: "What xsnd provision, xsnd serve and xsnd check read.",
    ...schema,
  };
}
