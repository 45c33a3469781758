// SPDX-License-Identifier: MIT
/** A guest attacks the backend through everything that a guest can write: rings, pages, events and XenStore nodes. */
import assert from "node:assert/strict";
import {
  encodeCloseRequest,
  encodeRwRequest,
  encodeTriggerRequest,
  ResponseView,
  Taken,
  XENSND_OP_READ,
  XENSND_OP_TRIGGER_START,
  XENSND_OP_WRITE,
} from "../../lib/sndif/mod.ts";
import { openXen } from "../../lib/xen/mod.ts";
import { attackedBox, type Attacks } from "./hostile_kit.ts";
import { until } from "./harness.ts";
import { open, RawStream } from "./raw_frontend.ts";

const attack = attackedBox();

const REQ_PROD = 0, REQ_EVENT = 1, RSP_PROD = 2, RSP_EVENT = 3;
const SLOT = 64;
const FRONTEND = "/local/domain/1/device/vsnd/0";

/** Opens and starts the stream. */
function start(stream: RawStream, change: object = {}) {
  const shared = stream.share(open.bufferSz);
  assert.equal(stream.open({ ...open, grefDirectory: shared.directory.grefs[0]!, ...change }), 0);
  assert.equal(stream.request(XENSND_OP_WRITE, 0, 4096), 0);
  assert.equal(stream.trigger(XENSND_OP_TRIGGER_START), 0);
  return shared;
}

/** Takes one answer to each of the requests `ids`; returns the statuses. */
function answers(stream: RawStream, ids: number[]): number[] {
  const left = new Set(ids);
  const statuses: number[] = [];
  const response = new ResponseView();
  stream.waitFor("the answers", () => {
    while (stream.ring.take(response) === Taken.one) {
      assert(left.delete(response.id), `an answer to ${response.id}, which was not asked, or twice`);
      statuses.push(response.status);
    }
    return left.size === 0 || (stream.ring.finalCheckForResponses() ? undefined : false);
  });
  return statuses;
}

const rings: Attacks = {
  "reserved octets are not zero": async ({ connect }) => {
    await using card = await connect();
    const [stream] = card.streams;
    start(stream!);
    const octets = new Uint8Array(stream!.ringPage.buffer);
    for (let slot = 0; slot < 32; slot++) {
      const status = stream!.call((view, at, id) => {
        encodeRwRequest(view, at, id, XENSND_OP_WRITE, 0, 4);
        octets.fill(0xff, at + 16, at + SLOT);
      });
      assert.equal(status, 0);
    }
  },
  "the producer index jumps": async ({ connect, log }) => {
    await using card = await connect();
    Atomics.add(card.streams[0]!.words, REQ_PROD, 33);
    card.streams[0]!.notify();
    await until("it is said", () => /the frontend is broken: its request producer/.test(log()));
  },
  "the producer index runs backwards": async ({ connect, log }) => {
    await using card = await connect();
    const [stream] = card.streams;
    start(stream!);
    Atomics.sub(stream!.words, REQ_PROD, 1);
    stream!.notify();
    await until("it is said", () => /the frontend is broken: its request producer/.test(log()));
  },
  "the guest writes the indices that are the backend's": async ({ connect }) => {
    await using card = await connect();
    const [stream] = card.streams;
    start(stream!);
    for (const value of [0, -1, 0x7fffffff, 1000]) {
      for (const word of [REQ_EVENT, RSP_PROD, RSP_EVENT]) {
        Atomics.store(stream!.words, word, value);
        stream!.notify();
      }
    }
  },
  "requests are changed after they were posted": async ({ connect }) => {
    await using card = await connect();
    const [stream] = card.streams;
    start(stream!);
    for (let round = 0; round < 500; round++) {
      const ids: number[] = [];
      const at: number[] = [];
      for (let i = 0; i < 16; i++) {
        ids.push(stream!.post((view, offset, id) => {
          encodeRwRequest(view, offset, id, XENSND_OP_WRITE, 0, 64);
          at.push(offset);
        }));
      }
      // The backend copies each request before, between or after these changes. Each version is served or refused.
      for (const offset of at) stream!.ring.view.setUint32(offset + 8, 0xfffffff0, true);
      for (const offset of at) stream!.ring.view.setUint32(offset + 12, 0xffffffff, true);
      for (const status of answers(stream!, ids)) assert([0, -22].includes(status), String(status));
    }
  },
  "a ring full of triggers, again and again": async ({ connect }) => {
    await using card = await connect();
    const [stream] = card.streams;
    start(stream!);
    for (let round = 0; round < 20; round++) {
      const ids = Array.from(
        { length: 32 },
        (_, i) => stream!.post((view, at, id) => encodeTriggerRequest(view, at, id, [2, 3, 0, 1][i % 4]!)),
      );
      answers(stream!, ids);
    }
  },
  "OPEN twice, CLOSE twice, and all at once on the ring": async ({ connect }) => {
    await using card = await connect();
    const [stream] = card.streams;
    start(stream!);
    start(stream!);
    const ids = Array.from(
      { length: 30 },
      (_, i) =>
        stream!.post((view, at, id) =>
          i % 3 === 0
            ? encodeCloseRequest(view, at, id)
            : encodeRwRequest(view, at, id, XENSND_OP_WRITE, 0, 4)
        ),
    );
    assert.equal(answers(stream!, ids)[0], 0);
  },
};

