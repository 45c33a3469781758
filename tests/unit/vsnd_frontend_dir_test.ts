// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import fc from "fast-check";
import { DEFAULT_PARAMS, defaultCard, Limits, LINUX_RATES } from "../../lib/vsnd/model/card.ts";
import { readFrontendCard } from "../../lib/vsnd/nodes/frontend_dir.ts";
import { SERVED_FORMATS } from "../../lib/vsnd/model/param_nodes.ts";
import { card, provisionCards } from "./vsnd_cards.ts";
import { TestXen } from "./vsnd_store.ts";

const path = "/local/domain/1/device/vsnd/0";

Deno.test("readFrontendCard() reads back what provision wrote", () => {
  fc.assert(
    fc.property(card, (card) => {
      const store = new TestXen(["domU"]).store();
      provisionCards(store, card);
      const { problems, ...read } = readFrontendCard(store, path);
      assert.deepEqual(problems, []);
      assert.deepEqual(read, {
        ...(card.shortName !== undefined && { shortName: card.shortName }),
        ...(card.longName !== undefined && { longName: card.longName }),
        pcms: card.pcms.map(({ name, streams }) => ({
          ...(name !== undefined && { name }),
          streams: streams.map(({ type, uniqueId, effective }) => ({ type, uniqueId, effective })),
        })),
      });
    }),
    { numRuns: 60 },
  );
});

Deno.test("readFrontendCard() of nothing is an empty card", () => {
  const store = new TestXen(["domU"]).store();
  assert.deepEqual(readFrontendCard(store, path), { pcms: [], problems: [] });
});

Deno.test("readFrontendCard() leaves out what is no value, tells so, and takes what Linux would take", () => {
  const xen = new TestXen(["domU"]);
  provisionCards(xen.store(), defaultCard("hw:0"));
  const guest = xen.store(1);
  guest.write(`${path}/short-name`, `${"é".repeat(20)}\x1b[2J`);
  guest.write(`${path}/sample-rates`, "48000,1,99999999999999999999,8000,48000");
  guest.write(`${path}/channels-max`, "-1");
  guest.write(`${path}/0/0/channels-min`, "200");
  guest.write(`${path}/0/0/buffer-size`, "4294967295");
  guest.write(`${path}/0/0/sample-formats`, "mpeg");
  guest.write(`${path}/0/0/unique-id`, "a\nb");
  guest.write(`${path}/0/1/type`, "playback");
  guest.write(`${path}/0/3/type`, "p"); // not contiguous, so never read
  const { shortName, pcms, problems } = readFrontendCard(xen.store(), path);
  assert.equal(shortName, "é".repeat(15));
  assert.equal(pcms[0]!.streams.length, 2);
  const [first, second] = pcms[0]!.streams;
  assert.equal(first!.uniqueId, "a\ufffdb");
  assert.deepEqual(first!.effective, {
    ...DEFAULT_PARAMS,
    rates: [48000, 8000],
    channelsMin: 2,
    channelsMax: 2,
  });
  assert.equal(second!.type, undefined);
  assert.deepEqual(
    problems.map((line) => line.replace(/: .*/, "").slice(path.length + 1)),
    [
      "sample-rates",
      "channels-max",
      "short-name",
      "0/0/type",
      "0/0/unique-id",
      "0/0/sample-formats",
      "0/0/buffer-size",
      "0/1/type",
    ].filter((node) => node !== "0/0/type"),
  );
});

Deno.test("readFrontendCard() takes a directory that the guest has closed to the backend as absent", () => {
  const xen = new TestXen(["domU", "driver"]);
  provisionCards(xen.store(), defaultCard("hw:0"));
  const guest = xen.store(1);
  for (const node of ["short-name", "0", "sample-rates"]) {
    guest.setPermissions(`${path}/${node}`, [{ domid: 1, access: "none" }]);
  }
  guest.setPermissions(path, [{ domid: 1, access: "read" }]);
  const driver = xen.store(2);
  assert.equal(readFrontendCard(driver, path).shortName, undefined);
  guest.setPermissions(path, [{ domid: 1, access: "none" }]);
  assert.deepEqual(readFrontendCard(driver, path).pcms, []);
});

Deno.test("readFrontendCard() never throws and never goes beyond the limits, whatever the guest wrote", () => {
  const names = [
    "short-name",
    "name",
    "type",
    "unique-id",
    "sample-rates",
    "channels-min",
    "channels-max",
    "buffer-size",
  ];
  const segment = fc.constantFrom("0", "1", "2", "00", ...names);
  const node = fc.tuple(
    fc.array(segment, { minLength: 1, maxLength: 4 }),
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 200 }),
      fc.integer().map(String),
      fc.constantFrom("p", "c", "48000,".repeat(300), "é".repeat(900)),
    ),
  );
  fc.assert(fc.property(fc.array(node, { maxLength: 40 }), (nodes) => {
    const xen = new TestXen(["domU"]);
    const dom0 = xen.store();
    dom0.mkdir(path);
    dom0.setPermissions(path, [{ domid: 1, access: "none" }, { domid: 0, access: "read" }]);
    for (const [segments, value] of nodes) xen.store(1).write(`${path}/${segments.join("/")}`, value);
    const { shortName = "", pcms, problems } = readFrontendCard(dom0, path);
    const octets = (text: string) => new TextEncoder().encode(text).length;
    assert.ok(octets(shortName) <= Limits.shortNameOctets && !/\p{Cc}/u.test(shortName));
    assert.ok(problems.length <= 16 && problems.every((line) => !/\p{Cc}/u.test(line)));
    for (const { effective, uniqueId } of pcms.flatMap(({ streams }) => streams)) {
      assert.ok(octets(uniqueId) <= Limits.textOctets && !/\p{Cc}/u.test(uniqueId));
      assert.ok(effective.rates.length > 0 && effective.rates.every((rate) => LINUX_RATES.includes(rate)));
      assert.ok(
        effective.formats.length > 0 && effective.formats.every((name) => SERVED_FORMATS.includes(name)),
      );
      assert.ok(effective.channelsMin >= 1 && effective.channelsMin <= effective.channelsMax);
      assert.ok(effective.channelsMax <= Limits.channels);
      assert.ok(effective.bufferSizeBytes >= 1 && effective.bufferSizeBytes <= Limits.bufferSizeBytes);
    }
  }));
});

Deno.test("readFrontendCard() looks at no more PCMs and streams than Linux does", () => {
  const store = new TestXen(["domU"]).store();
  for (let i = 0; i < 100; i++) store.write(`${path}/${i}/0/type`, "p");
  for (let i = 0; i < 100; i++) store.write(`${path}/0/${i}/type`, "p");
  const { pcms } = readFrontendCard(store, path);
  assert.equal(pcms.length, Limits.pcmsPerCard);
  assert.equal(pcms[0]!.streams.length, Limits.streamsPerPcm);
});
