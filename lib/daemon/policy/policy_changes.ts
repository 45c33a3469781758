// SPDX-License-Identifier: MIT
/** The differences between two policies of a card, as texts for people. */
import { placeInCard } from "../../stream/stream_name.ts";
import { type CardPolicy, policyText, type StreamPolicy } from "../../vsnd/model/card.ts";

interface PolicyChange {
  /** `0/0: dummy: -> hw:0,0`. */
  readonly text: string;
  /** Whether the change takes effect while the guest has the stream open; other changes wait for the next OPEN. */
  readonly isAtOnce: boolean;
}

/** The card that a decision is about. */
interface DecidedCard {
  readonly name: string;
  readonly connected: boolean;
  /** The policy that the card was made by. */
  readonly policy: CardPolicy;
}

/**
 * What a decision changes for `card`, and when it takes effect, for people; undefined if nothing changes.
 *
 * @param before the last decision; undefined: not to serve the card
 */
export function describeChanges(
  before: CardPolicy | undefined,
  after: CardPolicy | undefined,
  card: DecidedCard,
): string | undefined {
  const later = card.connected ? "once its guest opens it again (limits: connects)" : "from now on";
  if (after === undefined) {
    const what = card.connected
      ? "at once: it is denied; once its guest has gone: not served"
      : "from now on: it is not served";
    return before && `${card.name}, ${what}`;
  }
  const changes = policyChanges(before ?? card.policy, after);
  if (changes.length === 0) return before === undefined ? `${card.name}: it is served again` : undefined;
  const part = (when: string, isAtOnce: boolean) => {
    const texts = changes.filter((change) => change.isAtOnce === isAtOnce).map(({ text }) => text);
    return texts.length === 0 ? [] : [`${when}: ${texts.join(", ")}`];
  };
  return `${card.name}, ${[...part("at once", true), ...part(later, false)].join("; ")}`;
}

/** One entry for each stream that changes. */
function policyChanges(before: CardPolicy, after: CardPolicy): PolicyChange[] {
  const [former, present] = [byName(before), byName(after)];
  const names = [...new Set([...former.keys(), ...present.keys()])];
  return names.flatMap((name) => {
    const [was, is] = [former.get(name), present.get(name)];
    if (policyText(was) === policyText(is)) return [];
    const devices = [deviceOf(was), deviceOf(is)];
    const text = `${name}: ${devices[0] === devices[1] ? "other limits" : devices.join(" -> ")}`;
    return [{ text, isAtOnce: Boolean(was?.denied) !== Boolean(is?.denied) }];
  });
}

function byName({ pcms }: CardPolicy): Map<string, StreamPolicy> {
  return new Map(
    pcms.flatMap(({ streams }, p) => streams.map((stream, s) => [placeInCard(p, s), stream] as const)),
  );
}

function deviceOf(policy: StreamPolicy | undefined): string {
  return policy === undefined ? "none" : policy.denied ? "denied" : policy.device;
}
