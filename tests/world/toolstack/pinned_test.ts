// SPDX-License-Identifier: MIT
/** The policy of cards by the toolstack's account, compared with the daemon's own code for each card, configuration and option. */
import assert from "node:assert/strict";
import { XsndError } from "../../../lib/base/error.ts";
import { choosePolicy } from "../../../lib/daemon/policy/choose_policy.ts";
import { parseConfig } from "../../../lib/vsnd/config/yaml_file.ts";
import type { CardPolicy } from "../../../lib/vsnd/model/card.ts";
import { cardPaths } from "../../../lib/xenbus/mod.ts";
import { TestXen } from "../../unit/vsnd_store.ts";
import { CONFIGURATIONS, VALID_CONFIGURATIONS, withDenialTurned } from "./configurations.ts";
import { Nodes } from "./nodes.ts";
import { type DaemonPolicy, isLate, pinnedStreams, policyOf, recordProblems } from "./pinned.ts";
import { deviceCalls, XL_CARDS, type XlCard } from "./xl_card.ts";

const address = { domid: 1, card: 0, backendDomid: 0 };
const { frontend, backend } = cardPaths(address);

/** XenStore with domain 1, domU, whose card 0 is made by xl. */
function storeWith(card: XlCard) {
  const xen = new TestXen(["domU"]);
  const store = xen.store();
  for (const call of deviceCalls(1, 0, card)) {
    if (call.call === "remove") store.remove(call.path);
    else if (call.call === "mkdir") store.mkdir(call.path);
    else if (call.call === "write") store.write(call.path, call.value);
    else store.setPermissions(call.path, call.permissions);
  }
  return { xen, store, nodes: () => new Nodes(xen.database.snapshot.root) };
}

/** Policies alike but for the spelling of "not denied". */
function comparable(policy: CardPolicy | undefined) {
  return policy?.pcms.map(({ streams }) =>
    streams.map(({ type, uniqueId, device, denied, effective }) => ({
      type,
      uniqueId,
      device,
      denied: denied === true,
      effective,
    }))
  );
}

const DAEMONS: readonly DaemonPolicy[] = [undefined, ...VALID_CONFIGURATIONS].flatMap((configuration) => {
  const config = configuration && parseConfig(configuration.text, "xsnd.yaml");
  return [undefined, "hw:0"].flatMap((defaultDevice) =>
    [undefined, "hw:1"].map((defaultCaptureDevice) => ({ config, defaultDevice, defaultCaptureDevice }))
  );
});

Deno.test("configurations are valid, or not, as they say", () => {
  for (const { name, text, isValid } of CONFIGURATIONS) {
    if (isValid) parseConfig(text, "xsnd.yaml");
    else assert.throws(() => parseConfig(text, "xsnd.yaml"), XsndError, name);
  }
});

Deno.test("denials are turned, and turned back", () => {
  for (const { name, text } of VALID_CONFIGURATIONS) {
    const streams = (text: string) =>
      [...parseConfig(text, "xsnd.yaml").values()].flatMap(({ cards }) => cards).flatMap(({ pcms }) => pcms)
        .flatMap(({ streams }) => streams);
    const turned = withDenialTurned(text);
    const wanted = !streams(text).some(({ denied }) => denied);
    assert(streams(turned).every(({ denied = false }) => denied === wanted), name);
    assert.deepEqual(streams(turned).map(({ device }) => device), streams(text).map(({ device }) => device));
    if (wanted) assert.equal(withDenialTurned(turned), text);
  }
});

for (const late of [false, true]) {
  Deno.test(`policyOf() gives each card of xl's the policy of the daemon${late ? ", if the guest ran before" : ""}`, () => {
    let served = 0;
    for (const card of XL_CARDS) {
      for (const daemon of DAEMONS) {
        const { store, nodes } = storeWith(card);
        if (late) store.write(`${backend}/state`, "2");
        const { config, defaultDevice: playback, defaultCaptureDevice: capture } = daemon;
        const decided = choosePolicy(store, config, { playback, capture })(address, backend);
        const expected = policyOf(
          { maker: "xl", card },
          { domid: 1, name: "domU", card: 0 },
          daemon,
          isLate(nodes(), address),
        );
        assert.deepEqual(comparable(decided), comparable(expected), JSON.stringify({ card, daemon }));
        if (decided !== undefined) served++;
      }
    }
    assert(served > 50, `${served}`);
  });
}

Deno.test("recordProblems() finds a record that is not what xl has written", () => {
  for (const card of XL_CARDS) {
    const target = { maker: "xl", card } as const;
    const { store, nodes } = storeWith(card);
    const read = choosePolicy(store, undefined, { playback: "hw:0", capture: "hw:0" });
    assert.deepEqual(recordProblems(nodes(), address, target), []);
    read(address, backend);
    assert.deepEqual(recordProblems(nodes(), address, target), []);
    for (const [name, { value }] of nodes().below(`${backend}/pinned/0`)) {
      if (value === "") continue;
      const path = `${backend}/pinned/0/${name}`;
      store.remove(path);
      assert.equal(recordProblems(nodes(), address, target).length, 1, path);
      store.write(path, `${value}x`);
      assert.equal(recordProblems(nodes(), address, target).length, 1, path);
      store.write(path, value);
    }
    assert.deepEqual(recordProblems(nodes(), address, target), []);
    store.write(`${backend}/pinned/0/9`, "");
    assert.equal(recordProblems(nodes(), address, target).length, 1);
  }
});

Deno.test("recordProblems() finds what a guest has written before the daemon read", () => {
  const card = XL_CARDS[1]!;
  const { store, xen, nodes } = storeWith(card);
  xen.store(1).write(`${frontend}/0/0/type`, "c");
  choosePolicy(store, undefined, { playback: "hw:0", capture: "hw:0" })(address, backend);
  assert.equal(recordProblems(nodes(), address, { maker: "xl", card }).length, 1);
});

Deno.test("pinnedStreams() of a card that xsnd made are those of its configuration", () => {
  const config = parseConfig(VALID_CONFIGURATIONS.find(({ name }) => name === "narrow")!.text, "xsnd.yaml");
  const card = config.get("domU")!.cards[0]!;
  const first = pinnedStreams({ maker: "xsnd", card })[0]![0]!;
  assert.equal(first.uniqueId, "pulse");
  assert.deepEqual(first.params, {
    rates: [48000],
    formats: ["s16_le"],
    channelsMin: 1,
    channelsMax: 2,
    bufferSizeBytes: 32768,
  });
});
