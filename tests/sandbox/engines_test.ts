// SPDX-License-Identifier: MIT
/** A stream whose PCM may block gets an engine of its own, within the guest's limit and the host's resources. */
import assert from "node:assert/strict";
import {
  descriptorLimit,
  inBox,
  limitThatLeaves,
  makeWav,
  type Process,
  settledDescriptors,
  until,
} from "./harness.ts";
import { openXen } from "../../lib/xen/mod.ts";
import { open, RawCard } from "./raw_frontend.ts";

const sound = { format: "s16_le", channels: 2, rate: 48000, frames: 12_000 };
/** A stream on a plugin's PCM, which may block. */
const mayWait = { type: "playback", device: "plug:null" } as const;
const STREAMS = ["0/0", "0/1", "0/2", "0/3"];

/** The number of a daemon's engine threads, with the shared engine's. */
function engines({ pid }: Process): number {
  const names = Array.from(Deno.readDirSync(`/proc/${pid}/task`), ({ name }) => {
    try {
      return Deno.readTextFileSync(`/proc/${pid}/task/${name}/comm`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return ""; // the thread has ended
    }
  });
  return names.filter((name) => name.startsWith("worker")).length;
}

Deno.test("a card for which no engine can be started is tried again, and says so; others are served", () =>
  inBox(
    async (box) => {
      await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
      const daemon = await box.serve();
      const left = new Set<number>();
      // Deno itself ends the process if some descriptors are free, but too few for a thread.
      for (const [domid, domain, free] of [[2, "domV", 0], [3, "domW", 7], [4, "domX", 20]] as const) {
        await box.provision(domain, [mayWait]);
        await box.untilStream(`${domain}/0/0/0`, () => true);
        const taken = await settledDescriptors(daemon.pid);
        const limit = await descriptorLimit(daemon.pid, String(limitThatLeaves(free, taken)));
        const connecting = RawCard.connect(box.xen, domid, ["0/0"]);
        const said = new RegExp(`warning: ${domain}/0: not connected yet, tried again in 1 s: .*EMFILE`);
        await until("it is said", () => said.test(daemon.stderr));
        assert.equal(engines(daemon), 1);
        await descriptorLimit(daemon.pid, limit);
        {
          await using card = await connecting;
          assert.equal(card.streams[0]!.close(), 0);
          assert.equal(engines(daemon), 2);
        }
        await box.ok("deprovision", domain);
        await until("the engine is gone", () => engines(daemon) === 1);
        left.add((await settledDescriptors(daemon.pid)).size);
      }
      assert.equal(left.size, 1, `descriptors that were left behind: ${[...left]}`);
      await box.ok("play", makeWav(box.path("in.wav"), sound), "domU");
      assert(!daemon.ended, daemon.stderr);
      const { code } = await daemon.end("SIGTERM");
      assert.equal(code, 0, daemon.stderr);
    },
    "domU",
    "domV",
    "domW",
    "domX",
  ));

Deno.test("a guest with more streams than it may have costs no thread and no memory: its card is refused, others are served", () =>
  inBox(
    async (box) => {
      await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
      const pcms = Array.from({ length: 8 }, () => Array.from({ length: 8 }, () => mayWait));
      await box.provision("domV", ...pcms);
      const daemon = await box.serve("--guest-limits", "streams=40");
      const said =
        /error: domV\/0: it is not served: its guest has 40; 1 more is above the 40 that --guest-limits streams= allows/;
      await until("it is said", () => said.test(daemon.stderr));
      assert.equal(engines(daemon), 1);
      await box.ok("play", makeWav(box.path("in.wav"), sound), "domU");
    },
    "domU",
    "domV",
  ));

Deno.test("128 streams that a guest writes into its own directory start no engine and take no memory; others are served", () =>
  inBox(
    async (box) => {
      await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
      await box.provision("domV", [mayWait]);
      // Cards of xl have no policy.
      await box.xenstore("rm", "/local/domain/0/backend/vsnd/2/0/xsnd");
      const served = async () => {
        await using daemon = await box.serve("--default-device", "plug:null");
        const { residentBytes } = await box.status();
        return { engines: engines(daemon), residentBytes };
      };
      const before = await served();
      using xen = await openXen({ sandbox: box.xen, domid: 2 });
      const frontend = "/local/domain/2/device/vsnd/0";
      for (let i = 0; i < 128; i++) xen.store.write(`${frontend}/${i >> 3}/${i % 8}/type`, "p");
      const after = await served();
      assert.deepEqual([before.engines, after.engines], [1, 1]);
      const more = after.residentBytes - before.residentBytes;
      assert(more < before.residentBytes / 2, `${more >> 20} MiB more`);
      await using _daemon = await box.serve("--default-device", "plug:null");
      await box.ok("play", makeWav(box.path("in.wav"), sound), "domU");
    },
    "domU",
    "domV",
  ));

Deno.test("engines start when a guest connects, as many as it may have; its streams share those, and all guests have a total", () =>
  inBox(
    async (box) => {
      for (const guest of ["domU", "domV"]) await box.provision(guest, STREAMS.map(() => mayWait));
      await box.provision("domW", [mayWait]);
      const daemon = await box.serve("--guest-limits", "engines=2,total-engines=3");
      for (const guest of ["domU", "domV", "domW"]) await box.untilStream(`${guest}/0/0/0`, () => true);
      assert.equal(engines(daemon), 1, "nobody is connected");
      const cards = [];
      // The total of 3 refuses the second guest its second engine.
      for (const [domid, count] of [[1, 3], [2, 4]]) {
        const card = await RawCard.connect(box.xen, domid!, STREAMS);
        cards.push(card);
        assert.equal(engines(daemon), count);
        for (const stream of card.streams) {
          const { directory } = stream.share(open.bufferSz);
          assert.equal(stream.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
        }
        for (const stream of card.streams) assert.equal(stream.close(), 0);
      }
      const connecting = RawCard.connect(box.xen, 3, ["0/0"]);
      const said =
        /warning: domW\/0: not connected yet, .*all guests together have 3; 1 more is above the 3 that --guest-limits total-engines= allows/;
      await until("it is said", () => said.test(daemon.stderr));
      await cards[0]![Symbol.asyncDispose]();
      await box.ok("deprovision", "domU");
      cards[0] = await connecting;
      // The third guest may have connected as soon as the first of the two engines was given back.
      await until("both engines of the first guest are gone", () => engines(daemon) === 3);
      for (const card of cards) await card[Symbol.asyncDispose]();
    },
    "domU",
    "domV",
    "domW",
  ));
