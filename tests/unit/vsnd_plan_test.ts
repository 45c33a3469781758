// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import fc from "fast-check";
import { Exit, XsndError } from "../../lib/base/error.ts";
import { type CardConfig, defaultCard } from "../../lib/vsnd/model/card.ts";
import { readAllCards, readCards } from "../../lib/vsnd/nodes/inventory.ts";
import { provision, removeCard } from "../../lib/vsnd/provision/plan.ts";
import { XenbusState } from "../../lib/xenbus/mod.ts";
import { card, provisionCards, wanted } from "./vsnd_cards.ts";
import { TestXen } from "./vsnd_store.ts";

const libxl = "/libxl/1/device/vsnd/0";
const frontend = "/local/domain/1/device/vsnd/0";
const backend = "/local/domain/0/backend/vsnd/1/0";
const domU = { domid: 1, name: "domU" };

const actions = (plan: readonly { action: string }[]) => plan.map(({ action }) => action);
const named = (longName: string): CardConfig => ({ ...defaultCard("hw:0"), longName });

Deno.test("provision() creates, then finds the same card unchanged and touches nothing", () => {
  fc.assert(
    fc.property(card, card, (one, two) => {
      const xen = new TestXen(["domU"]);
      const store = xen.store();
      assert.deepEqual(actions(provisionCards(store, one, two)), ["created", "created"]);
      const before = xen.dump("/");
      const generation = xen.database.snapshot.root;
      assert.deepEqual(actions(provisionCards(store, one, two)), ["unchanged", "unchanged"]);
      assert.equal(xen.dump("/"), before);
      assert.equal(xen.database.snapshot.root, generation); // nothing written, not even equal values
    }),
    { numRuns: 30 },
  );
});

Deno.test("provision() turns any card into any other, as if it had been made so", () => {
  fc.assert(
    fc.property(card, card, (one, two) => {
      const [changed, made] = [new TestXen(["domU"]), new TestXen(["domU"])];
      provisionCards(changed.store(), one);
      provisionCards(changed.store(), two);
      provisionCards(made.store(), two);
      // What operators may have set stays with a card that changes.
      const dumpOf = (xen: TestXen) =>
        xen.dump("/libxl/1/device", frontend, backend).split("\n").filter((line) =>
          !line.includes("/operator")
        );
      assert.deepEqual(dumpOf(changed), dumpOf(made));
    }),
    { numRuns: 30 },
  );
});

Deno.test("provision() does not take what the two ends tell each other for a difference", () => {
  const xen = new TestXen(["domU"]);
  const store = xen.store();
  provisionCards(store, defaultCard("hw:0"));
  const guest = xen.store(1);
  for (const node of ["ring-ref", "event-channel", "evt-ring-ref", "evt-event-channel"]) {
    guest.write(`${frontend}/0/0/${node}`, "9");
  }
  guest.write(`${frontend}/state`, "4");
  guest.write(`${frontend}/version`, "2");
  store.write(`${backend}/state`, "4");
  store.write(`${backend}/versions`, "1,2");
  const before = xen.dump("/");
  assert.deepEqual(actions(provisionCards(store, defaultCard("hw:0"))), ["unchanged"]);
  assert.equal(xen.dump("/"), before);
});

Deno.test("provision() names each node that differs", () => {
  const xen = new TestXen(["domU"]);
  provisionCards(xen.store(), defaultCard("hw:0"));
  const planned = provisionCards(xen.store(), { ...named("Other"), shortName: undefined });
  const { action, differences } = planned[0]!;
  assert.equal(action, "changed");
  assert.deepEqual(differences, [
    `${frontend}/long-name: "xsnd virtual sound card" -> "Other"`,
    `${frontend}/short-name is not wanted`,
  ]);
});

Deno.test("provision() mends what was meddled with: values, extra streams, the policy's permissions", () => {
  const meddle: ((xen: TestXen) => void)[] = [
    (xen) => xen.store(1).write(`${frontend}/sample-rates`, "192000"),
    (xen) => xen.store(1).write(`${frontend}/0/2/type`, "p"),
    (xen) => xen.store(1).remove(`${frontend}/0/1`),
    (xen) => xen.store().write(`${backend}/xsnd/0/0/device`, "hw:9"),
    (xen) => xen.store().write(`${backend}/xsnd/1/0/device`, "hw:9"),
    (xen) => xen.store().remove(`${backend}/xsnd`),
    (xen) => xen.store().setPermissions(`${backend}/xsnd`, [{ domid: 0, access: "read" }]),
    (xen) => xen.store().remove(frontend),
    (xen) => xen.store().write(`${libxl}/frontend`, "/local/domain/1/elsewhere"),
  ];
  const whole = new TestXen(["domU"]);
  provisionCards(whole.store(), defaultCard("hw:0"));
  for (const change of meddle) {
    const xen = new TestXen(["domU"]);
    provisionCards(xen.store(), defaultCard("hw:0"));
    change(xen);
    assert.deepEqual(actions(provisionCards(xen.store(), defaultCard("hw:0"))), ["changed"], String(change));
    assert.equal(
      xen.dump("/libxl/1/device", frontend, backend),
      whole.dump("/libxl/1/device", frontend, backend),
    );
  }
});

