// SPDX-License-Identifier: MIT
/** Tests which configured stream belongs to a stream of a card that xl made. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseConfig } from "../../lib/vsnd/config/yaml_file.ts";
import { matchStreams, nameDeviceless } from "../../lib/vsnd/model/match_streams.ts";
import { readXl } from "../../lib/vsnd/config/config_file.ts";
import type { RawConfig } from "../../lib/vsnd/config/schema.ts";
import { nameByPlace } from "../../lib/vsnd/config/shared_ids.ts";

type Id = readonly [direction: "p" | "c", id?: string];
/** A list of cards. A card is a list of PCMs; a PCM is a list of streams. */
type Cards = readonly (readonly (readonly Id[])[])[];

/** A frontend's card with these streams, as read from XenStore. */
const frontend = (pcms: Cards[number]) => ({
  pcms: pcms.map((streams) => ({
    streams: streams.map(([type, uniqueId = ""]) => ({
      type: type === "p" ? "playback" as const : "capture" as const,
      uniqueId,
    })),
  })),
});

/** A configuration whose streams have the devices 0/0/0, 0/0/1, ... */
function configured(cards: Cards, mark = "") {
  const value = {
    domains: {
      a: {
        cards: cards.map((pcms, c) => ({
          pcms: pcms.map((streams, p) => ({
            streams: streams.map(([type, id], s) => ({
              type,
              device: `${mark}${c}/${p}/${s}`,
              ...(id !== undefined && { "unique-id": id }),
            })),
          })),
        })),
      },
    },
  };
  return parseConfig(JSON.stringify(value), "F").get("a")!;
}

function devices(card: number, pcms: Cards[number], ...domains: ReturnType<typeof configured>[]) {
  return matchStreams(card, frontend(pcms), domains).map((streams) => streams.map((found) => found?.device));
}

Deno.test("matchStreams() finds a stream by its id and direction, wherever the file has it", () => {
  const file = configured([[[["c", "mic"]]], [[["p", "front"], ["c", "front"]], [["p", "rear"]]]]);
  assert.deepEqual(devices(0, [[["p", "rear"], ["p", "front"]], [["c", "mic"], ["c", "front"]]], file), [
    ["1/1/0", "1/0/0"],
    ["0/0/0", "1/0/1"],
  ]);
  assert.deepEqual(devices(0, [[["c", "rear"], ["p", "mic"], ["p", "other"], ["p"]]], file), [[
    undefined,
    undefined,
    undefined,
    undefined,
  ]]);
});

Deno.test("matchStreams() gives each of streams with one id the device of its own direction and place", () => {
  const pulse: Cards = [[[["p", "pulse"], ["c", "pulse"]], [["p", "pulse"]], [["p", "pulse"]]], [[
    ["p", "pulse"],
    ["c", "pulse"],
  ]]];
  const file = configured(pulse);
  assert.deepEqual(devices(0, pulse[0]!, file), [["0/0/0", "0/0/1"], ["0/1/0"], ["0/2/0"]]);
  assert.deepEqual(devices(1, pulse[1]!, file), [["1/0/0", "1/0/1"]]);
});

Deno.test("matchStreams() takes streams with one id in their order where the file has other places", () => {
  const file = configured([[[["c", "x"], ["p", "pulse"], ["p", "pulse"]]]]);
  assert.deepEqual(devices(0, [[["p", "pulse"]], [["p", "pulse"]], [["p", "pulse"]]], file), [
    ["0/0/1"],
    ["0/0/2"],
    [undefined],
  ]);
});

Deno.test("matchStreams() gives the one configured stream of an id to all of the frontend's that have it", () => {
  const file = configured([[[["p", "pulse"]]]]);
  assert.deepEqual(devices(1, [[["p", "pulse"]], [["p", "pulse"], ["c", "pulse"]]], file), [["0/0/0"], [
    "0/0/0",
    undefined,
  ]]);
});

Deno.test("matchStreams() goes by direction and place for what the file gives no id, and for nothing else", () => {
  const file = configured([[[["p"], ["c"], ["p", "named"]], [["p", "0/1/0"]]]]);
  assert.deepEqual(
    devices(0, [[["p", "pulse"], ["p", "pulse"], ["p", "pulse"]], [["p", "pulse"]]], file),
    [["0/0/0", undefined, undefined], ["0/1/0"]],
  );
  assert.deepEqual(devices(1, [[["p", "pulse"]]], file), [[undefined]]);
});

