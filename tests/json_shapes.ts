// SPDX-License-Identifier: MIT
/**
 * The shapes of what commands print as JSON: the tests hold the commands to them, and docs/json.md is made of them
 * (`deno task docs`). Fields may be added under the same version; one that goes or changes its meaning makes a new one.
 */
import { z } from "zod";

const version = z.literal(1).describe("of the shape");
const streamVersion = z.literal(2).describe("of the shape");
const domid = z.int().min(0).describe("the guest's number");
const state = z.string().nullable().describe(
  "XenBus state by name, as Connected; Unknown if there is none",
);
const streamName = z.string().describe("DOMAIN/CARD/PCM/STREAM, as commands take it");
const direction = z.enum(["playback", "capture"]);
const frames = (what: string) => z.int().min(0).optional().describe(`${what}, in frames`);
const counter = (what: string) => z.int().min(0).describe(what);

const percentiles = (what: string) =>
  z.strictObject({ p50: z.number(), p99: z.number(), max: z.number() }).optional().describe(
    `${what}, in µs; of this connection`,
  );

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

export const stream = z.strictObject({
  stream: streamName,
  domid,
  type: direction,
  device: z.string(),
  denied: z.boolean().describe("whether the guest gets silence in the device's place"),
  uniqueId: z.string(),
  recording: z.boolean().describe("whether the guest records a device at this moment"),
  state: z.enum(["detached", "closed", "opening", "prepared", "running", "paused"])
    .describe(
      "as the guest wants it; detached: it is not connected",
    ),
  hold: z.enum(["none", "paused", "stopped"]).describe("what an operator has imposed"),
  volume: z.number().describe("the operator's, dB"),
  muted: z.boolean().describe("by the operator"),
  engine: z.enum(["shared", "own"]).optional().describe("whether its thread serves other streams, too"),
  engineCpuSeconds: z.number().optional().describe("processor time that this thread has taken"),
  cardLost: z.boolean().optional().describe(
    "whether silence is played because the card went away, or is somebody else's",
  ),
  rate: z.int().optional().describe(
    "Hz; this and the next nine, while it is connected: of what is or was open",
  ),
  channels: z.int().optional(),
  format: z.string().optional().describe("its name in sndif.h, as s16_le; not before the first OPEN"),
  bufferFrames: frames("the guest's buffer"),
  periodFrames: z.number().optional().describe("the guest's period, in frames; 0: it wants no events"),
  cardBufferFrames: frames("the card's buffer"),
  cardPeriodFrames: frames("the card's period"),
  positionFrames: frames("where the card's pointer is since OPEN"),
  guestFrames: frames("how much the guest has written or read since OPEN"),
  cardFrames: frames("how much has been handed to, or taken from, the card since OPEN"),
  connections: counter(
    "times that the guest's frontend has connected; this and the next twelve: since the daemon serves the card",
  ),
  movedFrames: counter("frames by which the card's pointer has moved on"),
  requests: counter("requests that were served"),
  queries: counter("of them, questions about parameters that the engine answered"),
  events: counter("positions that the guest was told"),
  periods: counter("periods that have passed"),
  xruns: counter("times that the card ran dry or over"),
  hostXruns: counter("of them, those of this host's doing"),
  xrunSeconds: z.number().min(0).describe("what those that have ended have cost, in seconds of sound"),
  lateFrames: counter("frames not heard in their place, or not at all"),
  protocolErrors: counter("requests refused, and breaches of the ring's rules"),
  starts: counter("times that the card was started, or went on, for the guest"),
  losses: counter("times that the card went away"),
  eventDelayMicros: percentiles("from the card's interrupt to the event that tells the guest"),
  requestMicros: percentiles("from the engine's waking up for a request to its answer"),
});

const time = z.iso.datetime().describe("when it was seen");

/** The two kinds of line of `--watch`. */
function watched<N extends string, T extends z.ZodType>(noun: N, thing: T, version: z.ZodType) {
  return [
    z.strictObject({ version, time, event: z.literal("state"), [`${noun}s`]: z.array(thing) }),
    z.strictObject({ version, time, event: z.enum(["added", "changed", "removed"]), [noun]: thing }),
  ] as const;
}

export const list = z.array(listedCard);
export const show = z.strictObject({ version, domain: z.string(), domid, cards: z.array(shownCard) });
export const status = z.strictObject({
  version: streamVersion,
  pid: z.int().describe("the daemon's"),
  uptimeSeconds: z.number().describe("since the daemon's start"),
  cpuSeconds: z.number().describe("processor time that the daemon has taken"),
  sharedEngineCpuSeconds: z.number().optional().describe("of that, the engine of kernel and dummy cards"),
  residentBytes: z.int().describe("memory of the daemon"),
  streams: z.array(stream),
});
export const [listState, listChange] = watched("card", listedCard, version);
export const [showState, showChange] = watched("card", shownCard, version);
export const [statusState, statusChange] = watched("stream", stream, streamVersion);
