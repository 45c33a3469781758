// SPDX-License-Identifier: MIT
/** Each kind of stale, missing or wrong node is found, and an orderly XenStore has none. */
import assert from "node:assert/strict";
import { announcementPath } from "../../../lib/daemon/announcement.ts";
import { cardPaths } from "../../../lib/xenbus/mod.ts";
import type { Store } from "../../../lib/xen/ports.ts";
import { TestXen } from "../../unit/vsnd_store.ts";
import { Account } from "./account.ts";
import { ABSENT, type CardTarget } from "./card_target.ts";
import { configOf } from "./configuration_in_force.ts";
import { CONFIGURATIONS } from "./configurations.ts";
import { Nodes } from "./nodes.ts";
import { announcementProblems, domainProblems, staleCards, stateProblems } from "./oracle.ts";
import { cardTree, writeTree } from "../../../lib/vsnd/nodes/card_tree.ts";
import { deviceCalls, XL_CARDS } from "./xl_card.ts";

const UUID = "00000000-0000-4000-8000-000000000001";
const xlAddress = { domid: 1, card: 0, backendDomid: 0 };
const xsndAddress = { domid: 1, card: 1, backendDomid: 0 };
const xl = cardPaths(xlAddress);
const xsnd = cardPaths(xsndAddress);

function writeXlCard(store: Store, domid: number, card: number): void {
  for (const call of deviceCalls(domid, card, XL_CARDS[0]!)) {
    if (call.call === "remove") store.remove(call.path);
    else if (call.call === "mkdir") store.mkdir(call.path);
    else if (call.call === "write") store.write(call.path, call.value);
    else store.setPermissions(call.path, call.permissions);
  }
}

/** Domain 1, domU, with a card of xl's and one of xsnd's, and an account of that. */
class Scene {
  readonly xen = new TestXen(["domU"]);
  readonly store = this.xen.store();
  readonly account = new Account();

  constructor() {
    const card = configOf(CONFIGURATIONS.find(({ name }) => name === "capture denied")!.text)!.get("domU")!
      .cards[0]!;
    writeXlCard(this.store, 1, 0);
    writeTree(this.store, cardTree(xsndAddress, card));
    this.account.domainMade(1, "domU", UUID).phase = "whole";
    this.account.committed(xlAddress, { maker: "xl", card: XL_CARDS[0]! });
    this.account.committed(xsndAddress, { maker: "xsnd", card });
  }

  get nodes(): Nodes {
    return new Nodes(this.xen.database.snapshot.root);
  }

  problems(): string[] {
    const { nodes, account } = this;
    return [...account.settle(nodes), ...staleCards(nodes, account), ...domainProblems(nodes, account)];
  }
}

