// SPDX-License-Identifier: MIT
/** Generators of valid cards, and helpers to provision them in a {@link TestXen}. */
import fc from "fast-check";
import { MAX_VOLUME, MIN_VOLUME } from "../../lib/stream/volume_bounds.ts";
import { type CardConfig, LINUX_RATES } from "../../lib/vsnd/model/card.ts";
import { type PlannedCard, provision, type WantedCard } from "../../lib/vsnd/provision/plan.ts";
import { SERVED_FORMATS } from "../../lib/vsnd/model/param_nodes.ts";
import { resolveConfig } from "../../lib/vsnd/config/resolve.ts";
import { configSchema, type RawCard, type RawParams } from "../../lib/vsnd/config/schema.ts";
import type { Store } from "../../lib/xen/ports.ts";

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const params: fc.Arbitrary<RawParams> = fc.record({
  "sample-rates": maybe(fc.subarray([...LINUX_RATES], { minLength: 1 })),
  "sample-formats": maybe(fc.subarray([...SERVED_FORMATS], { minLength: 1 })),
  "channels-min": maybe(fc.integer({ min: 1, max: 8 })),
  "channels-max": maybe(fc.integer({ min: 1, max: 8 })),
  "buffer-size": maybe(fc.integer({ min: 2 * 8 * 8, max: 1 << 24 })),
}) as fc.Arbitrary<RawParams>;

const text = (octets: number) =>
  fc.string({ minLength: 1, maxLength: octets, unit: "grapheme-ascii" }).filter((name) =>
    !name.includes(",")
  );

/** `own` restricted to `upper`; undefined where they have nothing in common. */
function narrowed(own: RawParams, upper: RawParams): RawParams {
  const within = <T>(items: T[] | undefined, of: T[] | undefined) => {
    const left = items?.filter((item) => of?.includes(item) ?? true);
    return left?.length ? left : undefined;
  };
  const atMost = (value: number | undefined, most: number | undefined) =>
    value === undefined ? undefined : Math.min(value, most ?? value);
  const max = atMost(own["channels-max"], upper["channels-max"]);
  const effectiveMax = max ?? upper["channels-max"] ?? 2;
  const upperMin = upper["channels-min"] ?? 1;
  return {
    "sample-rates": within(own["sample-rates"], upper["sample-rates"]),
    "sample-formats": within(own["sample-formats"], upper["sample-formats"]),
    // a max below the inherited min would be an empty range
    "channels-max": effectiveMax < upperMin ? undefined : max,
    "channels-min": undefined,
    "buffer-size": atMost(own["buffer-size"], upper["buffer-size"]),
  };
}

function merged(upper: RawParams, own: RawParams): RawParams {
  return { ...upper, ...JSON.parse(JSON.stringify(own)) };
}

const stream = fc.record({
  type: fc.constantFrom("playback" as const, "capture" as const, "p" as const, "c" as const),
  device: fc.string({ minLength: 1, maxLength: 60, unit: "grapheme-ascii" }),
  denied: maybe(fc.boolean()),
  volume: maybe(fc.integer({ min: MIN_VOLUME, max: MAX_VOLUME }).map((volume) => volume / 1000)),
  muted: maybe(fc.boolean()),
  params,
});

/** A card as in a configuration file. */
export const rawCard: fc.Arbitrary<RawCard> = fc.record({
  "short-name": maybe(text(31)),
  "long-name": maybe(text(79)),
  params,
  pcms: fc.array(
    fc.record({ name: maybe(text(79)), params, streams: fc.array(stream, { minLength: 1, maxLength: 8 }) }),
    { minLength: 1, maxLength: 4 },
  ),
}).map(({ params, pcms, ...names }) => {
  const declared = narrowed(params, {});
  const card = {
    ...declared,
    "channels-min": Math.min(params["channels-min"] ?? 1, declared["channels-max"] ?? 2),
  };
  return {
    ...names,
    ...card,
    pcms: pcms.map(({ params, streams, ...name }) => {
      const pcm = narrowed(params, card);
      return {
        ...name,
        ...pcm,
        streams: streams.map(({ params, ...rest }) => ({ ...rest, ...narrowed(params, merged(card, pcm)) })),
      };
    }),
  };
});

/** A resolved card. */
export const card: fc.Arbitrary<CardConfig> = rawCard.map((raw) => resolved(raw));

export function resolved(...cards: RawCard[]): CardConfig {
  const { config, findings } = resolveConfig(configSchema.parse({ domains: { domU: { cards } } }));
  if (findings.length > 0) throw new Error(JSON.stringify(findings));
  return config.get("domU")!.cards[0]!;
}

/** Cards 0, 1, ... of domain 1. */
export function wanted(cards: readonly CardConfig[], backendDomid = 0): WantedCard[] {
  return cards.map((card, index) => ({
    domain: { domid: 1, name: "domU" },
    address: { domid: 1, card: index, backendDomid },
    card,
  }));
}

export function provisionCards(store: Store, ...cards: CardConfig[]): PlannedCard[] {
  return provision(store, () => wanted(cards));
}
