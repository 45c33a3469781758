// SPDX-License-Identifier: MIT
/** Finds the stream that a user names, among the streams in guests' frontend directories. */
import { Exit, XsndError } from "../base/error.ts";
import { didYouMean } from "../base/suggest.ts";
import { formatStreamName, parseStreamName } from "../stream/stream_name.ts";
import type { Direction } from "../pcm/pcm.ts";
import { readFrontendCard } from "../vsnd/nodes/frontend_dir.ts";
import { frontendPath, resolveDomain } from "../xenbus/mod.ts";
import type { StoreView } from "../xen/ports.ts";
import type { SessionStream } from "./session.ts";

/**
 * The stream that `wanted` names, `DOMAIN[/CARD[/PCM[/STREAM]]]`, among those in `direction`. Waits for nothing. Throws
 * {@link XsndError}: exit 2 for a malformed or ambiguous name, exit 1 if no such stream exists.
 */
export function findStream(store: StoreView, wanted: string, direction: Direction): SessionStream {
  const { domain, ...place } = parseStreamName(wanted);
  const { domid, name } = resolveDomain(store, domain);
  const streams = [...streamsOf(store, domid, name)];
  const asked = streams.filter(({ card, pcm, stream }) =>
    card === (place.card ?? card) && pcm === (place.pcm ?? pcm) && stream === (place.stream ?? stream)
  );
  const matches = asked.filter((stream) => stream.type === direction);
  const [match] = matches;
  if (match !== undefined && matches.length === 1) return match;
  if (asked.length === 0) {
    const meant = didYouMean(wanted, streams.map((stream) => stream.name));
    throw new XsndError(
      `there is no stream ${wanted}${meant}; \`xsnd provision ${name}\` gives ${name} a card, \`xsnd list\` shows all streams`,
    );
  }
  if (match === undefined) {
    throw new XsndError(`${asked.map(({ name }) => name).join(", ")}: not for ${direction}`);
  }
  throw new XsndError(
    `${wanted} could be ${matches.map(({ name }) => name).join(" or ")}; say which stream`,
    Exit.usage,
  );
}

function* streamsOf(
  view: StoreView,
  domid: number,
  domain: string,
): Generator<SessionStream & { type?: Direction }> {
  const cards = view.list(frontendPath(domid, 0).replace(/\/0$/, "")) ?? [];
  for (const card of cards.map(Number).filter(Number.isInteger).sort((a, b) => a - b)) {
    const { pcms } = readFrontendCard(view, frontendPath(domid, card));
    for (const [p, { streams }] of pcms.entries()) {
      for (const [s, { type }] of streams.entries()) {
        yield { name: formatStreamName(domain, card, p, s), domain, domid, card, pcm: p, stream: s, type };
      }
    }
  }
}
