// SPDX-License-Identifier: MIT
/** XenStore refuses a watch for one card: the daemon still serves the other cards. */
import assert from "node:assert/strict";
import { socketPath } from "../../lib/xen/embedded/layout.ts";
import { openStore } from "../../lib/xen/store/library_store.ts";
import { inBox, until } from "./harness.ts";

/** A driver domain's quota of watches (xenstored's `quota-nb-watch`). */
const WATCHES = 128;
/** The daemon's watches besides those of its cards. */
const DAEMONS = 2;

Deno.test("a card that a driver domain may not watch any more is not served, the other one is, and both are when it may", () =>
  inBox(
    async (box) => {
      const file = box.path("cards.yaml");
      const domain = {
        backend: "driver",
        cards: [{ pcms: [{ streams: [{ type: "playback", device: "dummy:" }] }] }],
      };
      Deno.writeTextFileSync(file, JSON.stringify({ domains: { domU: domain, domV: domain } }));
      await box.ok("provision", "-f", file);
      using store = openStore(socketPath(box.xen, 1));
      const watches = Array.from(
        { length: WATCHES - DAEMONS - 1 },
        (_, i) => store.watch(`/local/domain/1/data/${i}`),
      );
      const daemon = await box.serveWith({ XSND_DOMID: "1" });
      const served = async () => (await box.status()).streams.map(({ stream }) => stream);
      await until("one is served", async () => (await served()).length === 1);
      await until(
        "it says why the other is not",
        () => /error: 3\/0: XenStore: cannot watch \S+\/device\/vsnd\/0: E2BIG/.test(daemon.stderr),
      );
      watches[0]![Symbol.dispose]();
      // A change of the card's directory makes the daemon look at the card again.
      await box.xenstore("write", "/local/domain/1/backend/vsnd/3/0/online", "1");
      await until("both are served", async () => (await served()).length === 2);
      assert.equal((await daemon.end("SIGTERM")).code, 0);
      for (const watch of watches) watch[Symbol.dispose]();
    },
    "driver",
    "domU",
    "domV",
  ));
