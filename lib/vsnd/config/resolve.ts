// SPDX-License-Identifier: MIT
/**
 * Resolving a configuration to cards: parameters are inherited from card to PCM to stream, and the rules across values are
 * checked. A lower level may only narrow the parameters of the level above (sndif.h, "PCM settings").
 */
import type { Direction } from "../../pcm/pcm.ts";
import {
  type CardConfig,
  type Config,
  DEFAULT_BACKEND,
  DEFAULT_PARAMS,
  type DomainConfig,
  Limits,
  type PcmConfig,
  type StreamConfig,
  type StreamParams,
  streamPlace,
} from "../model/card.ts";
import type { DocumentPath, Finding } from "../model/finding.ts";
import { fieldName, PARAM_KEYS, widestFrameBytes } from "../model/param_nodes.ts";
import type { RawCard, RawConfig, RawDomain, RawParams, RawPcm, RawStream } from "./schema.ts";

/** The parameters at one level of a card. */
interface Level {
  /** The parameters that the level itself sets. */
  readonly declared: Partial<StreamParams>;
  /** The parameters that hold at the level: its own, or those of the nearest level above. Undefined where no level sets one. */
  readonly inherited: Partial<StreamParams>;
}

/** Drops the keys whose value is undefined, so that `{...upper, ...lower}` inherits. */
function compact<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

function declaredBy(raw: RawParams): Partial<StreamParams> {
  return compact({
    rates: raw["sample-rates"],
    formats: raw["sample-formats"],
    channelsMin: raw["channels-min"],
    channelsMax: raw["channels-max"],
    bufferSizeBytes: raw["buffer-size"],
  });
}

/**
 * The card with the values of `defaults` for what neither the card nor anything in it sets. What a PCM or a stream sets need not be
 * within a default: then the streams that have no value get the default, and not the card.
 */
function withDefaults(card: RawCard, defaults: RawParams): RawCard {
  const keys = (Object.keys(defaults) as (keyof RawParams)[]).filter((key) => card[key] === undefined);
  const isSetBelow = (key: keyof RawParams) =>
    card.pcms.some((pcm) =>
      pcm[key] !== undefined || pcm.streams.some((stream) => stream[key] !== undefined)
    );
  const some = (keys: readonly (keyof RawParams)[]): RawParams =>
    Object.fromEntries(keys.map((key) => [key, defaults[key]]));
  const below = keys.filter(isSetBelow);
  const pcms = card.pcms.map((pcm) => ({
    ...pcm,
    streams: pcm.streams.map((stream) => ({
      ...some(below.filter((key) => pcm[key] === undefined)),
      ...compact(stream),
    })),
  }));
  return { ...compact(card), ...some(keys.filter((key) => !isSetBelow(key))), pcms };
}

class Resolver {
  readonly findings: Finding[] = [];

  config(raw: RawConfig): Config {
    const domains = Object.entries(raw.domains);
    if (domains.length === 0) {
      const instead = "write at least one domain with its cards";
      this.#find(["domains"], "empty", "there is no card to provision or to serve", instead);
    }
    const all = raw.defaults;
    return new Map(domains.map(([name, domain]) => {
      const cards = domain.cards.map((card) =>
        withDefaults(card, { ...all, ...compact(domain.defaults ?? {}) })
      );
      return [name, this.#domain({ ...domain, cards }, ["domains", name])];
    }));
  }

  #find(path: DocumentPath, what: string, why: string, instead: string): void {
    this.findings.push({ path, what, why, instead });
  }

