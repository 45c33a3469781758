// SPDX-License-Identifier: MIT
/** `serve --guest-limits` with guests that exceed the limits. */
import assert from "node:assert/strict";
import { XEN_ENOMEM } from "../../lib/sndif/mod.ts";
import { inBox, until } from "./harness.ts";
import { assertWorks, open, RawCard } from "./raw_frontend.ts";

const playback = { type: "playback", device: "dummy:" } as const;

Deno.test("a guest's streams and mapped pages are limited, and the limit says itself; another guest is none the worse", () =>
  inBox(
    async (box) => {
      await box.provision("domU", [playback], [playback]);
      await box.provision("greedy", [playback], [playback], [playback]);
      const daemon = await box.serve("--guest-limits", "streams=2,mapped=1");
      await using card = await RawCard.connect(box.xen, 1, ["0/0", "1/0"]);
      const [one, two] = card.streams;
      // A buffer of 256 KiB: with the daemon's copy and staging more than half of the 1 MiB allowed.
      const half = { ...open, bufferSz: 64 * 4096 };
      for (const [stream, status] of [[one, 0], [two, -XEN_ENOMEM]] as const) {
        const { directory } = stream!.share(half.bufferSz);
        assert.equal(stream!.open({ ...half, grefDirectory: directory.grefs[0]! }), status);
      }
      await until(
        "it is said",
        () =>
          /domU\/0\/1\/0: its guest has 656 KiB; 640 KiB more is above the 1024 KiB that .* mapped= allows/
            .test(
              daemon.stderr,
            ),
      );
      assert.equal(one!.close(), 0);
      assertWorks(two!);
      assert.match(
        daemon.stderr,
        /greedy\/0: it is not served: its guest has 2; 1 more is above the 2 that --guest-limits streams= allows/,
      );
      assertWorks(one!);
    },
    "domU",
    "greedy",
  ));

Deno.test("what a daemon holds for a guest is more than the guest's pages, has a total over all guests, and is given back", () =>
  inBox(
    async (box) => {
      for (const guest of ["domU", "domV"]) {
        await box.provision(guest, [{ type: "capture", device: "dummy:" }]);
      }
      const daemon = await box.serve("--guest-limits", "mapped=4,total-mapped=4");
      await using one = await RawCard.connect(box.xen, 1, ["0/0"]);
      await using two = await RawCard.connect(box.xen, 2, ["0/0"]);
      const openOf = (card: RawCard, pages: number) => {
        const [stream] = card.streams;
        const { directory } = stream!.share(pages * 4096);
        return stream!.open({ ...open, bufferSz: pages * 4096, grefDirectory: directory.grefs[0]! });
      };
      assert.equal(openOf(one, 256), 0);
      // The pages alone, 1 MiB and 512 KiB, would be within the 4 MiB.
      assert.equal(openOf(two, 128), -XEN_ENOMEM);
      const said =
        /domV\/0\/0\/0: all guests together have \d+ KiB; 1664 KiB more is above the 4096 KiB that .* total-mapped= allows/;
      await until("it is said", () => said.test(daemon.stderr));
      assert.equal(one.streams[0]!.close(), 0);
      assert.equal(openOf(two, 128), 0);
      assert.equal(two.streams[0]!.close(), 0);
    },
    "domU",
    "domV",
  ));

Deno.test("limits that are none are refused before anything is served", () =>
  inBox(async (box) => {
    const { code, stdout, stderr } = await box.run("serve", "--guest-limits", "streams=0");
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
    assert.match(stderr, /streams is from 1 to 256/);
  }));
