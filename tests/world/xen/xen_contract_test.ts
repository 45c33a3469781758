// SPDX-License-Identifier: MIT
/** The world's Xen keeps the contracts of the Xen ports, through the production classes over its libraries. */
import { openStore } from "../../../lib/xen/store/library_store.ts";
import { storeContract } from "../../unit/store_contract.ts";
import { eventChannelContract, grantContract } from "../../unit/xen_contract.ts";
import { test } from "./xen_bench.ts";

for (const { name, run } of [...grantContract, ...eventChannelContract]) {
  test(`the world's Xen, ${name}`, async (bench) => {
    using backend = bench.xenOf(0);
    using frontend = bench.xenOf(1);
    await run({ backend, frontend });
  });
  test(`the world's Xen within one domain, ${name}`, async (bench) => {
    using xen = bench.xenOf(1);
    await run({ backend: xen, frontend: xen });
  });
}

for (const { name, run } of storeContract) {
  test(`the world's XenStore: ${name}`, (bench) => run((domid = 0) => bench.as(domid, () => openStore())));
}
