// SPDX-License-Identifier: MIT
/** The report of `provision` and `diff`: what happens, or would happen, to each card. */
import type { PlannedCard } from "../../lib/vsnd/provision/plan.ts";
import { count, printable, wrapped } from "./output.ts";

/** The most differences of a card that are named, by default. */
const SHOWN_DIFFERENCES = 8;

interface Style {
  /** Whether the plan has been carried out. */
  readonly done: boolean;
  readonly shown?: number;
}

/** Lines for people: each card with its differences, then the number of cards. */
export function planLines(cards: readonly PlannedCard[], style: Style): string[] {
  const lines = cards.flatMap((card) => cardLines(card, style));
  return cards.length < 2 ? lines : [...lines, `${count(cards.length, "card")}: ${tally(cards)}`];
}

function cardLines(planned: PlannedCard, { done, shown = SHOWN_DIFFERENCES }: Style): string[] {
  const { domain, address, card, action, differences, notes, refusal } = planned;
  const name = card.shortName === undefined ? "" : ` (${card.shortName})`;
  const what = done || action === "unchanged" ? action : `would be ${action}`;
  const more = differences.length - shown;
  return [
    printable(`${domain.name} card ${address.card}${name}: ${what}`),
    ...differences.slice(0, shown).flatMap((difference) => wrapped(difference, "  ")),
    ...(more > 0 ? [`  and ${more} more`] : []),
    ...(refusal === undefined ? notes.flatMap((note) => wrapped(note, "  ")) : wrapped(refusal, "  ")),
  ];
}

/** `1 created, 2 unchanged`. */
function tally(cards: readonly PlannedCard[]): string {
  const actions = ["created", "changed", "replaced", "unchanged"] as const;
  return actions.map((wanted) => [cards.filter(({ action }) => action === wanted).length, wanted] as const)
    .filter(([number]) => number > 0).map(([number, action]) => `${number} ${action}`).join(", ");
}

export function planToJson({ domain, address, action, differences, notes, refusal }: PlannedCard) {
  const card = { domain: domain.name, domid: domain.domid, card: address.card, action, differences, notes };
  return refusal === undefined ? card : { ...card, refusal };
}