  #domain(raw: RawDomain, path: DocumentPath): DomainConfig {
    const cards = raw.cards.map((card, index) => this.#card(card, [...path, "cards", index], index));
    const streams = cards.flatMap((card) => card.pcms).flatMap((pcm) => pcm.streams).length;
    if (streams > Limits.streamsPerDomain) {
      this.#find(
        path,
        `${streams} streams would use up the guest's quota of XenStore nodes`,
        "its driver could write no more nodes, and would fail to connect",
        `write at most ${Limits.streamsPerDomain} streams for a domain`,
      );
    }
    return { backend: String(raw.backend ?? DEFAULT_BACKEND), cards };
  }

  #card(raw: RawCard, path: DocumentPath, number: number): CardConfig {
    const level = this.#level(raw, path, undefined);
    return compact({
      shortName: raw["short-name"],
      longName: raw["long-name"],
      declared: level.declared,
      pcms: raw.pcms.map((pcm, index) => this.#pcm(pcm, [...path, "pcms", index], level, [number, index])),
    });
  }

  #pcm(raw: RawPcm, path: DocumentPath, card: Level, place: readonly [card: number, pcm: number]): PcmConfig {
    const level = this.#level(raw, path, card);
    return compact({
      name: raw.name,
      declared: level.declared,
      streams: raw.streams.map((stream, index) =>
        this.#stream(stream, [...path, "streams", index], level, streamPlace(...place, index))
      ),
    });
  }

  #stream(raw: RawStream, path: DocumentPath, pcm: Level, place: string): StreamConfig {
    const { declared, inherited } = this.#level(raw, path, pcm);
    const effective = { ...DEFAULT_PARAMS, ...inherited };
    if (inherited.channelsMin === undefined || inherited.channelsMax === undefined) {
      const { channelsMin, channelsMax } = effective;
      if (channelsMin > channelsMax) this.#channelsCross([...path, "channels-max"], channelsMin, channelsMax);
    }
    const least = Limits.periodsMin *
      Math.max(Limits.periodBytesMin, widestFrameBytes(effective.formats, effective.channelsMax));
    if (effective.bufferSizeBytes < least) {
      this.#find(
        [...path, "buffer-size"],
        `${effective.bufferSizeBytes} octets cannot hold two periods of one frame`,
        "the guest's driver needs two periods, and every program in the guest would fail to open the stream",
        `write at least ${least}, or lower channels-max`,
      );
    }
    const type: Direction = raw.type.startsWith("p") ? "playback" : "capture";
    const uniqueId = raw["unique-id"] ?? place;
    const denied = raw.denied === true ? { denied: true } : {};
    return { type, uniqueId, device: raw.device, ...denied, ...firstSettings(raw), declared, effective };
  }

  #level(raw: RawParams, path: DocumentPath, upper: Level | undefined): Level {
    const declared = declaredBy(raw);
    const inherited = { ...upper?.inherited, ...declared };
    if (upper !== undefined) this.#mustNarrow(declared, path, upper);
    const { channelsMin, channelsMax } = inherited;
    if (channelsMin !== undefined && channelsMax !== undefined && channelsMin > channelsMax) {
      const own = declared.channelsMin !== undefined
        ? "channels-min"
        : declared.channelsMax !== undefined
        ? "channels-max"
        : undefined;
      if (own !== undefined) this.#channelsCross([...path, own], channelsMin, channelsMax);
    }
    return { declared, inherited };
  }

  #channelsCross(path: DocumentPath, min: number, max: number): void {
    this.#find(
      path,
      `channels-min ${min} is above channels-max ${max}`,
      "no number of channels is left, and every program in the guest would fail to open the stream",
      "raise channels-max or lower channels-min",
    );
  }

  /** Reports each value of `declared` that exceeds the values of the levels above. */
  #mustNarrow(declared: Partial<StreamParams>, path: DocumentPath, { inherited }: Level): void {
    for (const key of PARAM_KEYS) {
      const own = declared[key];
      const upper = inherited[key];
      if (own === undefined || upper === undefined) continue;
      const beyond = elements(own).filter((item) => !isWithin(key, item, elements(upper)));
      if (beyond.length > 0) {
        this.#find(
          [...path, fieldName(key)],
          `${beyond.join(", ")} is not within ${elements(upper).join(", ")} of the level above`,
          "sndif.h lets a level only narrow the level above, and a frontend may go by either of the two",
          "narrow this value, or widen that of the level above",
        );
      }
    }
  }
}

/** `first` of a stream, if it has a volume or a mute of its own. */
function firstSettings({ volume, muted }: RawStream): Pick<StreamConfig, "first"> {
  if (volume === undefined && muted === undefined) return {};
  return {
    first: compact({ volume: volume === undefined ? undefined : Math.round(volume * 1000) + 0, muted }),
  } as Pick<StreamConfig, "first">;
}

function elements(value: StreamParams[keyof StreamParams]): readonly (number | string)[] {
  return typeof value === "number" ? [value] : value;
}

function isWithin(
  key: keyof StreamParams,
  item: number | string,
  upper: readonly (number | string)[],
): boolean {
  const [bound] = upper;
  if (bound === undefined) return false;
  switch (key) {
    case "rates":
    case "formats":
      return upper.includes(item);
    case "channelsMin":
      return item >= bound;
    case "channelsMax":
    case "bufferSizeBytes":
      return item <= bound;
  }
}

/** The cards of a configuration, and the findings about them. The cards are usable only if there are no findings. */
export function resolveConfig(raw: RawConfig): { config: Config; findings: readonly Finding[] } {
  const resolver = new Resolver();
  return { config: resolver.config(raw), findings: resolver.findings };
}
