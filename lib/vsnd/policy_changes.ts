/** What of a card's policy is another than it was, for people. */
import type { CardPolicy, StreamPolicy } from "./card.ts";

/** One text for each stream that changes: `0/0: dummy: -> hw:0,0`; none if it is the same policy. */
export function policyChanges(before: CardPolicy, after: CardPolicy): string[] {
  const [former, present] = [byName(before), byName(after)];
  const names = [...new Set([...former.keys(), ...present.keys()])];
  return names.flatMap((name) => {
    const [was, is] = [former.get(name), present.get(name)];
    if (JSON.stringify(was) === JSON.stringify(is)) return [];
    const devices = [deviceOf(was), deviceOf(is)];
    return [`${name}: ${devices[0] === devices[1] ? "other limits" : devices.join(" -> ")}`];
  });
}

function byName({ pcms }: CardPolicy): Map<string, StreamPolicy> {
  return new Map(
    pcms.flatMap(({ streams }, p) => streams.map((stream, s) => [`${p}/${s}`, stream] as const)),
  );
}

function deviceOf(policy: StreamPolicy | undefined): string {
  return policy === undefined ? "none" : policy.denied ? "denied" : policy.device;
}
