// SPDX-License-Identifier: MIT
/** A guest writes to its own directory without end: the daemon's requests to XenStore do not grow with the number of writes. */
import assert from "node:assert/strict";
import { socketPath } from "../../lib/xen/embedded/layout.ts";
import { openStore } from "../../lib/xen/store/library_store.ts";
import { type Box, inBox, until } from "./harness.ts";
import { StoreProxy } from "./store_proxy.ts";

const FRONTEND = "/local/domain/1/device/vsnd/0";
const NAMES = 200;
const ROUNDS = 15;
/** The least octets of a request by the daemon: a header, and a path at least as long as the frontend's directory. */
const REQUEST_OCTETS = 16 + FRONTEND.length;

async function inStormyBox(body: (box: Box) => Promise<void>): Promise<void> {
  await inBox(
    async (box) => {
      for (const domain of ["domU", "domV"]) {
        await box.provision(domain, [{ type: "playback", device: "dummy:" }]);
      }
      await body(box);
    },
    "domU",
    "domV",
  );
}

for (
  const [what, path] of [
    ["nodes that mean nothing", (i: number) => `${FRONTEND}/0/0/storm-${i}`],
    ["the state of its frontend", () => `${FRONTEND}/state`],
    ["rings of streams that are not there", (i: number) => `${FRONTEND}/${i % 30 + 1}/0/ring-ref`],
  ] as const
) {
  Deno.test(`a guest that writes ${what} over and over has the daemon ask XenStore a few times a second`, () =>
    inStormyBox(async (box) => {
      using proxy = new StoreProxy(box.xen);
      await using daemon = await box.serve();
      using store = openStore(socketPath(box.xen, 1));
      const before = proxy.asked;
      const from = performance.now();
      for (let round = 0; round < ROUNDS; round++) {
        for (let i = 0; i < NAMES; i++) store.write(path(i), String(round % 2 + 1));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await until("the daemon has looked at all", async () => {
        const { asked } = proxy;
        await new Promise((resolve) => setTimeout(resolve, 200));
        return proxy.asked === asked;
      });
      const requests = (proxy.asked - before) / REQUEST_OCTETS;
      const seconds = (performance.now() - from) / 1000;
      // 50 looks a second, of three reads each; as many again for the states that the daemon writes; a few requests at first.
      assert(
        requests < seconds * 300 + 50,
        `${requests} requests in ${seconds} s for ${NAMES * ROUNDS} writes`,
      );
      assert(!daemon.ended);
    }));
}
