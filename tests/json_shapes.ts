// SPDX-License-Identifier: MIT
/**
 * Schemas of the commands' JSON output. Tests check the output against the schemas, and `deno task docs` generates
 * docs/json.md from them. The schemas of `status` are the control protocol's, but strict: an undocumented field fails the tests.
 */
import { z } from "zod";
import { STATUS_FIELDS, STREAM_FIELDS } from "../lib/control/response_schema.ts";

const version = z.literal(1).describe("of the shape");
const streamVersion = STATUS_FIELDS.version.describe("of the shape");
const domid = z.int().min(0).describe("the guest's number");
const state = z.string().nullable().describe(
  "XenBus state by name, as Connected; Unknown if there is none",
);
const streamName = z.string().describe("DOMAIN/CARD/PCM/STREAM, as commands take it");
const direction = z.enum(["playback", "capture"]);
export const listedCard = z.strictObject({
  domain: z.string().describe("the guest"),
  domid,
  card: z.int().min(0).describe("the card's number in the guest"),
  shortName: z.string().nullable(),
  longName: z.string().nullable(),
  provisionedBy: z.enum(["xsnd", "xl"]),
  backend: z.string().describe("the domain that serves it"),
  backendDomid: z.int().min(0),
  frontendState: state,
  backendState: state,
  streams: z.array(z.strictObject({
    stream: streamName,
    type: direction.nullable(),
    uniqueId: z.string(),
  })),
});

export const logLine = z.strictObject({
  time: z.iso.datetime().describe("UTC"),
  level: z.enum(["debug", "info", "warning", "error", "fatal"]),
  subject: z.string().describe(
    "the stream, the card or the guest that the line is about, or a part of the daemon",
  ),
  message: z.string(),
});

const end = (what: string) => z.object({ path: z.string(), state }).describe(what);

export const shownCard = z.strictObject({
  card: z.int().min(0).describe("the card's number in the guest"),
  shortName: z.string().nullable(),
  longName: z.string().nullable(),
  provisionedBy: z.enum(["xsnd", "xl"]),
  frontend: end("the guest's directory").strict(),
  backend: end("the backend's directory").extend({ domain: z.string(), domid: z.int().min(0) }).strict(),
  pcms: z.array(z.strictObject({
    name: z.string().nullable(),
    streams: z.array(z.strictObject({
      type: direction.nullable(),
      uniqueId: z.string(),
      device: z.string().nullable().describe("null without a policy, as for cards of xl's"),
      denied: z.boolean().describe("whether the guest gets silence in the device's place"),
      rates: z.array(z.int()).describe("Hz"),
      formats: z.array(z.string()).describe("as in sndif.h"),
      channelsMin: z.int(),
      channelsMax: z.int(),
      bufferSizeBytes: z.int().describe("the largest buffer"),
    })),
  })),
  problems: z.array(z.string()).describe("what keeps the card from being used"),
});

const percentiles = z.strictObject({ p50: z.number(), p99: z.number(), max: z.number() }).optional();

export const stream = z.strictObject({
  ...STREAM_FIELDS,
  eventDelayMicros: percentiles,
  requestMicros: percentiles,
});

const time = z.iso.datetime().describe("when it was seen");

/** The two kinds of lines that `--watch` prints. */
function watched<N extends string, T extends z.ZodType>(noun: N, thing: T, version: z.ZodType) {
  return [
    z.strictObject({ version, time, event: z.literal("state"), [`${noun}s`]: z.array(thing) }),
    z.strictObject({ version, time, event: z.enum(["added", "changed", "removed"]), [noun]: thing }),
  ] as const;
}

export const list = z.array(listedCard);
export const show = z.strictObject({ version, domain: z.string(), domid, cards: z.array(shownCard) });
export const status = z.strictObject({ ...STATUS_FIELDS, streams: z.array(stream) });
export const [listState, listChange] = watched("card", listedCard, version);
export const [showState, showChange] = watched("card", shownCard, version);
export const [statusState, statusChange] = watched("stream", stream, streamVersion);