Deno.test("matchStreams() takes a domain's entry by name before that by number", () => {
  const [one, other] = [
    configured([[[["p", "a"]]]], "name "),
    configured([[[["p", "a"], ["c", "b"]]]], "id "),
  ];
  assert.deepEqual(devices(0, [[["p", "a"], ["c", "b"]]], one, other), [["name 0/0/0", "id 0/0/1"]]);
});

/** Cards with few ids, so that streams share ids. */
const cards: fc.Arbitrary<Cards> = fc.array(
  fc.array(
    fc.array(
      fc.tuple(
        fc.constantFrom("p" as const, "c" as const),
        fc.constantFrom("pulse", "alsa", "0/0/1", "1/0/0"),
      ),
      { minLength: 1, maxLength: 3 },
    ),
    { minLength: 1, maxLength: 3 },
  ),
  { minLength: 1, maxLength: 3 },
);

Deno.test("what import makes of any xl.cfg gives each stream of the card that xl makes its own device", () => {
  fc.assert(fc.property(cards, (all) => {
    const lists = all.map((pcms) => [
      "'CARD'",
      ...pcms.flatMap((
        streams,
      ) => ["'PCM'", ...streams.map(([t, id]) => `'STREAM, unique-id=${id}, type=${t}'`)]),
    ]);
    const { value } = readXl(`vsnd = [${lists.map((list) => `[${list.join()}]`).join()}]`, "F", {
      domain: "a",
      device: "d",
    });
    nameByPlace(value as RawConfig);
    const streams = (value as RawConfig).domains.a!.cards.map(({ pcms }) =>
      pcms.map(({ streams }) => streams)
    );
    const ids = streams.flat(2).map((stream) => stream["unique-id"]);
    assert.equal(new Set(ids).size, ids.length, "its own");
    streams.forEach((pcms, c) =>
      pcms.forEach((list, p) => list.forEach((stream, s) => stream.device = `${c}/${p}/${s}`))
    );
    const file = parseConfig(JSON.stringify(value), "F").get("a")!;
    all.forEach((pcms, c) =>
      assert.deepEqual(
        devices(c, pcms, file),
        pcms.map((list, p) => list.map((_, s) => `${c}/${p}/${s}`)),
      )
    );
  }));
});

Deno.test("matchStreams() never gives a stream what is configured for the other direction", () => {
  fc.assert(fc.property(cards, cards, fc.nat(3), (guest, host, card) => {
    const file = configured(host);
    guest.forEach((pcms) => {
      const side = frontend(pcms);
      matchStreams(card, side, [file]).forEach((found, p) =>
        found.forEach((stream, s) => {
          if (stream !== undefined) assert.equal(stream.type, side.pcms[p]!.streams[s]!.type);
        })
      );
    });
  }));
});

Deno.test("nameDeviceless() names the first eight streams that have no device, and how many more there are", () => {
  const side = frontend([[["p", "pulse"], ["c", 'p"'], ["p"]]]);
  assert.equal(
    nameDeviceless("domU", 1, side, (_, stream) => stream === 0),
    'domU/1/0/1 (capture, unique-id "p\\""), domU/1/0/2 (playback, no unique-id)',
  );
  const many = frontend(Array(4).fill(Array(4).fill(["p", "x"])));
  assert.match(nameDeviceless("d", 0, many, () => false), /^(d\/0\/[01]\/\d \(.*?\), ){8}8 more$/);
});

Deno.test("matchStreams() gives each configured stream away once where the guest may have written the directory itself", () => {
  const side = frontend([[["c", "mic"], ["c", "mic"], ["p", "out"]]]);
  const domains = [configured([[[["c", "mic"], ["p", "out"]]]])];
  const devices = (isOnce: boolean) =>
    matchStreams(0, side, domains, isOnce)[0]!.map((stream) => stream?.device);
  assert.deepEqual(devices(false), ["0/0/0", "0/0/0", "0/0/1"]);
  assert.deepEqual(devices(true), ["0/0/0", undefined, "0/0/1"]);
});
