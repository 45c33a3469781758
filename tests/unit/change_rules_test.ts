// SPDX-License-Identifier: MIT
/** The rules for changes to a card in use: a test for each. */
import assert from "node:assert/strict";
import { type CardConfig, defaultCard } from "../../lib/vsnd/model/card.ts";
import { differencesOf, presentNodes } from "../../lib/vsnd/provision/compare.ts";
import { decide, type Decision, RULES } from "../../lib/vsnd/provision/change_rules.ts";
import { cardTree } from "../../lib/vsnd/nodes/card_tree.ts";
import { cardPaths } from "../../lib/xenbus/mod.ts";
import type { Store } from "../../lib/xen/ports.ts";
import { provisionCards } from "./vsnd_cards.ts";
import { TestXen } from "./vsnd_store.ts";

const ADDRESS = { domid: 1, card: 0, backendDomid: 0 };
const PATHS = cardPaths(ADDRESS);
const POLICY = `${PATHS.backend}/xsnd`;

const denied = (card: CardConfig): CardConfig => ({
  ...card,
  pcms: card.pcms.map((pcm) => ({ ...pcm, streams: pcm.streams.map((s) => ({ ...s, denied: true })) })),
});

interface Case {
  readonly from: CardConfig;
  /** A change to the store after provisioning, by someone else. */
  readonly meddle?: (store: Store) => void;
  readonly to: CardConfig;
  readonly address?: typeof ADDRESS;
}

function decided({ from, meddle = () => {}, to, address = ADDRESS }: Case): Decision {
  const store = new TestXen(["domU"]).store();
  provisionCards(store, from);
  meddle(store);
  const wanted = cardTree(address, to);
  const present = presentNodes(store, PATHS);
  const differences = differencesOf(present, wanted, PATHS.frontend);
  return decide(differences, present, new Map(wanted.map((node) => [node.path, node])), PATHS);
}

const card = defaultCard("hw:0");
const PERMISSIONS = "permissions";
const KIND = "a device that may block, in place of one that never does";
const DENIED = "whether a stream is denied";
const DEVICE = "a device";
const HELD = "parameters that the backend enforces";
const DETACHED = "a card that is being detached";
const ENDS = "the tie between the two ends";
const REST = "names, streams and their parameters";

