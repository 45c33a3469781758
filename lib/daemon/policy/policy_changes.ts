// SPDX-License-Identifier: MIT
/** What of a card's policy is another than it was, for people. */
import { placeInCard } from "../../stream/stream_name.ts";
import type { CardPolicy, StreamPolicy } from "../../vsnd/model/card.ts";

export interface PolicyChange {
  /** `0/0: dummy: -> hw:0,0`. */
  readonly text: string;
  /** Whether the change holds under a guest that has the stream open; another change waits for the next OPEN. */
  readonly isAtOnce: boolean;
}

/** What changes, one entry for each stream; none if both are the same policy. */
export function policyChanges(before: CardPolicy, after: CardPolicy): PolicyChange[] {
  const [former, present] = [byName(before), byName(after)];
  const names = [...new Set([...former.keys(), ...present.keys()])];
  return names.flatMap((name) => {
    const [was, is] = [former.get(name), present.get(name)];
    if (JSON.stringify(was) === JSON.stringify(is)) return [];
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
