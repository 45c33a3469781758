// SPDX-License-Identifier: MIT
/**
 * Attacks the daemon in the lab's dom0, as a frontend of domain 0's own card 0: the kernel's gntdev and evtchn may react
 * differently from the embedded Xen. Prints a line for each attack that the daemon withstands; see `cases/hostile.ts`.
 */
import assert from "node:assert/strict";
import { XENSND_OP_WRITE } from "../../lib/sndif/mod.ts";
import { assertWorks, open, RawCard, type RawStream } from "../sandbox/raw_frontend.ts";

const ATTACKS: Readonly<Record<string, (stream: RawStream) => void>> = {
  "requests that wrap": (stream) => {
    const { directory } = stream.share(open.bufferSz);
    assert.equal(stream.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
    for (const [offset, length] of [[0xfffffffc, 8], [4, 0xfffffffc], [8192, 4]]) {
      assert(stream.request(XENSND_OP_WRITE, offset!, length!) < 0);
    }
    assert.equal(stream.close(), 0);
  },
  "references that nobody has granted": (stream) => {
    for (const gref of [0x7fffffff, 0xfffffff0]) {
      assert(stream.open({ ...open, grefDirectory: gref }) < 0);
      const { directory } = stream.share(8192);
      new Uint32Array(directory.buffer).set([0, gref, gref]);
      assert(stream.open({ ...open, grefDirectory: directory.grefs[0]! }) < 0);
    }
  },
  "a storm of notifications": (stream) => {
    const until = performance.now() + 2000;
    while (performance.now() < until) {
      for (let i = 0; i < 100; i++) stream.notify();
      stream.channels.notify(stream.eventPort);
    }
    assertWorks(stream);
  },
  "a producer index that jumps": (stream) => {
    Atomics.add(stream.words, 0, 1000);
    stream.notify();
  },
};

for (const [name, attack] of Object.entries(ATTACKS)) {
  {
    await using card = await RawCard.connect("", 0, ["0/0"]);
    attack(card.streams[0]!);
  }
  await using card = await RawCard.connect("", 0, ["0/0"]);
  assertWorks(card.streams[0]!);
  console.log(name);
}
