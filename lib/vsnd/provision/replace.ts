// SPDX-License-Identifier: MIT
/**
 * `provision --replace`: a card that cannot change while it is in use is detached, as `xl vsnd-detach` does, and attached anew.
 */
import { Exit, XsndError } from "../../base/error.ts";
import { stateName, StateTimeoutError } from "../../xenbus/mod.ts";
import type { Store, StoreView } from "../../xen/ports.ts";
import { beginRemoval, deprovisionCard } from "./deprovision.ts";
import { type Choice, type Plan, planIn, type PlannedCard, provisionIn, removeCard } from "./plan.ts";

export interface Replaced {
  readonly cards: readonly PlannedCard[];
  /** The errors of the cards that could not be detached. `cards` does not have them. */
  readonly failures: readonly unknown[];
}

/**
 * Like provision(), but cards that provision() would refuse to change are detached first: all at the same time, each within
 * `timeoutMs`. A card whose backend does not close in time stays in the state of being asked to close. All other cards are
 * provisioned nevertheless, so that no guest loses the card that it had.
 */
export async function provisionReplacing(store: Store, choose: Choice, timeoutMs: number): Promise<Replaced> {
  const detached: Plan[] = [];
  const kept: Plan[] = [];
  const failures: unknown[] = [];
  const remaining: Choice = (view) => choose(view).filter((card) => among(kept, card) === undefined);
  try {
    for (;;) {
      // While some cards were detached, guests may have begun to use others.
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
      `${error.message}; already detached, provision again: ${names}`,
      error.exitCode,
      { cause: error },
    );
  }
}

type Attempt =
  | { readonly cards: PlannedCard[]; readonly refused?: undefined }
  | { readonly cards?: undefined; readonly refused: Plan[] };

/** Provisions all cards, or none if some must be detached first, and returns those. */
function attempt(view: StoreView, choose: Choice): Attempt {
  const refused = planIn(view, choose).filter(isRefused);
  return refused.length > 0 ? { refused } : { cards: provisionIn(view, choose) };
}

/** Like {@link provisionReplacing} in one step, as if every backend closed at once: for dry runs. */
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
  const { backend } = record!.paths;
  return new XsndError(
    `card ${card} of ${name} is not replaced: its backend was asked to close, and ${backend} is still ` +
      `${
        stateName(state)
      }; when the backend has closed, run this command again, until then the guest has no card; ` +
      `if no daemon serves the card any more, run \`xsnd deprovision ${name} ${card} --force\` first`,
    Exit.timedOut,
    { cause: error },
  );
}
