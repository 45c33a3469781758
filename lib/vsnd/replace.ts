/**
 * Provisioning that may take a card from its guest: what cannot change while it is in use is detached, as `xl vsnd-detach` does
 * it, and attached anew.
 */
import { Exit, XsndError } from "../error.ts";
import { stateName, StateTimeoutError } from "../xenbus/mod.ts";
import type { Store, StoreView } from "../xen/ports.ts";
import { beginRemoval, deprovisionCard } from "./deprovision.ts";
import {
  type Choice,
  type Plan,
  planIn,
  type PlannedCard,
  provision,
  provisionIn,
  removeCard,
} from "./plan.ts";

export interface Replaced {
  readonly cards: readonly PlannedCard[];
  /** Why the cards that are not among those could not be detached. */
  readonly failures: readonly unknown[];
}

/**
 * As {@link provision}; cards that it would refuse to change are detached first, all at once, each within `timeoutMs`. One
 * whose backend does not close in time is left asked to; the others are provisioned all the same, so that no guest is left
 * without the card that it had.
 */
export async function provisionReplacing(store: Store, choose: Choice, timeoutMs: number): Promise<Replaced> {
  const refused = store.transaction((view) => planIn(view, choose)).filter(isRefused);
  const outcomes = await Promise.allSettled(
    refused.map(({ record }) => deprovisionCard(store, record!, { timeoutMs, force: false })),
  );
  const detached = refused.filter((_, i) => outcomes[i].status === "fulfilled");
  const kept = refused.filter((plan) => !detached.includes(plan));
  const cards = provision(store, (view) => choose(view).filter((card) => among(kept, card) === undefined));
  return {
    cards: asReplaced(cards, detached),
    failures: refused.flatMap((plan, i) => {
      const outcome = outcomes[i];
      return outcome.status === "rejected" ? [explained(plan, outcome.reason)] : [];
    }),
  };
}

/** The same in one go, as if every backend closed at once: for a rehearsal. */
export function replaceIn(view: StoreView, choose: Choice): PlannedCard[] {
  const refused = planIn(view, choose).filter(isRefused);
  for (const { record } of refused) if (beginRemoval(view, record!)) removeCard(view, record!);
  return asReplaced(provisionIn(view, choose), refused);
}

const isRefused = ({ refusal }: Plan) => refusal !== undefined;

const among = <T extends PlannedCard>(plans: readonly T[], { address }: Pick<PlannedCard, "address">) =>
  plans.find((plan) => plan.address.domid === address.domid && plan.address.card === address.card);

function asReplaced(cards: readonly PlannedCard[], detached: readonly Plan[]): PlannedCard[] {
  return cards.map((card) => {
    const former = among(detached, card);
    return former === undefined
      ? card
      : { ...card, action: "replaced", differences: former.differences, notes: [] };
  });
}

function explained({ domain: { name }, address: { card }, record }: Plan, error: unknown): unknown {
  if (!(error instanceof XsndError && error.cause instanceof StateTimeoutError)) return error;
  const { state } = error.cause;
  return new XsndError(
    `card ${card} of ${name} is not replaced: its backend was asked to close, and ${
      record!.paths.backend
    } is still ` +
      `${
        stateName(state)
      }; the card is as it was, and goes when the backend closes. Run this again to go on waiting; if ` +
      `no daemon serves it any more, \`xsnd deprovision ${name} ${card} --force\` and provision it then`,
    Exit.timedOut,
    { cause: error },
  );
}
