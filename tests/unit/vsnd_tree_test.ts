// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import fc from "fast-check";
import { Exit, XsndError } from "../../lib/base/error.ts";
import { loadConfig } from "../../lib/vsnd/config/yaml_file.ts";
import { defaultCard, type StreamParams } from "../../lib/vsnd/model/card.ts";
import { provision } from "../../lib/vsnd/provision/plan.ts";
import { readBackendPolicy } from "../../lib/vsnd/nodes/policy_nodes.ts";
import { cardTree } from "../../lib/vsnd/nodes/card_tree.ts";
import { formatPermissions } from "../../lib/vsnd/nodes/xenstore_ls.ts";
import { FORMATS } from "../../lib/sndif/mod.ts";
import { StoreError, type StoreView } from "../../lib/xen/ports.ts";
import { card, provisionCards, wanted } from "./vsnd_cards.ts";
import { TestXen } from "./vsnd_store.ts";

const fixture = (name: string) => new URL(`../../fixtures/${name}`, import.meta.url).pathname;
const frontend = "/local/domain/1/device/vsnd/0";
const backend = "/local/domain/0/backend/vsnd/1/0";

for (const name of ["domU", "two-guests"]) {
  Deno.test(`cardTree() of fixtures/${name}.yaml is fixtures/trees/${name}.txt, permissions included`, () => {
    const xen = new TestXen(["domU", "guest2"]);
    const config = loadConfig(fixture(`${name}.yaml`));
    const wanted = ["domU", "guest2"].flatMap((name, index) =>
      (config.get(name)?.cards ?? []).map((card, number) => ({
        domain: { domid: index + 1, name },
        address: { domid: index + 1, card: number, backendDomid: 0 },
        card,
      }))
    );
    provision(xen.store(), () => wanted);
    const dump = xen.dump(
      ...[1, 2].flatMap((domid) => [`/libxl/${domid}/device/vsnd`, `/local/domain/${domid}/device/vsnd`]),
      "/local/domain/0/backend/vsnd",
    );
    assert.equal(dump, Deno.readTextFileSync(fixture(`trees/${name}.txt`)));
  });
}

Deno.test("cardTree() lets the guest read all but the policy, and write only its own directory", () => {
  const xen = new TestXen(["domU"]);
  provisionCards(xen.store(), defaultCard("hw:0"));
  const guest = xen.store(1);
  const denied = (body: () => unknown) =>
    assert.throws(body, (error) => error instanceof StoreError && error.code === "EACCES");
  assert.equal(guest.read(`${backend}/state`), "1");
  denied(() => guest.read(`${backend}/xsnd`));
  denied(() => guest.list(`${backend}/xsnd`));
  denied(() => guest.read(`${backend}/xsnd/0/0/device`));
  denied(() => guest.write(`${backend}/xsnd/0/0/device`, "hw:1"));
  denied(() => guest.write(`${backend}/state`, "4"));
  denied(() => guest.read("/libxl/1/device/vsnd/0/backend"));
  guest.write(`${frontend}/0/0/ring-ref`, "8");
  guest.write(`${frontend}/state`, "3");
});

Deno.test("cardTree() gives a driver domain its directory and the right to read the guest's", () => {
  const xen = new TestXen(["domU", "sound"]);
  provision(xen.store(), () => wanted([defaultCard("hw:0")], 2));
  const driver = xen.store(2);
  const path = "/local/domain/2/backend/vsnd/1/0";
  assert.equal(readBackendPolicy(driver, path)?.pcms[0]?.streams[0]?.device, "hw:0");
  assert.equal(driver.read(`${frontend}/state`), "1");
  driver.write(`${path}/state`, "2");
  assert.throws(() => driver.write(`${frontend}/state`, "4"), StoreError);
  assert.throws(() => xen.store(1).read(`${path}/xsnd/0/0/device`), StoreError);
});

Deno.test("cardTree() has the owners and readers that libxl gives, node for node, in dom0 and in a driver domain", () => {
  for (const backendDomid of [0, 2]) {
    const address = { domid: 1, card: 3, backendDomid };
    const backend = `/local/domain/${backendDomid}/backend/vsnd/1/3`;
    const nodes = cardTree(address, defaultCard("hw:0"));
    const below = (directory: string) =>
      nodes.filter(({ path }) => `${path}/`.startsWith(`${directory}/`)).map(({ path, permissions }) => {
        nodes.splice(nodes.findIndex((node) => node.path === path), 1);
        return formatPermissions(permissions);
      });
    const all = (directory: string, permissions: string) => {
      const found = below(directory);
      assert(found.length > 3, directory);
      assert.deepEqual([...new Set(found)], [permissions], directory);
    };
    // xsnd's own directory comes first, since libxl's directory contains it.
    all(`${backend}/xsnd`, `n${backendDomid}`);
    all(backend, `n${backendDomid},r1`);
    all("/local/domain/1/device/vsnd/3", `n1,r${backendDomid}`);
    all("/libxl/1/device/vsnd/3", "n0");
    assert.deepEqual(nodes, []);
  }
});