const CASES: Record<string, { cases: readonly Case[]; names: RegExp }> = {
  [PERMISSIONS]: {
    cases: [
      { from: card, to: card, meddle: (s) => s.setPermissions(POLICY, [{ domid: 0, access: "read" }]) },
      {
        from: card,
        to: card,
        meddle: (s) => s.setPermissions(`${PATHS.libxl}/frontend`, [{ domid: 1, access: "both" }]),
      },
    ],
    names: /^(\/local\/domain\/0\/backend\/vsnd\/1\/0\/xsnd|frontend): takes effect at once$/,
  },
  [KIND]: {
    cases: [
      { from: card, to: defaultCard("pulse") },
      { from: defaultCard("dummy:"), to: defaultCard("default") },
      { from: denied(defaultCard("pulse")), to: defaultCard("pulse") },
    ],
    names: /^0\/0\/(device|denied), 0\/1\/(device|denied): a device that may block, /,
  },
  [DENIED]: {
    cases: [
      { from: card, to: denied(card) },
      { from: defaultCard("pulse"), to: denied(defaultCard("pulse")) },
      { from: denied(card), to: card },
    ],
    names: /^0\/0\/denied, 0\/1\/denied: takes effect at once$/,
  },
  [DEVICE]: {
    cases: [
      { from: card, to: defaultCard("plughw:1,0") },
      { from: defaultCard("pulse"), to: defaultCard("default") },
      { from: defaultCard("pulse"), to: card },
    ],
    names: /^0\/0\/device, 0\/1\/device: takes effect when the guest next opens/,
  },
  [HELD]: {
    cases: [
      { from: card, to: card, meddle: (s) => s.write(`${POLICY}/0/0/buffer-size`, "4096") },
      { from: card, to: card, meddle: (s) => s.write(`${POLICY}/0/0/unique-id`, "other") },
      { from: card, to: card, meddle: (s) => s.remove(`${POLICY}/0/0`) },
      { from: card, to: card, meddle: (s) => s.remove(POLICY) },
      { from: card, to: card, meddle: (s) => s.remove(`${POLICY}/0/0/device`) },
      { from: card, to: card, meddle: (s) => s.write(`${POLICY}/0/2/device`, "hw:0") },
    ],
    names: /(0\/[0-2](\/[a-z-]+)?|xsnd)[^:]*: the guest's driver has read its parameters already/,
  },
  [DETACHED]: {
    cases: [
      { from: card, to: card, meddle: (s) => s.write(`${PATHS.backend}/online`, "0") },
      { from: card, to: card, meddle: (s) => s.remove(`${PATHS.backend}/online`) },
    ],
    names: /^online: the backend was asked to close the card, and has not closed it yet$/,
  },
  [ENDS]: {
    cases: [
      { from: card, to: card, meddle: (s) => s.remove(PATHS.frontend) },
      { from: card, to: card, meddle: (s) => s.write(`${PATHS.frontend}/backend`, "/local/domain/2/mine") },
      { from: card, to: card, meddle: (s) => s.write(`${PATHS.backend}/frontend-id`, "2") },
      { from: card, to: card, meddle: (s) => s.write(`${PATHS.libxl}/frontend`, "/elsewhere") },
      { from: card, to: card, address: { ...ADDRESS, backendDomid: 2 } },
    ],
    names: /: the node ties the card's two ends together$/,
  },
  [REST]: {
    cases: [
      { from: card, to: { ...card, shortName: "Other" } },
      { from: card, to: { ...card, longName: undefined } },
      { from: card, to: { ...card, pcms: [{ ...card.pcms[0]!, name: "Other" }] } },
      { from: card, to: card, meddle: (s) => s.write(`${PATHS.frontend}/sample-rates`, "8000") },
      { from: card, to: card, meddle: (s) => s.write(`${PATHS.frontend}/0/2/type`, "p") },
      { from: card, to: card, meddle: (s) => s.remove(`${PATHS.frontend}/0/1/type`) },
    ],
    names: /^[a-z0-9/, -]+: the guest's driver reads the node only when it connects$/,
  },
};

Deno.test("there is a test for each rule of what may change of a card in use", () => {
  assert.deepEqual(Object.keys(CASES), RULES.map((rule) => rule.of));
});

for (const { of: rule, isApplied } of RULES) {
  Deno.test(`decide() ${isApplied ? "applies" : "refuses"} a change of ${rule}`, () => {
    for (const one of CASES[rule]!.cases) {
      const { notes, refusals } = decided(one);
      const lines = isApplied ? notes : refusals;
      assert(lines.some((line) => CASES[rule]!.names.test(line)), JSON.stringify({ notes, refusals }));
      if (isApplied) assert.deepEqual(refusals, []);
    }
  });
}

Deno.test("decide() refuses other limits on both sides, and names the nodes that it is for", () => {
  const narrower = {
    ...card.pcms[0]!,
    streams: card.pcms[0]!.streams.map((s) => ({ ...s, effective: { ...s.effective, rates: [48000] } })),
  };
  const { notes, refusals } = decided({
    from: card,
    to: { ...card, declared: { ...card.declared, rates: [48000] }, pcms: [narrower] },
  });
  assert.deepEqual(notes, []);
  assert.deepEqual(refusals, [
    "sample-rates: the guest's driver reads the node only when it connects",
    "0/0/sample-rates, 0/1/sample-rates: the guest's driver has read its parameters already, and the backend's must be the same",
  ]);
});

Deno.test("decide() names no more nodes for a reason than one can take in", () => {
  const { refusals } = decided({ from: card, to: card, meddle: (s) => s.remove(POLICY) });
  assert.match(refusals[0]!, /^\S+, 0, 0\/0, 0\/0\/type and \d+ more: /);
});
