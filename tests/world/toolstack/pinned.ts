// SPDX-License-Identifier: MIT
/**
 * What each stream of a card may have, by what the toolstack has made the card with, and by the configuration and the options of the
 * daemon: device, denial, parameters. Written anew from docs/operating.md and docs/security.md, so as to judge the daemon's own code.
 */
import type { CardPolicy, Config, StreamParams, StreamPolicy } from "../../../lib/vsnd/model/card.ts";
import { type CardAddress, cardPaths } from "../../../lib/xenbus/mod.ts";
import type { XlMadeCard, XsndMadeCard } from "./card_target.ts";
import type { Nodes } from "./nodes.ts";
import type { XlCard, XlParams } from "./xl_card.ts";

/** A stream as its toolstack has made it. No later word of the guest's changes any of this. */
export interface PinnedStream {
  readonly type: "playback" | "capture";
  /** Empty if the toolstack gave none. */
  readonly uniqueId: string;
  /** The bounds that the guest was told. */
  readonly params: StreamParams;
}

/** The rates of snd_xen_front, and of a stream for which nobody names any. */
const RATES = [5512, 8000, 11025, 16000, 22050, 32000, 44100, 48000, 64000, 96000, 176400, 192000];
const DEFAULTS: StreamParams = {
  rates: RATES.filter((rate) => rate >= 8000 && rate <= 48000),
  formats: ["s16_le"],
  channelsMin: 1,
  channelsMax: 2,
  bufferSizeBytes: 65536,
};

/** A stream that no configuration names gets no more than this. */
const MOST = { channelsMax: 8, bufferSizeBytes: 1 << 20 };

function paramsOf(levels: readonly XlParams[]): StreamParams {
  const value = (name: keyof XlParams) => levels.findLast((level) => level[name] !== undefined)?.[name];
  const number = (name: keyof XlParams, otherwise: number) => Number(value(name) ?? otherwise);
  const channelsMax = number("channels-max", DEFAULTS.channelsMax);
  return {
    rates: value("sample-rates")?.split(",").map(Number) ?? DEFAULTS.rates,
    formats: value("sample-formats")?.split(",") ?? DEFAULTS.formats,
    channelsMin: Math.min(number("channels-min", DEFAULTS.channelsMin), channelsMax),
    channelsMax,
    bufferSizeBytes: number("buffer-size", DEFAULTS.bufferSizeBytes),
  };
}

function pinnedByXl(card: XlCard): PinnedStream[][] {
  return card.pcms.map((pcm) =>
    pcm.streams.map((stream) => ({
      type: stream.type === "p" ? "playback" : "capture",
      uniqueId: stream["unique-id"] ?? "",
      params: paramsOf([card, pcm, stream]),
    }))
  );
}

/** The streams of a card, by PCM and stream. */
export function pinnedStreams(target: XlMadeCard | XsndMadeCard): PinnedStream[][] {
  if (target.maker === "xl") return pinnedByXl(target.card);
  return target.card.pcms.map(({ streams }) =>
    streams.map(({ type, uniqueId, effective }) => ({ type, uniqueId, params: effective }))
  );
}

/** What the daemon goes by for cards of xl's. */
export interface DaemonPolicy {
  readonly config: Config | undefined;
  readonly defaultDevice: string | undefined;
  readonly defaultCaptureDevice: string | undefined;
  /** The daemon has decided about all cards, by the names of that moment, at this time or later, µs. */
  readonly decidedSince?: number;
}

/** Where a card is, and what its guest is called. */
export interface CardPlace {
  readonly domid: number;
  readonly name: string;
  readonly card: number;
}

/**
 * The policy of a card; undefined: the daemon must not serve the card.
 * @param isLate whether the guest may have written its directory before a daemon first saw the card of xl's
 */
export function policyOf(
  target: XlMadeCard | XsndMadeCard,
  place: CardPlace,
  daemon: DaemonPolicy,
  isLate: boolean,
): CardPolicy | undefined {
  if (target.maker === "xsnd") return target.card;
  const found = new Finder(place, daemon.config, isLate);
  const pcms = pinnedByXl(target.card).map((streams, p) =>
    streams.map((stream, s) => streamPolicy(stream, found.match(stream, p, s), daemon, isLate))
  );
  if (pcms.flat().includes(undefined)) return undefined;
  return { pcms: pcms.map((streams) => ({ streams: streams as StreamPolicy[] })) };
}

