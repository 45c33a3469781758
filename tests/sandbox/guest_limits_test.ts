/** `serve --guest-limits`, through real guests. */
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
      // 1 MiB is 256 pages, four of which are the rings'.
      const half = { ...open, bufferSz: 128 * 4096 };
      for (const [stream, status] of [[one, 0], [two, -XEN_ENOMEM]] as const) {
        const { directory } = stream.share(half.bufferSz);
        assert.equal(stream.open({ ...half, grefDirectory: directory.grefs[0] }), status);
      }
      await until("it is said", () => /domU\/0\/1\/0: its guest has 528 KiB and asks/.test(daemon.stderr));
      assert.equal(one.close(), 0);
      assertWorks(two);
      assert.match(
        daemon.stderr,
        /greedy\/0: it is not served: its guest has 2 and asks for 1 more: --guest-limits streams= allows 2/,
      );
      assertWorks(one);
    },
    "domU",
    "greedy",
  ));

Deno.test("limits that are none are refused before anything is served", () =>
  inBox(async (box) => {
    const { code, stdout, stderr } = await box.run("serve", "--guest-limits", "streams=0");
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
    assert.match(stderr, /streams is from 1 to 256/);
  }));
