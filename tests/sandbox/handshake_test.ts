// SPDX-License-Identifier: MIT
/**
 * The XenBus hand-shake with frontends that are late, start over, mistake a new card for the former one, or change state at
 * random.
 */
import assert from "node:assert/strict";
import { XENSND_OP_TRIGGER_START } from "../../lib/sndif/mod.ts";
import { frontendPath, XenbusState } from "../../lib/xenbus/mod.ts";
import { openXen } from "../../lib/xen/mod.ts";
import { servedCard } from "./guest_card.ts";
import { inBox, until } from "./harness.ts";
import { assertWorks, open, RawCard, STREAMS, withRaw } from "./raw_frontend.ts";

const inServedBox = servedCard();

Deno.test("a frontend that starts over in mid-play, with new rings, is served again", () =>
  inServedBox(async (box) => {
    for (let round = 0; round < 3; round++) {
      // The state that a crashed guest leaves: connected, playing, pages still granted.
      const crashed = await RawCard.connect(box.xen, 1, STREAMS);
      const [playback] = crashed.streams;
      const { directory } = playback!.share(open.bufferSz);
      assert.equal(playback!.open({ ...open, grefDirectory: directory.grefs[0]! }), 0);
      assert.equal(playback!.trigger(XENSND_OP_TRIGGER_START), 0);
      await withRaw(box, (_card, playback) => assertWorks(playback));
      crashed.xen[Symbol.dispose]();
    }
  }));

Deno.test("a frontend that publishes its rings twice is served with what it published last", () =>
  inServedBox((box) =>
    withRaw(box, async (card) => {
      const ref = `${frontendPath(1, 0)}/0/0/ring-ref`;
      const good = card.xen.store.read(ref)!;
      // A guest that sees InitWait twice revokes its first grants, and grants again under the same numbers.
      card.xen.store.write(ref, good);
      await card.untilBackend(XenbusState.InitWait);
      card.xen.store.write(ref, String(Number(good) + 1000));
      card.setState(XenbusState.Initialised);
      await card.untilBackend(XenbusState.Closing);
      card.xen.store.write(ref, good);
      await card.untilBackend(XenbusState.Connected);
      card.setState(XenbusState.Connected);
    })
  ));

Deno.test("a new card that its guest takes for the former one, which it is still closing, is found all the same", () =>
  inBox(async (box) => {
    await box.provision("domU", [{ type: "playback", device: "dummy:" }]);
    await box.serve();
    const state = `${frontendPath(1, 0)}/state`;
    const backend = "/local/domain/0/backend/vsnd/1/0/state";
    await until("the backend waits", async () => await box.xenstore("read", backend) === "2\n");
    await box.xenstore("write", state, "6");
    await until("it is to be found", async () => await box.xenstore("read", state) === "1\n");
    await using card = await RawCard.connect(box.xen, 1, ["0/0"]);
    assertWorks(card.streams[0]!);
    // The guest now closes a card that it was connected to, so the close is meant.
    card.setState(XenbusState.Closed);
    await card.untilBackend(XenbusState.InitWait);
    assert.equal(card.state, XenbusState.Closed);
  }));

Deno.test("a guest that goes from state to state as it likes cannot confuse the backend", () =>
  inServedBox(async (box) => {
    using xen = await openXen({ sandbox: box.xen, domid: 1 });
    const path = "/local/domain/1/device/vsnd/0/state";
    const { Unknown, Initialising, Initialised, Connected, Closing, Closed } = XenbusState;
    let random = 1;
    for (let step = 0; step < 200; step++) {
      random = random * 48271 % 0x7fffffff;
      const states = [
        Unknown,
        Initialising,
        Initialised,
        Connected,
        Closing,
        Closed,
        "",
        "nonsense",
        "4\0",
        1e9,
      ];
      xen.store.write(path, String(states[random % states.length]));
    }
    xen.store.remove(path);
    xen.store.write(path, "6");
    await withRaw(box, (_card, playback) => assertWorks(playback));
  }));
