// SPDX-License-Identifier: MIT
/** Plans and writes the cards of a configuration: what `xsnd provision -f FILE` does, for programs. */
import type { Store } from "../../xen/ports.ts";
import type { Config } from "../model/card.ts";
import { planIn, type PlannedCard, provision } from "./plan.ts";
import { cardsOfFile } from "./cards_to_provision.ts";

/** Which cards of a configuration are meant. */
export interface ConfigChoice {
  /** Only the cards of this domain, by name or number. By default those of all domains. */
  readonly domain?: string;
}

/** What messages call a configuration that is in no file. */
const NAME = "the configuration";

/**
 * Says what {@link applyConfig} would do now, card by card, and writes nothing. A card that is in use, and that cannot change as
 * wanted, has a `refusal`. Throws {@link XsndError} for a domain that does not exist.
 *
 * @example
 * ```ts
 * import { openXen, parseConfig, planConfig, withSandbox } from "@xsnd/xsnd";
 * import assert from "node:assert/strict";
 *
 * const config = parseConfig("domains: {domU: {cards: [{pcms: [{streams: [{type: playback, device: hw}]}]}]}}", "guests.yaml");
 * await withSandbox({ domains: ["domU"] }, async ({ directory }) => {
 *   using xen = await openXen({ sandbox: directory });
 *   assert.deepEqual(planConfig(xen.store, config).map(({ action }) => action), ["created"]);
 * });
 * ```
 */
export function planConfig(store: Store, config: Config, { domain }: ConfigChoice = {}): PlannedCard[] {
  return store.transaction((view) => planIn(view, (view) => cardsOfFile(view, config, NAME, domain)));
}

/**
 * Makes XenStore hold the cards of a configuration, all in one transaction. Cards that are as wanted are not touched, nor are
 * other cards of the same domains. Throws {@link XsndError}, and writes nothing, if a card that is in use cannot change as wanted,
 * or if a domain does not exist.
 *
 * @example
 * ```ts
 * import { applyConfig, openXen, parseConfig, withSandbox } from "@xsnd/xsnd";
 * import assert from "node:assert/strict";
 *
 * const config = parseConfig("domains: {domU: {cards: [{pcms: [{streams: [{type: playback, device: hw}]}]}]}}", "guests.yaml");
 * await withSandbox({ domains: ["domU"] }, async ({ directory }) => {
 *   using xen = await openXen({ sandbox: directory });
 *   assert.deepEqual(applyConfig(xen.store, config).map(({ action }) => action), ["created"]);
 *   assert.deepEqual(applyConfig(xen.store, config).map(({ action }) => action), ["unchanged"]);
 *   assert.equal(xen.store.read("/local/domain/1/device/vsnd/0/0/0/type"), "p");
 * });
 * ```
 */
export function applyConfig(store: Store, config: Config, { domain }: ConfigChoice = {}): PlannedCard[] {
  return provision(store, (view) => cardsOfFile(view, config, NAME, domain));
}
