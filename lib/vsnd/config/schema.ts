// SPDX-License-Identifier: MIT
/**
 * The shape of a configuration file, key by key: types and bounds of single values. key_table.ts says what each key means.
 * resolve.ts has the rules that tie several values together: inheritance, duplicates. Keys are those of xl.cfg and sndif.h.
 */
import { z } from "zod";
import { MAX_VOLUME, MIN_VOLUME } from "../../stream/volume_bounds.ts";
import { Limits, LINUX_RATES } from "../model/card.ts";
import { SERVED_FORMATS } from "../model/param_nodes.ts";
import { textProblem } from "../model/node_text.ts";
import { type ConfigKey, describeKey } from "./key_table.ts";

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

/** The schema of the values of `key`, with the key's description for the JSON Schema. */
function described<T extends z.ZodType>(key: ConfigKey, schema: T): T {
  const { meaning, default: missing, example } = describeKey(key);
  const description = missing === undefined ? meaning : `${meaning} Default: ${missing}.`;
  return schema.meta({ description, examples: [example] });
}

const channels = z.int().min(1).max(Limits.channels).optional();

/** The parameters that each of card, PCM and stream may set; lower levels narrow what upper ones say. */
const params = {
  "buffer-size": described(
    "buffer-size",
    z.int().min(Limits.periodsMin * Limits.periodBytesMin).max(Limits.bufferSizeBytes).optional(),
  ),
  "sample-rates": described("sample-rates", listOf(z.literal([...LINUX_RATES])).optional()),
  "sample-formats": described("sample-formats", listOf(z.enum(SERVED_FORMATS)).optional()),
  "channels-min": described("channels-min", channels),
  "channels-max": described("channels-max", channels),
};

const stream = z.strictObject({
  type: described("type", z.enum(["playback", "capture", "p", "c"])),
  "unique-id": described("unique-id", text(Limits.textOctets, "no comma").optional()),
  device: described("device", text(Limits.textOctets, "comma")),
  denied: described("denied", z.boolean().optional()),
  volume: described("volume", z.number().min(MIN_VOLUME / 1000).max(MAX_VOLUME / 1000).optional()),
  muted: described("muted", z.boolean().optional()),
  ...params,
});

const pcm = z.strictObject({
  name: described("name", text(Limits.longNameOctets, "no comma").optional()),
  ...params,
  streams: described("streams", z.array(stream).min(1).max(Limits.streamsPerPcm)),
});

const card = z.strictObject({
  "short-name": described("short-name", text(Limits.shortNameOctets, "no comma").optional()),
  "long-name": described("long-name", text(Limits.longNameOctets, "no comma").optional()),
  ...params,
  pcms: described("pcms", z.array(pcm).min(1).max(Limits.pcmsPerCard)),
});

const defaults = described("defaults", z.strictObject(params).optional());

const domain = z.strictObject({
  backend: described(
    "backend",
    z.union([text(Limits.textOctets, "comma"), z.int().min(0).max(32751)]).optional(),
  ),
  defaults,
  cards: described("cards", z.array(card).min(1).max(Limits.cardsPerDomain)),
});

/** A whole file. */
export const configSchema = z.strictObject({
  defaults,
  domains: described("domains", z.record(z.string().regex(/^[^/\p{Cc}]{1,255}$/u), domain)),
});

export type RawConfig = z.infer<typeof configSchema>;
export type RawDomain = RawConfig["domains"][string];
export type RawCard = RawDomain["cards"][number];
export type RawPcm = RawCard["pcms"][number];
export type RawStream = RawPcm["streams"][number];
export type RawParams = Pick<RawStream, keyof typeof params>;

/** The keys that the map under `parent` may hold; `parent` is the last key on the way to it, if any. */
export const KEYS: Readonly<Record<string, readonly string[]>> = {
  "": Object.keys(configSchema.shape),
  defaults: Object.keys(params),
  domains: Object.keys(domain.shape),
  cards: Object.keys(card.shape),
  pcms: Object.keys(pcm.shape),
  streams: Object.keys(stream.shape),
};

/** The schema as JSON Schema (draft 2020-12), for editors. Every map of known keys may have `x-` keys besides (`merge_keys.ts`). */
export function jsonSchema(): object {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, {
    io: "input",
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) jsonSchema.patternProperties = { "^x-": {} };
    },
  });
  return {
    $schema,
    title: "Sound cards of Xen guests",
    description: "What xsnd provision, xsnd serve and xsnd check read.",
    ...schema,
  };
}
