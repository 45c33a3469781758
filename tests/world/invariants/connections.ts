// SPDX-License-Identifier: MIT
/**
 * Which streams are connected: those whose ring a daemon has mapped. A guest of a stream that is not connected cannot expect
 * answers. That the streams of a card that is served get connected is another invariant's business.
 */
import type { Span } from "../guest/checks.ts";
import type { Domain } from "../xen/domain.ts";
import type { ForeignMapping } from "../xen/hypervisor.ts";

interface MutableSpan {
  readonly from: number;
  to: number;
}

export class Connections {
  /** For each domain and grant of one page, the times without a mapping. */
  readonly #apart = new WeakMap<Domain, Map<number, MutableSpan[]>>();

  /** @param settlingMicros how long after its connection a stream is not counted as connected yet */
  constructor(private readonly now: () => number, private readonly settlingMicros: number) {}

  /** A process has mapped pages. */
  mapped({ domain, grants, isWritable }: ForeignMapping): void {
    if (grants.length !== 1 || !isWritable) return;
    const last = this.#of(domain, grants[0]!.gref).at(-1);
    if (last?.to === Infinity) last.to = this.now() + this.settlingMicros;
  }

  /** A process is about to let go of pages. */
  unmapped({ domain, grants, isWritable }: ForeignMapping): void {
    if (grants.length !== 1 || !isWritable) return;
    const spans = this.#of(domain, grants[0]!.gref);
    if (spans.at(-1)?.to !== Infinity) spans.push({ from: this.now(), to: Infinity });
  }

  #of(domain: Domain, gref: number): MutableSpan[] {
    let grants = this.#apart.get(domain);
    if (grants === undefined) this.#apart.set(domain, grants = new Map());
    let spans = grants.get(gref);
    if (spans === undefined) grants.set(gref, spans = [{ from: 0, to: Infinity }]);
    return spans;
  }

  /** The times in which nobody had the page mapped that `domain` has granted as `gref`. */
  apart(domain: Domain, gref: number): readonly Span[] {
    return this.#of(domain, gref);
  }

  /** Those times, and since when the page is mapped, without the time to settle; undefined: it is not. */
  of(domain: Domain, gref: number): { readonly apart: readonly Span[]; readonly connectedAt?: number } {
    const apart = this.#of(domain, gref);
    const { to } = apart.at(-1)!;
    return { apart, ...(to < Infinity && { connectedAt: to - this.settlingMicros }) };
  }
}
