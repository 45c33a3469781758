// SPDX-License-Identifier: MIT
/** `serve --guest-limits` with guests that exceed the limits. */
import assert from "node:assert/strict";
import {
  encodeHwParamQuery,
  HwParam,
  ResponseView,
  Taken,
  XEN_ENOMEM,
  XENSND_OP_TRIGGER_START,
  XENSND_OP_WRITE,
} from "../../lib/sndif/mod.ts";
import { inBox, until } from "./harness.ts";
import { assertWorks, open, RawCard, type RawStream } from "./raw_frontend.ts";

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

Deno.test("a guest that uses up its requests on one stream hears its other stream go on", () =>
  inBox(async (box) => {
    await box.provision("domU", [playback], [playback]);
    await box.serve("--guest-limits", "requests=100");
    await using card = await RawCard.connect(box.xen, 1, ["0/0", "1/0"]);
    const [heard, asked] = [card.streams[0]!, card.streams[1]!];
    const undisturbed = playFor(heard, () => {});
    const [response, param] = [new ResponseView(), new HwParam()];
    // The engine answers the later ones by itself.
    asked.query(param);
    let [asks, answers] = [0, 0];
    const flooded = playFor(heard, () => {
      for (; asks - answers < 16; asks++) {
        asked.post((view, at, id) => encodeHwParamQuery(view, at, id, param));
      }
      while (asked.ring.take(response) === Taken.one) answers++;
      asked.ring.finalCheckForResponses();
    });
    assert(answers > 100, `${answers} answers do not use up the limit`);
    const times = `${flooded.toFixed()} ms, and ${undisturbed.toFixed()} ms without the other stream`;
    assert(flooded < 4 * undisturbed, times);
  }, "domU"));

/** Plays one buffer to its end, and calls `meanwhile` at each event; returns the time that the sound took, ms. */
function playFor(stream: RawStream, meanwhile: () => void): number {
  const bufferSz = 65536;
  const { directory } = stream.share(bufferSz);
  assert.equal(stream.open({ ...open, bufferSz, grefDirectory: directory.grefs[0]! }), 0);
  assert.equal(stream.request(XENSND_OP_WRITE, 0, bufferSz), 0);
  // What the page still has is of the sound before.
  stream.takePositions();
  const began = performance.now();
  assert.equal(stream.trigger(XENSND_OP_TRIGGER_START), 0);
  let position = 0;
  stream.waitFor("the end of the sound", () => {
    meanwhile();
    position = stream.takePositions().at(-1) ?? position;
    return position >= bufferSz;
  });
  const took = performance.now() - began;
  assert.equal(stream.close(), 0);
  return took;
}

Deno.test("limits that are none are refused before anything is served", () =>
  inBox(async (box) => {
    const { code, stdout, stderr } = await box.run("serve", "--guest-limits", "streams=0");
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
    assert.match(stderr, /streams is from 1 to 256/);
  }));
