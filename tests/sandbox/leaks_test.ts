// SPDX-License-Identifier: MIT
/** After 1000 connections that come and go the daemon has as many descriptors, mappings and ports as before. */
import assert from "node:assert/strict";
import { inBox, settledDescriptors } from "./harness.ts";
import { assertWorks, open, RawCard } from "./raw_frontend.ts";

const GUESTS = 10;
const ROUNDS = Number(Deno.env.get("XSND_LEAK_ROUNDS") ?? 1000) / GUESTS;

/** The number of the daemon's mappings of guests' pages. */
const mappings = (pid: number, xen: string) =>
  Deno.readTextFileSync(`/proc/${pid}/maps`).split("\n").filter((line) => line.includes(xen)).length;

/** A process's resident anonymous memory, KiB. */
const anonymous = (pid: number) =>
  Number(/^RssAnon:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]);

Deno.test("1000 connections that come and go leave no descriptor, no mapping and no memory behind", async () => {
  const guests = Array.from({ length: GUESTS }, (_, i) => `guest${i}`);
  await inBox(async (box) => {
    for (const guest of guests) await box.provision(guest, [{ type: "playback", device: "dummy:" }]);
    const daemon = await box.serve();
    const round = async (domid: number, number: number) => {
      await using card = await RawCard.connect(box.xen, domid, ["0/0"]);
      const [stream] = card.streams;
      assertWorks(stream!);
      // Every other connection ends with its stream open.
      if (number % 2 === 0) return;
      const { directory } = stream!.share(open.bufferSz);
      assert.equal(stream!.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
    };
    const rounds = async (count: number) => {
      await Promise.all(guests.map(async (_, i) => {
        for (let number = 0; number < count; number++) await round(i + 1, number);
      }));
      // The embedded Xen closes a frontend's FIFO when the next port is bound. This round closes all FIFOs but its own.
      await round(1, 0);
      const descriptors = (await settledDescriptors(daemon.pid)).size;
      return [descriptors, mappings(daemon.pid, box.xen)];
    };
    const before = await rounds(5); // one-time allocations come first
    await rounds((ROUNDS - 5) / 2 | 0);
    const halfway = anonymous(daemon.pid);
    const after = await rounds((ROUNDS - 5) / 2 | 0);
    assert.deepEqual(after, before, "descriptors, and mappings of guests' pages");
    const grown = anonymous(daemon.pid) - halfway;
    // The heap's size varies by some MB. A connection's buffer or card takes at least 16 KiB.
    assert(grown < 16 * ROUNDS * GUESTS / 2, `${grown} KiB more after ${ROUNDS * GUESTS / 2} connections`);
    assert(!/^\s+at /m.test(daemon.stderr), daemon.stderr);
  }, ...guests);
});
