// SPDX-License-Identifier: MIT
/** Finding the streams that a provisioning would add, or give another device or other parameters. */
import { isDeepStrictEqual } from "node:util";
import { XsndError } from "../../base/error.ts";
import { formatStreamName } from "../../stream/stream_name.ts";
import { cardPaths } from "../../xenbus/mod.ts";
import type { StoreView } from "../../xen/ports.ts";
import type { CardPolicy, StreamPolicy } from "../model/card.ts";
import type { WantedCard } from "./plan.ts";
import { readBackendPolicy } from "../nodes/policy_nodes.ts";

export interface NamedStream {
  /** `DOMAIN/CARD/PCM/STREAM`. */
  readonly name: string;
  readonly stream: StreamPolicy;
}

/** The streams of `cards` that are not in XenStore, or are there with another device or other parameters. */
export function changedStreams(view: StoreView, cards: readonly WantedCard[]): NamedStream[] {
  return cards.flatMap(({ domain, address, card }) => {
    const present = presentPolicy(view, cardPaths(address).backend);
    return card.pcms.flatMap((pcm, p) =>
      pcm.streams.flatMap((stream, s) => {
        const before = present?.pcms[p]?.streams[s];
        if (before !== undefined && isDeepStrictEqual(decisive(before), decisive(stream))) return [];
        return [{ name: formatStreamName(domain.name, address.card, p, s), stream }];
      })
    );
  });
}

/** The present policy; undefined if there is none or if it is damaged, since provisioning writes it anew. */
function presentPolicy(view: StoreView, backend: string): CardPolicy | undefined {
  try {
    return readBackendPolicy(view, backend);
  } catch (error) {
    if (!(error instanceof XsndError)) throw error;
    return undefined;
  }
}

/** The parts of a policy that concern the device. */
function decisive({ type, device, denied = false, effective }: StreamPolicy) {
  return { type, device, denied, effective };
}
