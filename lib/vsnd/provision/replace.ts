// SPDX-License-Identifier: MIT
/**
 * Provisioning that may take a card from its guest: what cannot change while it is in use is detached, as `xl vsnd-detach` does
 * it, and attached anew.
 */
import { Exit, XsndError } from "../../base/error.ts";
import { stateName, StateTimeoutError } from "../../xenbus/mod.ts";
import type { Store, StoreView } from "../../xen/ports.ts";
import { beginRemoval, deprovisionCard } from "./deprovision.ts";
import { type Choice, type Plan, planIn, type PlannedCard, provisionIn, removeCard } from "./plan.ts";

export interface Replaced {
  readonly cards: readonly PlannedCard[];
  /** Why the cards that are not among those could not be detached. */
  readonly failures: readonly unknown[];
}

/**
 * As provision(); cards that it would refuse to change are detached first, all at once, each within `timeoutMs`. One
 * whose backend does not close in time is left asked to; the others are provisioned all the same, so that no guest is left
 * without the card that it had.
 */
export async function provisionReplacing(store: Store, choose: Choice, timeoutMs: number): Promise<Replaced> {
  const detached: Plan[] = [];
  const kept: Plan[] = [];
  const failures: unknown[] = [];
  const remaining: Choice = (view) => choose(view).filter((card) => among(kept, card) === undefined);
  try {
    for (;;) {
      // More may have come into use while others were detached.
      const { cards, refused } = store.transaction((view) => attempt(view, remaining));
      if (cards !== undefined) return { cards: asReplaced(cards, detached), failures };
      await Promise.all(
        refused.map((plan) =>
          deprovisionCard(store, plan.record!, { timeoutMs, force: false }).then(
            () => void detached.push(plan),
            (error) => {
              kept.push(plan);
              failures.push(explained(plan, error));
            },
          )
        ),
      );
    }
  } catch (error) {
    if (!(error instanceof XsndError) || detached.length === 0) throw error;
    const names = detached.map(({ domain, address }) => `card ${address.card} of ${domain.name}`).join(", ");
    throw new XsndError(
      `${error.message}; detached by now, and to be provisioned again: ${names}`,
      error.exitCode,
      { cause: error },
    );
  }
}

type Attempt =
  | { readonly cards: PlannedCard[]; readonly refused?: undefined }
  | { readonly cards?: undefined; readonly refused: Plan[] };

/** Provisions all cards, or none and says which have to be detached first. */
function attempt(view: StoreView, choose: Choice): Attempt {
  const refused = planIn(view, choose).filter(isRefused);
  return refused.length > 0 ? { refused } : { cards: provisionIn(view, choose) };
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
      `${stateName(state)}; once it has closed, the guest is without the card until you run this again; if ` +
      `no daemon serves it any more, \`xsnd deprovision ${name} ${card} --force\` and provision it then`,
    Exit.timedOut,
    { cause: error },
  );
}