/**
 * Makes the words of a page directory for a buffer of two pages, from the buffer's grant references, the directory's own, and a
 * reference granted to another domain. `isUsable`: whether the backend accepts the directory.
 */
type Directory = (buffer: readonly number[], own: number, foreign: number) => number[];
const directories: Readonly<Record<string, [words: Directory, isUsable: boolean]>> = {
  "refers to itself, and is its own buffer": [(_, own) => [own, own, own], false],
  "goes round in a circle without an end": [(_, own) => [own, 0, 0], false],
  "is too short": [(buffer) => [0, buffer[0]!, 0], false],
  "holds no reference": [() => [0, 0, 0], false],
  "holds numbers that nobody has granted": [() => [0, 0xfffffff0, 0x7fffffff], false],
  "holds what is granted to another domain": [(buffer, _, foreign) => [0, buffer[0]!, foreign], false],
  "is followed by what is granted to another domain": [(_, __, foreign) => [foreign, 0, 0], false],
  "holds the same page twice": [(buffer) => [0, buffer[0]!, buffer[0]!], false],
  "is its own buffer's second page": [(buffer, own) => [0, buffer[0]!, own], false],
  "is as it should be": [(buffer) => [0, ...buffer], true],
};

const pages: Attacks = {
  ...Object.fromEntries(
    Object.entries(directories).map(([what, [words, isUsable]]) => [
      `a page directory that ${what}`,
      async ({ box, connect }) => {
        await using card = await connect();
        const [stream] = card.streams;
        using xen = await openXen({ sandbox: box.xen, domid: 1 });
        using sharer = xen.openGrantSharer();
        const { buffer, directory } = stream!.share(8192);
        const own = directory.grefs[0]!;
        new Uint32Array(directory.buffer).set(
          words(buffer.grefs, own, sharer.share(2, 1, "write").grefs[0]!),
        );
        const status = stream!.open({ ...open, grefDirectory: own });
        assert.equal(status === 0, isUsable, String(status));
      },
    ]),
  ) as Attacks,
  "a directory that is the ring, or the event page": async ({ connect }) => {
    await using card = await connect();
    const [stream] = card.streams;
    for (const page of [stream!.ringPage, stream!.eventPage]) {
      assert(stream!.open({ ...open, grefDirectory: page.grefs[0]! }) < 0);
    }
  },
  "parameters that overflow": async ({ connect }) => {
    await using card = await connect();
    const [stream] = card.streams;
    const { directory } = stream!.share(open.bufferSz);
    const grefDirectory = directory.grefs[0]!;
    for (
      const change of [
        { bufferSz: 0 },
        { bufferSz: 1 },
        { bufferSz: 0xffffffff },
        { periodSz: 0xffffffff },
        { periodSz: 8196 },
        { pcmChannels: 0 },
        { pcmChannels: 255 },
        { pcmRate: 0 },
        { pcmRate: 0xffffffff },
        { pcmFormat: 255 },
      ]
    ) assert(stream!.open({ ...open, grefDirectory, ...change }) < 0, JSON.stringify(change));
  },
  "pages are revoked in mid-stream": async ({ connect }) => {
    await using card = await connect();
    const [stream] = card.streams;
    const { buffer, directory } = start(stream!);
    directory[Symbol.dispose]();
    buffer[Symbol.dispose]();
    for (let i = 0; i < 50; i++) stream!.request(XENSND_OP_WRITE, i % 2 * 4096, 4096);
  },
  "no octet outside of what was granted is touched": async ({ connect }) => {
    await using card = await connect();
    const [, capture] = card.streams;
    const [before, shared, after] = [capture!.share(4096), capture!.share(8192), capture!.share(4096)];
    for (const page of [before, after]) new Uint8Array(page.buffer.buffer).fill(0xa5);
    assert.equal(capture!.open({ ...open, grefDirectory: shared.directory.grefs[0]! }), 0);
    assert.equal(capture!.trigger(XENSND_OP_TRIGGER_START), 0);
    for (const [offset, length] of [[8188, 8], [8192, 4], [0xfffff000, 4096], [4, 0xfffffffc], [0, 8196]]) {
      for (const operation of [XENSND_OP_READ, XENSND_OP_WRITE]) {
        assert(capture!.request(operation, offset!, length!) < 0);
      }
    }
    for (const page of [before, after]) {
      assert(new Uint8Array(page.buffer.buffer).every((octet) => octet === 0xa5), "an octet was written");
    }
  },
};