Deno.test("provision() refuses to change a card in use, by either end's state, and writes nothing at all", () => {
  const inUse = [
    XenbusState.Initialised,
    XenbusState.Connected,
    XenbusState.Closing,
    XenbusState.Reconfiguring,
  ];
  for (const end of [frontend, backend]) {
    for (const state of Object.values(XenbusState)) {
      const xen = new TestXen(["domU"]);
      const store = xen.store();
      provisionCards(store, named("first"), named("second"));
      store.write(`${end}/state`, String(state));
      const before = xen.dump("/");
      const change = () => provisionCards(store, named("changed"), named("changed, too"), named("new"));
      if (inUse.includes(state as never) || state === XenbusState.Reconfigured) {
        assert.throws(change, (error) => {
          assert.ok(error instanceof XsndError);
          assert.equal(error.exitCode, Exit.failed);
          assert.match(
            error.message,
            /^card 0 of domU is in use \(frontend \w+, backend \w+\) and cannot change as wanted: long-name: .* Unload/,
          );
          return true;
        });
        assert.equal(xen.dump("/"), before);
      } else {
        assert.deepEqual(actions(change()), ["changed", "changed", "created"]);
      }
    }
  }
});

Deno.test("provision() changes only the nodes that differ of a card in use, and says when that holds", () => {
  const xen = new TestXen(["domU"]);
  const store = xen.store();
  provisionCards(store, defaultCard("hw:0"));
  store.write(`${frontend}/state`, "4");
  store.write(`${backend}/state`, "4");
  store.write(`${backend}/operator/0/0/muted`, "1");
  const before = xen.dump("/");
  const [plan] = provisionCards(store, defaultCard("hw:1"));
  assert.deepEqual([plan!.action, plan!.refusal], ["changed", undefined]);
  assert.deepEqual(plan!.notes, [
    "0/0/device, 0/1/device: takes effect when the guest next opens the stream",
  ]);
  assert.equal(xen.dump("/"), before.replaceAll(`/device = "hw:0"`, `/device = "hw:1"`));
  assert.deepEqual(actions(provisionCards(store, defaultCard("hw:1"))), ["unchanged"]);
});

Deno.test("provision() changes nothing of a card in use of which not all can change", () => {
  const xen = new TestXen(["domU"]);
  const store = xen.store();
  provisionCards(store, defaultCard("hw:0"));
  store.write(`${backend}/state`, "4");
  const before = xen.dump("/");
  const change = { ...defaultCard("hw:1"), longName: "Other" };
  assert.throws(
    () => provisionCards(store, change),
    /cannot change as wanted: long-name: the guest's driver reads the node/,
  );
  assert.equal(xen.dump("/"), before);
});

