// SPDX-License-Identifier: MIT
/** `volume:` and `muted:` of a configuration: what holds until an operator sets something. */
import assert from "node:assert/strict";
import { UNTOUCHED } from "../../lib/stream/operator_settings.ts";
import { parseConfig } from "../../lib/vsnd/config/yaml_file.ts";
import type { CardConfig } from "../../lib/vsnd/model/card.ts";
import { OperatorNodes } from "../../lib/vsnd/nodes/operator_nodes.ts";
import { provisionCards } from "./vsnd_cards.ts";
import { TestXen } from "./vsnd_store.ts";

const BACKEND = "/local/domain/0/backend/vsnd/1/0";

/** A card of streams on dummy devices, each with `keys` besides. */
function cardOf(...streams: string[]): CardConfig {
  const list = streams.map((keys) =>
    `{ device: "dummy:", ${keys.includes("type:") ? keys : `type: playback, ${keys}`} }`
  );
  const text = `domains: { domU: { cards: [{ pcms: [{ streams: [${list.join(", ")}] }] }] } }`;
  return parseConfig(text, "guests.yaml").get("domU")!.cards[0]!;
}

function setUp(card?: CardConfig) {
  const xen = new TestXen(["domU"]);
  const store = xen.store();
  const nodes = (stream: number) => new OperatorNodes(store, BACKEND, `0/${stream}`);
  const provision = (card: CardConfig) => provisionCards(store, card).map(({ action }) => action)[0];
  if (card !== undefined) assert.equal(provision(card), "created");
  return { xen, store, nodes, provision };
}

Deno.test("a stream's volume is kept in thousandths of a dB, and a value that none can have is refused", () => {
  const first = (keys: string) => cardOf(keys).pcms[0]!.streams[0]!.first;
  assert.deepEqual(first("volume: -6.0206"), { volume: -6021 });
  assert.deepEqual(first("volume: -0.0001, muted: true"), { volume: 0, muted: true });
  assert.deepEqual(first("muted: false"), { muted: false });
  assert.equal(first(""), undefined);
  for (
    const [keys, message] of [
      ["volume: 13", /volume: 13 is not allowed; write a number of dB from -120, which is silence, to 12/],
      ["volume: -121", /volume: -121 is not allowed/],
      ["volume: soft", /volume: "soft" is not allowed/],
      ["muted: 1", /muted: 1 is not allowed; write true or false/],
    ] as const
  ) assert.throws(() => first(keys), { message });
});

Deno.test("a new card has them, and a stream without any has no nodes", () => {
  const { xen, nodes } = setUp(cardOf("volume: -6, muted: true", "", "muted: true"));
  assert.deepEqual(nodes(0).read(), { volume: -6000, muted: true, hold: "none" });
  assert.deepEqual(nodes(2).read(), { ...UNTOUCHED, muted: true });
  assert.doesNotMatch(xen.dump(BACKEND), /operator\/0\/1/);
  for (const line of xen.dump(`${BACKEND}/operator`).trim().split("\n")) assert.match(line, / \(n0\)$/);
});

Deno.test("a card that there is keeps what holds, whatever a file says later", () => {
  const { nodes, provision } = setUp(cardOf("volume: -6", ""));
  assert.equal(provision(cardOf("volume: -20", "muted: true")), "unchanged");
  assert.deepEqual(nodes(0).read(), { ...UNTOUCHED, volume: -6000 });
  assert.deepEqual(nodes(1).read(), UNTOUCHED);
});

Deno.test("a card that changes keeps what operators have set, and a stream that is another one then begins anew", () => {
  const former = cardOf("", "", "type: capture", "unique-id: a", "unique-id: b");
  const { store, nodes, provision } = setUp(former);
  store.write(`${BACKEND}/state`, "2");
  const set = { volume: -3000, muted: true, hold: "paused" } as const;
  for (const stream of [0, 2, 3]) assert(nodes(stream).write(set));
  const changed = cardOf(
    "sample-rates: [44100], volume: -1",
    "volume: -2",
    "type: playback, volume: -4",
    "unique-id: b, volume: -5",
    "unique-id: a, muted: true",
  );
  assert.equal(provision(changed), "changed");
  assert.deepEqual(nodes(0).read(), set);
  assert.deepEqual(nodes(1).read(), UNTOUCHED, "the stream was there before");
  assert.deepEqual(nodes(2).read(), { ...UNTOUCHED, volume: -4000 });
  assert.deepEqual(nodes(3).read(), { ...UNTOUCHED, volume: -5000 });
  assert.deepEqual(nodes(4).read(), { ...UNTOUCHED, muted: true });
});

Deno.test("a card of xl's that becomes one of the configuration keeps what operators have set", () => {
  const { store, nodes, provision } = setUp(cardOf("unique-id: a"));
  store.write(`${BACKEND}/state`, "2");
  store.remove(`${BACKEND}/xsnd`);
  for (const [node, value] of [["type", "p"], ["unique-id", "a"]]) {
    store.write(`${BACKEND}/pinned/0/0/${node}`, value!);
  }
  assert(nodes(0).write({ ...UNTOUCHED, muted: true }));
  assert.equal(provision(cardOf("unique-id: a")), "changed");
  assert.deepEqual(nodes(0).read(), { ...UNTOUCHED, muted: true });
});

Deno.test("a time that somebody spoilt by hand is no end of a mute", () => {
  const { store, nodes } = setUp(cardOf("muted: true"));
  for (const time of ["", "0", "-5", "soon", "1e3", "9007199254740991"]) {
    store.write(`${BACKEND}/operator/0/0/muted-until`, time);
    assert.deepEqual(nodes(0).read(), { ...UNTOUCHED, muted: true }, time);
  }
  store.write(`${BACKEND}/operator/0/0/muted-until`, "99999999999999");
  assert.equal(nodes(0).read().mutedUntil, 99_999_999_999_999);
});

Deno.test("what is left of a domain that had the number before means nothing", () => {
  const { store, nodes, provision } = setUp(cardOf("volume: -9, muted: true"));
  store.remove("/libxl/1/device/vsnd/0");
  assert.equal(provision(cardOf("volume: -1")), "created");
  assert.deepEqual(nodes(0).read(), { ...UNTOUCHED, volume: -1000 });
});

Deno.test("the daemon writes them for a card of xl's, once", () => {
  const { store, nodes } = setUp();
  store.write(`${BACKEND}/state`, "1");
  assert.deepEqual(nodes(0).begin({ muted: true }), { ...UNTOUCHED, muted: true });
  assert.deepEqual(nodes(0).begin({ volume: -1000 }), { ...UNTOUCHED, muted: true });
  assert.deepEqual(nodes(0).read(), { ...UNTOUCHED, muted: true });
});