/** A stream's parameters as Linux reads them: cfg_read_pcm_hw() of xen_snd_front_cfg.c, for card, PCM and stream in turn. */
function linuxParams(view: StoreView, card: string, pcm: number, stream: number): StreamParams {
  let hw: StreamParams = {
    rates: [],
    formats: ["u8", "s16_le"],
    channelsMin: 1,
    channelsMax: 2,
    bufferSizeBytes: 65536,
  };
  for (const path of [card, `${card}/${pcm}`, `${card}/${pcm}/${stream}`]) {
    const number = (node: string, inherited: number) =>
      Number(view.read(`${path}/${node}`) ?? 0) || inherited;
    const list = (node: string) => view.read(`${path}/${node}`)?.split(",");
    const formats = list("sample-formats")?.filter((name) => FORMATS.some((format) => format.name === name));
    hw = {
      rates: list("sample-rates")?.map(Number) ?? hw.rates,
      formats: formats?.length ? formats : hw.formats,
      channelsMin: number("channels-min", hw.channelsMin),
      channelsMax: number("channels-max", hw.channelsMax),
      bufferSizeBytes: number("buffer-size", hw.bufferSizeBytes),
    };
    hw = { ...hw, channelsMin: Math.min(hw.channelsMin, hw.channelsMax) };
  }
  return hw;
}

Deno.test("cardTree() tells Linux and the backend the same of every stream, wherever it was declared", () => {
  fc.assert(
    fc.property(card, (card) => {
      const xen = new TestXen(["domU"]);
      const store = xen.store();
      provisionCards(store, card);
      const policy = readBackendPolicy(store, backend)!;
      assert.deepEqual(
        policy,
        {
          pcms: card.pcms.map(({ streams }) => ({
            streams: streams.map(({ declared: _, first: _first, ...stream }) => stream),
          })),
        },
      );
      policy.pcms.forEach(({ streams }, pcm) =>
        streams.forEach(({ effective }, stream) => {
          assert.deepEqual(linuxParams(xen.store(1), frontend, pcm, stream), effective);
        })
      );
    }),
    { numRuns: 60 },
  );
});

Deno.test("cardTree() never writes beyond the levels above (sndif.h: each level is a subset of the one above)", () => {
  fc.assert(fc.property(card, (card) => {
    for (const { declared: pcm, streams } of card.pcms) {
      for (const { effective, declared } of streams) {
        for (const upper of [card.declared, pcm, declared]) {
          assert.ok(effective.rates.every((rate) => upper.rates?.includes(rate) ?? true));
          assert.ok(effective.formats.every((format) => upper.formats?.includes(format) ?? true));
          assert.ok(effective.channelsMin >= (upper.channelsMin ?? 1));
          assert.ok(effective.channelsMax <= (upper.channelsMax ?? 255));
          assert.ok(effective.bufferSizeBytes <= (upper.bufferSizeBytes ?? Infinity));
        }
      }
    }
  }));
});

Deno.test("readBackendPolicy() is undefined for a card that xl made", () => {
  const store = new TestXen(["domU"]).store();
  assert.equal(readBackendPolicy(store, backend), undefined);
  store.write(`${backend}/state`, "1");
  assert.equal(readBackendPolicy(store, backend), undefined);
});

Deno.test("readBackendPolicy() refuses a policy that is not as provision writes it", () => {
  const stream = `${backend}/xsnd/0/1`;
  const broken: Record<string, (string | undefined)[]> = {
    type: ["x", "", undefined],
    device: ["", undefined],
    "unique-id": [undefined],
    "sample-rates": ["48000,1", "", undefined, "0x10"],
    "sample-formats": ["s16_le,mpeg", undefined],
    "channels-max": ["0", "256", "-1", "1e1", undefined],
    "buffer-size": ["99999999999", "16777217", "", undefined],
  };
  for (const [node, values] of Object.entries(broken)) {
    for (const value of values) {
      const store = new TestXen(["domU"]).store();
      provisionCards(store, defaultCard("hw:0"));
      if (value === undefined) store.remove(`${stream}/${node}`);
      else store.write(`${stream}/${node}`, value);
      assert.throws(() => readBackendPolicy(store, backend), (error) => {
        assert.ok(error instanceof XsndError, String(error));
        assert.equal(error.exitCode, Exit.badConfiguration);
        assert.ok(error.message.startsWith(`the policy node ${stream}/${node} `), error.message);
        return true;
      });
    }
  }
});