/** Undefined: no device is named for the stream. */
function streamPolicy(
  { type, uniqueId, params }: PinnedStream,
  match: StreamPolicy | undefined,
  { defaultDevice, defaultCaptureDevice }: DaemonPolicy,
  isLate: boolean,
): StreamPolicy | undefined {
  if (match !== undefined) {
    return {
      type,
      uniqueId,
      device: match.device,
      denied: match.denied === true,
      effective: match.effective,
    };
  }
  const effective = capped(params, isLate);
  const device = type === "playback" ? defaultDevice : defaultCaptureDevice;
  if (type === "playback" || device !== undefined && !isLate) {
    return device === undefined ? undefined : { type, uniqueId, device, denied: false, effective };
  }
  // Without a device for playback nobody wants unnamed streams at all; with one, recordings are silence.
  if (defaultDevice === undefined) return undefined;
  return { type, uniqueId, device: device ?? "dummy:", denied: true, effective };
}

function capped(params: StreamParams, isLate: boolean): StreamParams {
  const channelsMax = Math.min(params.channelsMax, isLate ? DEFAULTS.channelsMax : MOST.channelsMax);
  const common = <T>(some: readonly T[], most: readonly T[]) => {
    const both = some.filter((one) => most.includes(one));
    return both.length > 0 ? both : most;
  };
  return {
    rates: common(params.rates, isLate ? DEFAULTS.rates : RATES),
    formats: isLate ? common(params.formats, DEFAULTS.formats) : params.formats,
    channelsMin: Math.min(params.channelsMin, channelsMax),
    channelsMax,
    bufferSizeBytes: Math.min(
      params.bufferSizeBytes,
      isLate ? DEFAULTS.bufferSizeBytes : MOST.bufferSizeBytes,
    ),
  };
}

interface Placed {
  readonly card: number;
  readonly place: string;
  readonly stream: StreamPolicy;
}

/** Finds the configured stream of each stream of one card: by unique-id and direction, or by place where the file gives no id. */
class Finder {
  readonly #configured: readonly Placed[];
  readonly #seen = new Map<string, number>();
  readonly #used = new Set<StreamPolicy>();

  constructor(private readonly at: CardPlace, config: Config | undefined, private readonly isOnce: boolean) {
    const entries = [config?.get(at.name), config?.get(String(at.domid))];
    this.#configured = entries.flatMap((entry) =>
      (entry?.cards ?? []).flatMap(({ pcms }, card) =>
        pcms.flatMap(({ streams }, p) =>
          streams.map((stream, s) => ({ card, place: `${card}/${p}/${s}`, stream }))
        )
      )
    );
  }

  match({ type, uniqueId }: PinnedStream, p: number, s: number): StreamPolicy | undefined {
    const place = `${this.at.card}/${p}/${s}`;
    const key = `${type} ${uniqueId}`;
    const before = this.#seen.get(key) ?? 0;
    this.#seen.set(key, before + 1);
    const alike = this.#configured.filter(({ stream }) => stream.type === type);
    const isByPlace = ({ place, stream }: Placed) => stream.uniqueId === place;
    const sameId = alike.filter((one) => !isByPlace(one) && one.stream.uniqueId === uniqueId);
    const byId = sameId.length < 2 ? sameId[0] : sameId.find((one) => one.place === place) ??
      sameId.filter(({ card }) => card === this.at.card)[before];
    const found = (byId ?? alike.find((one) => isByPlace(one) && one.place === place))?.stream;
    if (found === undefined || this.isOnce && this.#used.has(found)) return undefined;
    this.#used.add(found);
    return found;
  }
}

/** Whether the daemon's record of a card of xl's says that the guest may have written before. */
export function isLate(nodes: Nodes, address: CardAddress): boolean {
  return nodes.has(`${cardPaths(address).backend}/pinned/late`);
}

/**
 * The daemon's record of a card of xl's is what xl has written, if it is there. To be asked of cards whose guest could not write
 * before the daemon read: of an honest guest, and of each card that its domain was made with.
 */
export function recordProblems(nodes: Nodes, address: CardAddress, { card }: XlMadeCard): string[] {
  const directory = `${cardPaths(address).backend}/pinned`;
  if (!nodes.has(directory)) return [];
  const wanted = new Map<string, string>();
  pinnedByXl(card).forEach((streams, p) => {
    wanted.set(String(p), "");
    streams.forEach(({ type, uniqueId, params }, s) => {
      wanted.set(`${p}/${s}`, "");
      const values = {
        type: type === "playback" ? "p" : "c",
        "unique-id": uniqueId,
        "sample-rates": params.rates.join(","),
        "sample-formats": params.formats.join(","),
        "channels-min": String(params.channelsMin),
        "channels-max": String(params.channelsMax),
        "buffer-size": String(params.bufferSizeBytes),
      };
      for (const [name, value] of Object.entries(values)) wanted.set(`${p}/${s}/${name}`, value);
    });
  });
  const found = nodes.below(directory);
  found.delete("late");
  const names = new Set([...wanted.keys(), ...found.keys()]);
  return [...names].flatMap((name) => {
    const [is, should] = [found.get(name)?.value, wanted.get(name)];
    return is === should
      ? []
      : [`${directory}/${name} is ${JSON.stringify(is)}, not ${JSON.stringify(should)}`];
  });
}