const events: Attacks = {
  "the event page is never read, and its indices are nonsense": async ({ connect }) => {
    await using card = await connect();
    const [stream] = card.streams;
    start(stream!, { periodSz: 256 });
    const words = new Int32Array(stream!.eventPage.buffer);
    for (let round = 0; round < 40; round++) {
      Atomics.store(words, 0, round * 0x01010101 | 0);
      Atomics.store(words, 1, round * 0x7f7f7f7f | 0);
      assert.equal(stream!.request(XENSND_OP_WRITE, 0, 4096), 0);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  },
  "a storm of notifications on both channels": async ({ box, connect }) => {
    await using card = await connect();
    const [stream] = card.streams;
    start(stream!);
    const cpu = async () => (await box.status()).sharedEngineCpuSeconds!;
    const before = await cpu();
    const began = performance.now();
    let sent = 0;
    while (performance.now() - began < 2000) {
      for (let i = 0; i < 1000; i++) {
        stream!.channels.notify(stream!.requestPort);
        stream!.channels.notify(stream!.eventPort);
      }
      sent += 2000;
      // The backend still serves the stream.
      if (sent % 100_000 === 0) assert.equal(stream!.request(XENSND_OP_WRITE, 0, 4), 0);
    }
    const share = (await cpu() - before) / ((performance.now() - began) / 1000);
    assert(share < 0.5, `${sent} notifications took ${share} of a processor`);
  },
};

const nodes: Attacks = {
  "nodes that lie, hold garbage, or vanish": async ({ box, connect }) => {
    using xen = await openXen({ sandbox: box.xen, domid: 1 });
    const lies = [
      "",
      "-1",
      "0",
      "4294967296",
      "1e3",
      "0x1",
      "1\n",
      "\u001b[2J",
      "9".repeat(2000),
      "|sh -c true",
    ];
    for (const node of ["ring-ref", "event-channel", "evt-ring-ref", "evt-event-channel"]) {
      for (const lie of [...lies, undefined]) {
        await using card = await connect();
        // A guest that leaves without a request, again and again, is made to wait.
        assert(card.streams[0]!.close() <= 0);
        xen.store.write(`${FRONTEND}/state`, "5");
        if (lie === undefined) xen.store.remove(`${FRONTEND}/0/0/${node}`);
        else xen.store.write(`${FRONTEND}/0/0/${node}`, lie);
        xen.store.write(`${FRONTEND}/state`, "3");
        xen.store.write(`${FRONTEND}/state`, "6");
      }
    }
  },
  "states that flip as fast as XenStore takes them": async ({ box }) => {
    using xen = await openXen({ sandbox: box.xen, domid: 1 });
    for (let i = 0; i < 2000; i++) xen.store.write(`${FRONTEND}/state`, String(i % 8));
    xen.store.write(`${FRONTEND}/state`, "6");
  },
  "a thousand nodes of garbage in the frontend's directory": async ({ box }) => {
    using xen = await openXen({ sandbox: box.xen, domid: 1 });
    for (let i = 0; i < 200; i++) xen.store.write(`${FRONTEND}/garbage/${i}`, "x".repeat(1000));
    xen.store.remove(`${FRONTEND}/garbage`);
  },
  "a frontend that dies between any two steps": async ({ box }) => {
    for (let steps = 0; steps < 8; steps++) await dieAfter(box.xen, steps);
  },
};

/** A frontend that takes the steps towards playing up to number `steps`, from 0 on, and then vanishes. */
async function dieAfter(sandbox: string, steps: number): Promise<void> {
  const xen = await openXen({ sandbox, domid: 1 });
  const [sharer, channels] = [xen.openGrantSharer(), xen.openEventChannels()];
  const write = (node: string, value: string | number) =>
    xen.store.write(`${FRONTEND}/${node}`, String(value));
  const streams: RawStream[] = [];
  const life: (() => void | Promise<unknown>)[] = [
    () => write("state", 1),
    () => until("InitWait", () => xen.store.read(xen.store.read(`${FRONTEND}/backend`)! + "/state") === "2"),
    () => {
      for (const name of ["0/0", "0/1", "0/2"]) {
        const stream = new RawStream(channels, sharer);
        streams.push(stream);
        write(`${name}/ring-ref`, stream.ringPage.grefs[0]!);
        write(`${name}/event-channel`, stream.requestPort);
        write(`${name}/evt-ring-ref`, stream.eventPage.grefs[0]!);
        write(`${name}/evt-event-channel`, stream.eventPort);
      }
    },
    () => write("state", 3),
    () => until("Connected", () => xen.store.read(xen.store.read(`${FRONTEND}/backend`)! + "/state") === "4"),
    () => write("state", 4),
    () => void start(streams[0]!),
    () => void streams[0]!.post((view, at, id) => encodeCloseRequest(view, at, id)),
  ];
  for (const step of life.slice(0, steps + 1)) await step();
  for (const resource of [channels, sharer, xen]) resource[Symbol.dispose]();
}

Deno.test("attacks by the ring: the daemon lives, each request has one answer, the witness loses no sample", () =>
  attack(rings));

Deno.test("attacks by pages and parameters: refused, nothing else is touched, the witness loses no sample", () =>
  attack(pages));

Deno.test("attacks by events: a page that is never read, a storm of notifications; the witness loses no sample", () =>
  attack(events));

Deno.test("attacks by XenStore: nodes that lie, states that flip, a frontend that dies; the witness loses no sample", () =>
  attack(nodes));
