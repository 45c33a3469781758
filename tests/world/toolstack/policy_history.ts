// SPDX-License-Identifier: MIT
/** What each stream was allowed at each time, by all that toolstacks, administrators and their files have said until then. */
import type { CardPolicy, StreamPolicy } from "../../../lib/vsnd/model/card.ts";
import { type Account, namesSince } from "./account.ts";
import type { Nodes } from "./nodes.ts";
import { type DaemonPolicy, isLate, policyOf } from "./pinned.ts";

export interface StreamPlace {
  readonly domid: number;
  readonly card: number;
  readonly pcm: number;
  readonly stream: number;
}

interface Span {
  readonly from: number;
  /** Infinity: to this day. */
  to: number;
  /** Each of these may be the policy. */
  readonly policies: readonly CardPolicy[];
  /** Whether a daemon must serve the card, whichever policy it is. */
  readonly isServed: boolean;
  /** All that as text, to tell whether it changes. */
  readonly text: string;
}

export interface PolicySources {
  /** µs. */
  now(): number;
  readonly account: Account;
  /** What the daemons that run may go by; empty if none runs. */
  policies(): readonly DaemonPolicy[];
  nodes(): Nodes;
}

export class PolicyHistory {
  readonly #spans = new Map<string, Span[]>();

  constructor(private readonly sources: PolicySources) {}

  /** To be called whenever a source may have changed. */
  changed(): void {
    const now = this.sources.now();
    const present = this.#present();
    for (const [key, spans] of this.#spans) {
      const last = spans.at(-1);
      if (last !== undefined && last.to === Infinity && last.text !== present.get(key)?.text) last.to = now;
    }
    for (const [key, decision] of present) {
      let spans = this.#spans.get(key);
      if (spans === undefined) this.#spans.set(key, spans = []);
      if (spans.at(-1)?.to !== Infinity) spans.push({ from: now, to: Infinity, ...decision });
    }
  }

  #present(): Map<string, Omit<Span, "from" | "to">> {
    const { account } = this.sources;
    const daemons = this.sources.policies();
    const nodes = this.sources.nodes();
    const found = new Map<string, Omit<Span, "from" | "to">>();
    for (const { address, states, since } of account.cards) {
      const { domid, card } = address;
      const domain = account.domain(domid);
      const late = isLate(nodes, address);
      const decisions = states.flatMap((state): (CardPolicy | undefined)[] => {
        if (state.maker === "nobody") return [undefined];
        if (state.maker === "xsnd") return [state.card];
        return daemons.flatMap((daemon) => {
          const names = domain === undefined
            ? [String(domid)]
            : namesSince(domain, Math.max(since, daemon.decidedSince ?? 0));
          return names.map((name) => policyOf(state, { domid, name, card }, daemon, late));
        });
      });
      const policies = decisions.filter((policy) => policy !== undefined);
      const isServed = daemons.length > 0 && decisions.length > 0 && policies.length === decisions.length;
      found.set(`${domid}/${card}`, { policies, isServed, text: JSON.stringify([isServed, policies]) });
    }
    return found;
  }

  /** Since when there is the card that is at the stream's place at `time`. */
  madeAt({ domid, card }: StreamPlace, time: number): number {
    const spans = this.#spans.get(`${domid}/${card}`) ?? [];
    let first = spans.findLastIndex(({ from }) => from <= time);
    while (first > 0 && spans[first - 1]!.to === spans[first]!.from) first--;
    return spans[first]?.from ?? time;
  }

  /** Whether a daemon had to serve the card all the time from `from` to this day. */
  isServedSince(domid: number, card: number, from: number): boolean {
    const spans = (this.#spans.get(`${domid}/${card}`) ?? []).filter(({ to }) => to >= from);
    return spans.length > 0 && spans[0]!.from <= from && spans.at(-1)!.to === Infinity &&
      spans.every(({ isServed }, i) => isServed && (i === 0 || spans[i - 1]!.to === spans[i]!.from));
  }

  /** Whether the stream's device can only have been hardware, without plugins, for as long as there is the card. */
  isOnHardware(place: StreamPlace): boolean {
    const now = this.sources.now();
    const policies = this.during(place, this.madeAt(place, now), now);
    return policies.length > 0 && policies.every(({ device }) => device.startsWith("hw:"));
  }

  /** All policies that the stream may have had at some time from `from` to `to`. Empty: nobody may have been served. */
  during({ domid, card, pcm, stream }: StreamPlace, from: number, to: number): readonly StreamPolicy[] {
    const spans = this.#spans.get(`${domid}/${card}`) ?? [];
    return spans.filter((span) => span.from <= to && span.to >= from)
      .flatMap(({ policies }) => policies.flatMap(({ pcms }) => pcms[pcm]?.streams[stream] ?? []));
  }
}

/** What a guest has opened a stream with. */
export interface OpenedParams {
  readonly rate: number;
  /** As in sndif.h: s16_le. */
  readonly format: string;
  readonly channels: number;
  readonly bufferBytes: number;
}

/** Why none of `policies` allows that; undefined if one does. */
export function openProblem(
  { rate, format, channels, bufferBytes }: OpenedParams,
  policies: readonly StreamPolicy[],
): string | undefined {
  const allows = ({ effective }: StreamPolicy) =>
    effective.rates.includes(rate) && effective.formats.includes(format) &&
    effective.channelsMin <= channels && channels <= effective.channelsMax &&
    bufferBytes <= effective.bufferSizeBytes;
  if (policies.some(allows)) return undefined;
  return `${rate} Hz, ${format}, ${channels} channels, ${bufferBytes} octets are open, and allowed is ${
    policies.length === 0 ? "nothing" : JSON.stringify(policies.at(-1)!.effective)
  }`;
}

/**
 * Why the stream's sound must not be on `device`; undefined if it may be there.
 * @param sinceOpen the policies from the stream's OPEN on: a change of device waits for the next OPEN
 * @param lately the policies of the last moments: a denial does not wait
 */
export function deviceProblem(
  device: string,
  sinceOpen: readonly StreamPolicy[],
  lately: readonly StreamPolicy[],
): string | undefined {
  if (lately.every(({ denied }) => denied === true)) return "the stream is denied, or not served";
  if (sinceOpen.some((policy) => policy.device === device && policy.denied !== true)) return undefined;
  const devices = [...new Set(sinceOpen.map((policy) => policy.denied ? "none (denied)" : policy.device))];
  return `the stream's device is ${devices.join(" or ")}`;
}