Deno.test("provision() sees a frontend that connects between comparison and commit", () => {
  const xen = new TestXen(["domU"]);
  const store = xen.store();
  provisionCards(store, named("first"));
  xen.beforeCommit = () => {
    xen.beforeCommit = () => {};
    xen.store(1).write(`${frontend}/state`, "3");
  };
  assert.throws(() => provisionCards(store, named("second")), /in use \(frontend Initialised/);
  assert.equal(store.read(`${frontend}/long-name`), "first");
});

Deno.test("provision() sees another toolstack that makes the same card first", () => {
  const xen = new TestXen(["domU"]);
  const store = xen.store();
  let choices = 0;
  xen.beforeCommit = () => {
    xen.beforeCommit = () => {};
    provisionCards(xen.store(), defaultCard("hw:0"));
  };
  const plan = provision(store, () => {
    choices++;
    return wanted([defaultCard("hw:0")]);
  });
  assert.equal(choices, 2);
  assert.deepEqual(actions(plan), ["unchanged"]);
});

Deno.test("provision() writes nothing if the choice fails", () => {
  const xen = new TestXen(["domU"]);
  const before = xen.dump("/");
  const failing = () => {
    throw new XsndError("no such domain");
  };
  assert.throws(() => provision(xen.store(), failing), /no such domain/);
  assert.equal(xen.dump("/"), before);
});

Deno.test("provision() moves a card to another backend and leaves nothing behind", () => {
  const xen = new TestXen(["domU", "sound"]);
  const store = xen.store();
  provision(store, () => wanted([defaultCard("hw:0")], 2));
  assert.equal(store.read("/local/domain/2/backend/vsnd/1/0/state"), "1");
  assert.deepEqual(actions(provision(store, () => wanted([defaultCard("hw:0")], 0))), ["changed"]);
  assert.equal(store.read("/local/domain/2/backend"), undefined);
  assert.equal(store.read(`${backend}/frontend`), frontend);
});

Deno.test("provision() gives a card of xl's its policy", () => {
  const xen = new TestXen(["domU"]);
  const store = xen.store();
  provisionCards(store, defaultCard("hw:0"));
  store.remove(`${backend}/xsnd`);
  assert.equal(readCards(store, domU)[0]!.provisionedBy, "xl");
  assert.deepEqual(actions(provisionCards(store, defaultCard("hw:0"))), ["changed"]);
  assert.equal(readCards(store, domU)[0]!.provisionedBy, "xsnd");
});

Deno.test("removeCard() leaves the store as it was, but for empty directories that libxl removes, too", () => {
  const xen = new TestXen(["domU"]);
  const store = xen.store();
  const before = xen.dump("/local", "/vm", "/tool");
  provisionCards(store, defaultCard("hw:0"), defaultCard("hw:1"));
  const [first, second] = readCards(store, domU);
  store.transaction((view) => removeCard(view, first!));
  assert.deepEqual(store.list("/local/domain/1/device/vsnd"), ["1"]);
  store.transaction((view) => removeCard(view, second!));
  assert.equal(xen.dump("/local", "/vm", "/tool"), before);
  assert.deepEqual(store.list("/libxl/1"), ["type", "dm-version"]);
});

Deno.test("readAllCards() shows states of both ends, policy and names; xl's cards with what the guest says", () => {
  const xen = new TestXen(["domU", "other"]);
  const store = xen.store();
  assert.deepEqual(readAllCards(store), []);
  provisionCards(store, defaultCard("hw:0"));
  store.write(`${frontend}/state`, "3");
  store.write(`${backend}/state`, "2");
  const xlBackend = "/local/domain/0/backend/vsnd/2/5";
  store.write("/libxl/2/device/vsnd/5/backend", xlBackend);
  store.write("/libxl/2/device/vsnd/5/frontend", "/local/domain/2/device/vsnd/5");
  store.write("/local/domain/2/device/vsnd/5/0/0/type", "c");
  store.write("/local/domain/2/device/vsnd/5/0/0/unique-id", "hw:0,0");
  const [ours, xls, ...rest] = readAllCards(store);
  assert.equal(rest.length, 0);
  assert.equal(ours!.domain.name, "domU");
  assert.equal(ours!.backend.name, "Domain-0");
  assert.equal(ours!.shortName, "xsnd");
  assert.equal(ours!.pcms[0]!.name, "Main");
  assert.deepEqual(ours!.pcms[0]!.streams.map(({ type, device }) => [type, device]), [
    ["playback", "hw:0"],
    ["capture", "hw:0"],
  ]);
  assert.deepEqual([ours!.frontendState, ours!.backendState], [
    XenbusState.Initialised,
    XenbusState.InitWait,
  ]);
  assert.deepEqual([xls!.domain.name, xls!.address.card, xls!.provisionedBy], ["other", 5, "xl"]);
  assert.deepEqual(xls!.pcms[0]!.streams.map(({ type, device }) => [type, device]), [["capture", undefined]]);
  assert.equal(xls!.backendState, undefined);
});

Deno.test("readAllCards() takes streams and devices from the policy, whatever the guest writes", () => {
  const xen = new TestXen(["domU"]);
  provisionCards(xen.store(), defaultCard("hw:0"));
  const guest = xen.store(1);
  guest.write(`${frontend}/0/0/unique-id`, "hw:7");
  guest.write(`${frontend}/0/0/type`, "c");
  guest.write(`${frontend}/buffer-size`, "16777216");
  guest.write(`${frontend}/0/2/type`, "p");
  const { pcms } = readAllCards(xen.store())[0]!;
  const { pcms: expected } = defaultCard("hw:0");
  assert.deepEqual(pcms[0]!.streams, expected[0]!.streams.map(({ declared: _, ...stream }) => stream));
});

Deno.test("readAllCards() shows the other cards, too, when one has a broken policy or record", () => {
  const store = new TestXen(["domU"]).store();
  provisionCards(store, defaultCard("hw:0"), defaultCard("hw:1"));
  store.write(`${backend}/xsnd/0/0/type`, "?");
  store.write("/libxl/1/device/vsnd/2/backend", "garbage");
  const [broken, whole, lost] = readAllCards(store);
  assert.match(
    broken!.problems[0]!,
    /xsnd\/0\/0\/type holds "\?"; deprovision the card and provision it again/,
  );
  assert.equal(broken!.provisionedBy, "xsnd");
  assert.deepEqual(whole!.problems, []);
  assert.equal(lost!.address.card, 2);
});