/** What can be wrong, each with the problem that is to be found. */
const WRONGS: Readonly<Record<string, [change: (store: Store) => void, problem: RegExp]>> = {
  "libxl's record is missing": [(store) => store.remove(xl.libxl), /libxl\/1\/device\/vsnd\/0 is missing/],
  "a node of libxl's record is missing": [
    (store) => store.remove(`${xsnd.libxl}/online`),
    /online is missing/,
  ],
  "a backend's directory is missing": [(store) => store.remove(xl.backend), /backend\/vsnd\/1\/0 is missing/],
  "a backend's state is none": [(store) => store.write(`${xl.backend}/state`, "3"), /state is 3/],
  "a backend's state is missing": [(store) => store.remove(`${xl.backend}/state`), /state is undefined/],
  "a card is offline, and nobody has detached it": [
    (store) => store.write(`${xl.backend}/online`, "0"),
    /online is 0/,
  ],
  "a backend's directory has another node": [
    (store) => store.write(`${xl.backend}/mode`, "x"),
    /mode is not wanted/,
  ],
  "a guest may read what the operator has set": [
    (store) => store.write(`${xl.backend}/operator`, ""),
    /operator has the permissions n0,r1/,
  ],
  "a guest may write to a backend's node": [
    (store) => store.setPermissions(`${xl.backend}/state`, [{ domid: 0, access: "both" }]),
    /state has the permissions b0/,
  ],
  "a card of xl's has a policy": [(store) => store.write(`${xl.backend}/xsnd`, ""), /xsnd is left/],
  "a card of xsnd's has no policy": [(store) => store.remove(`${xsnd.backend}/xsnd`), /xsnd is missing/],
  "a card of xsnd's has the daemon's record, too": [
    (store) => {
      store.write(`${xsnd.backend}/pinned`, "");
      store.setPermissions(`${xsnd.backend}/pinned`, [{ domid: 0, access: "none" }]);
    },
    /pinned is there with a policy/,
  ],
  "a denied stream is allowed": [
    (store) => store.remove(`${xsnd.backend}/xsnd/0/1/denied`),
    /0\/1\/denied is missing/,
  ],
  "an allowed stream is denied": [
    (store) => {
      store.write(`${xsnd.backend}/xsnd/0/0/denied`, "1");
      store.setPermissions(`${xsnd.backend}/xsnd/0/0/denied`, [{ domid: 0, access: "none" }]);
    },
    /0\/0\/denied is not wanted/,
  ],
  "a stream has another device": [
    (store) => store.write(`${xsnd.backend}/xsnd/0/0/device`, "hw:1"),
    /device is "hw:1", not "hw:0"/,
  ],
  "a removed card has left its backend": [
    (store) => store.write("/local/domain/0/backend/vsnd/1/7/operator/0/0/muted", "1"),
    /vsnd\/1\/7 is left/,
  ],
  "a removed card has left its frontend": [
    (store) => store.write("/local/domain/1/device/vsnd/7/state", "1"),
    /vsnd\/7 is left/,
  ],
  "a removed card has left libxl's record": [
    (store) => store.write("/libxl/1/device/vsnd/7", ""),
    /7 is left/,
  ],
  "a backend's directory of a domain is empty": [
    (store) => store.mkdir("/local/domain/0/backend/vsnd/9"),
    /vsnd\/9 is left empty/,
  ],
  "a removed domain has left its nodes": [
    (store) => store.write("/local/domain/9/name", "x"),
    /domain\/9 is left/,
  ],
  "a removed domain has left libxl's nodes": [(store) => store.write("/libxl/9", ""), /libxl\/9 is left/],
  "a domain has another name": [(store) => store.write("/local/domain/1/name", "x"), /called x, not domU/],
};

Deno.test("an orderly XenStore has no problem, whatever the guest writes", () => {
  const scene = new Scene();
  assert.deepEqual(scene.problems(), []);
  const guest = scene.xen.store(1);
  for (const path of [`${xl.frontend}/state`, `${xl.frontend}/0/0/type`, `${xl.frontend}/rubbish`]) {
    guest.write(path, "rubbish");
  }
  guest.remove(`${xsnd.frontend}/0`);
  assert.deepEqual(scene.problems(), []);
});

for (const [wrong, [change, problem]] of Object.entries(WRONGS)) {
  Deno.test(`found: ${wrong}`, () => {
    const scene = new Scene();
    change(scene.store);
    const found = scene.problems();
    assert(found.some((text) => problem.test(text)), JSON.stringify(found));
  });
}

Deno.test("found: what removed cards and domains leave, one by one", () => {
  for (const path of [xl.libxl, xl.frontend, xl.backend]) {
    const scene = new Scene();
    scene.account.committed(xlAddress, ABSENT);
    for (const other of Object.values(xl)) if (other !== path) scene.store.remove(other);
    assert(scene.problems().some((text) => text.startsWith(path)), path);
  }
  for (const path of ["/local/domain/1", `/vm/${UUID}`, "/libxl/1"]) {
    const scene = new Scene();
    for (const address of [xlAddress, xsndAddress]) scene.account.committed(address, ABSENT);
    scene.account.domainGone(1, false);
    const all = [
      "/local/domain/1",
      `/vm/${UUID}`,
      "/libxl/1",
      "/local/domain/0/backend",
    ];
    for (const other of all) if (other !== path) scene.store.remove(other);
    assert(scene.problems().some((text) => text.startsWith(path)), path);
  }
});

Deno.test("a card that its domain has left behind is no card of the next domain of that number", () => {
  const scene = new Scene();
  scene.account.committed(xsndAddress, ABSENT);
  for (const path of [...Object.values(xsnd), "/local/domain/1", `/vm/${UUID}`, "/libxl/1"]) {
    scene.store.remove(path);
  }
  scene.account.domainGone(1, false);
  assert.deepEqual(scene.problems(), []);
  scene.store.write("/local/domain/1/name", "domV");
  scene.account.domainMade(1, "domV", UUID).phase = "whole";
  assert.deepEqual(scene.problems(), []);
  assert(scene.account.card(1, 0)?.isOrphan);
  writeXlCard(scene.store, 1, 0);
  scene.account.committed(xlAddress, { maker: "xl", card: XL_CARDS[0]! });
  assert.deepEqual([scene.problems(), scene.account.card(1, 0)?.isOrphan], [[], false]);
  scene.store.remove(xl.libxl);
  assert(scene.problems().some((text) => text.includes("is missing")));
});

