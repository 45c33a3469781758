// SPDX-License-Identifier: MIT
/**
 * Which cards are connected, by what the daemons log: "connected", "taken over", "disconnected". A guest of a card that is not
 * connected cannot expect answers. That cards which are to be served get connected is another invariant's business.
 */
import type { Span } from "../guest/checks.ts";

interface MutableSpan {
  readonly from: number;
  to: number;
}

export class Connections {
  /** For each card, by its name, the times without a connection. */
  readonly #apart = new Map<string, MutableSpan[]>();

  /** @param settlingMicros how long after its connection a card is not counted as connected yet */
  constructor(private readonly now: () => number, private readonly settlingMicros: number) {}

  /** A daemon has logged `message` about `card`. */
  logged(card: string, message: string): void {
    if (/^(connected|taken over)/.test(message)) this.#connected(card);
    else if (message.startsWith("disconnected")) this.#disconnected(card);
  }

  #connected(card: string): void {
    const last = this.#of(card).at(-1);
    if (last?.to === Infinity) last.to = this.now() + this.settlingMicros;
  }

  #disconnected(card: string): void {
    const spans = this.#of(card);
    if (spans.at(-1)?.to !== Infinity) spans.push({ from: this.now(), to: Infinity });
  }

  /** The daemon has ended. */
  allDisconnected(): void {
    for (const card of this.#apart.keys()) this.#disconnected(card);
  }

  #of(card: string): MutableSpan[] {
    let spans = this.#apart.get(card);
    if (spans === undefined) this.#apart.set(card, spans = [{ from: 0, to: Infinity }]);
    return spans;
  }

  /** The times in which none of `names`, names of the same card, was connected. */
  apart(names: readonly string[]): readonly Span[] {
    const [first, ...others] = names.map((name) => this.#of(name));
    // A card has one name at a time: a time apart under one name counts unless another name was connected then.
    return (first ?? []).filter((span) =>
      others.every((spans) => spans.some(({ from, to }) => from <= span.from && to >= span.to))
    );
  }
}
