// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { Exit, XsndError } from "../../lib/base/error.ts";
import { type CardConfig, defaultCard } from "../../lib/vsnd/model/card.ts";
import { provisionReplacing } from "../../lib/vsnd/provision/replace.ts";
import { waitForState, XenbusState } from "../../lib/xenbus/mod.ts";
import { provisionCards, wanted } from "./vsnd_cards.ts";
import { TestXen } from "./vsnd_store.ts";

const backend = (card: number) => `/local/domain/0/backend/vsnd/1/${card}`;
const named = (longName: string): CardConfig => ({ ...defaultCard("hw:0"), longName });
const PATIENCE_MS = 60_000;

/** Cards 0 and 1; card 0 is connected. */
function connected() {
  const xen = new TestXen(["domU"]);
  const store = xen.store();
  provisionCards(store, named("one"), named("two"));
  store.write(`${backend(0)}/state`, "4");
  const untilAsked = (card: number) =>
    waitForState(store, backend(card), (state) => state === XenbusState.Closing, PATIENCE_MS);
  return { xen, store, untilAsked };
}

Deno.test("provisionReplacing() detaches what is in use, and provisions all in one go", async () => {
  const { xen, store, untilAsked } = connected();
  const choose = () => wanted([named("changed"), named("changed, too")]);
  const replacing = provisionReplacing(store, choose, PATIENCE_MS);
  await untilAsked(0);
  assert.equal(store.read(`${backend(0)}/online`), "0");
  assert.equal(store.read("/local/domain/1/device/vsnd/1/long-name"), "two", "nothing is written before");
  store.write(`${backend(0)}/state`, "6");
  const { cards, failures } = await replacing;
  assert.deepEqual(cards.map(({ action }) => action), ["replaced", "changed"]);
  assert.deepEqual(cards[0]!.differences, [
    '/local/domain/1/device/vsnd/0/long-name: "one" -> "changed"',
  ]);
  assert.deepEqual(failures, []);
  const made = new TestXen(["domU"]);
  provisionCards(made.store(), named("changed"), named("changed, too"));
  assert.equal(xen.dump("/local", "/libxl"), made.dump("/local", "/libxl"));
});

Deno.test("provisionReplacing() detaches also what comes into use meanwhile", async () => {
  const { store, untilAsked } = connected();
  const choose = () => wanted([named("changed"), named("changed, too")]);
  const replacing = provisionReplacing(store, choose, PATIENCE_MS);
  for (const card of [0, 1]) {
    await untilAsked(card);
    if (card === 0) store.write(`${backend(1)}/state`, "4");
    store.write(`${backend(card)}/state`, "6");
  }
  const { cards } = await replacing;
  assert.deepEqual(cards.map(({ action }) => action), ["replaced", "replaced"]);
  assert.equal(store.read("/local/domain/1/device/vsnd/0/long-name"), "changed");
});

Deno.test("provisionReplacing() keeps the card whose backend does not close, and says so of it", async () => {
  const { store } = connected();
  const choose = () => wanted([named("changed"), named("changed, too")]);
  const { cards, failures } = await provisionReplacing(store, choose, 10);
  assert.deepEqual(cards.map(({ address, action }) => [address.card, action]), [[1, "changed"]]);
  const [failure] = failures;
  assert(failure instanceof XsndError && failure.exitCode === Exit.timedOut);
  assert.match(
    failure.message,
    /^card 0 of domU is not replaced: .* is still Closing; .* until then the guest has no card; /,
  );
  assert.equal(store.read("/local/domain/1/device/vsnd/0/long-name"), "one");
});

Deno.test("provisionReplacing() names what it has detached if it cannot go on", async () => {
  const { store, untilAsked } = connected();
  let isGone = false;
  const replacing = provisionReplacing(store, () => {
    if (isGone) throw new XsndError('there is no domain "gone"');
    return wanted([named("changed")]);
  }, PATIENCE_MS);
  await untilAsked(0);
  isGone = true;
  store.write(`${backend(0)}/state`, "6");
  await assert.rejects(replacing, {
    message: 'there is no domain "gone"; already detached, provision again: card 0 of domU',
  });
});