Deno.test("a killed command leaves either state, and no mixture of them", () => {
  const other: CardTarget = { maker: "xl", card: XL_CARDS[1]! };
  const begin = () => {
    const scene = new Scene();
    const command = scene.account.command();
    for (const address of [xlAddress, xsndAddress]) command.mayWrite(address, ABSENT);
    return { scene, command };
  };
  const removed = (scene: Scene, ...cards: (typeof xl)[]) =>
    cards.forEach((paths) => Object.values(paths).forEach((path) => scene.store.remove(path)));
  {
    const { scene, command } = begin();
    assert.deepEqual(scene.problems(), []);
    command.unknown(true);
    assert.deepEqual(scene.problems(), []);
    assert.deepEqual(scene.account.cards.map(({ states }) => states.map(({ maker }) => maker)), [["xl"], [
      "xsnd",
    ]]);
  }
  {
    const { scene, command } = begin();
    removed(scene, xl, xsnd);
    scene.store.remove("/local/domain/0/backend/vsnd/1");
    command.unknown(true);
    assert.deepEqual([scene.problems(), scene.account.cards], [[], []]);
  }
  {
    const { scene, command } = begin();
    removed(scene, xl);
    command.unknown(true);
    assert(scene.problems().some((text) => text.includes("another card of its transaction is not")));
  }
  {
    // Another toolstack makes the card again meanwhile: then the account cannot tell, and does not complain.
    const { scene, command } = begin();
    removed(scene, xl);
    scene.account.committed(xlAddress, other);
    command.unknown(true);
    assert.deepEqual(scene.account.settle(scene.nodes), []);
  }
  {
    const { scene, command } = begin();
    command.done();
    assert(
      scene.problems().some((text) => text.includes("is left")),
      "a command says that it is done, and is not",
    );
  }
  {
    const { scene, command } = begin();
    command.refused();
    removed(scene, xl);
    assert(scene.problems().some((text) => text.includes("is missing")), "a command refuses, and writes");
  }
});

Deno.test("found: an announcement without a daemon, and a daemon without an announcement", () => {
  const scene = new Scene();
  const path = announcementPath(0);
  assert.deepEqual(announcementProblems(scene.nodes, "ended"), []);
  assert.equal(announcementProblems(scene.nodes, "serving").length, 1);
  scene.store.write(`${path}/status`, "running");
  assert.deepEqual(announcementProblems(scene.nodes, "serving"), []);
  assert.equal(announcementProblems(scene.nodes, "ended").length, 2);
  scene.store.remove(path);
  assert.equal(announcementProblems(scene.nodes, "ended").length, 1, "the empty directory above");
});

Deno.test("found: pairs of states that nobody knows, and ends that do not come together", () => {
  const pair = (frontend: string, backend: string, isServed: boolean, isHonest = true, asked = false) => {
    const scene = new Scene();
    scene.account.committed(xsndAddress, ABSENT);
    if (asked) scene.account.askedToClose(xlAddress);
    scene.store.write(`${xl.frontend}/state`, frontend);
    scene.store.write(`${xl.backend}/state`, backend);
    const { nodes, account } = scene;
    return stateProblems(nodes, account.cards, () => ({ isHonest, isServed }))[0];
  };
  for (const [frontend, backend] of [["1", "2"], ["6", "2"], ["4", "4"]] as const) {
    assert.equal(pair(frontend, backend, true), undefined);
  }
  for (
    const [frontend, backend] of [["1", "4"], ["4", "2"], ["3", "2"], ["4", "1"], ["6", "4"], [
      "5",
      "4",
    ]] as const
  ) {
    assert.match(pair(frontend, backend, true)!, /do not come together/);
    assert.equal(pair(frontend, backend, false), undefined);
    assert.equal(pair(frontend, backend, true, false), undefined);
  }
  for (const backend of ["0", "3", "7", "8", "rubbish"]) {
    assert.match(pair("1", backend, false)!, /libxl knows no/);
  }
  for (const frontend of ["0", "2", "7", "rubbish"]) {
    assert.match(pair(frontend, "2", false)!, /driver knows no/);
  }
  assert.match(pair("4", "6", false)!, /nobody has detached/);
  assert.equal(pair("4", "6", true, true, true), undefined);
});
