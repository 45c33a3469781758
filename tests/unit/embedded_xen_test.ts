// SPDX-License-Identifier: MIT
import { withSandbox } from "../../lib/xen/embedded/sandbox.ts";
import { openXen } from "../../lib/xen/mod.ts";
import { eventChannelContract, grantContract } from "./xen_contract.ts";

const cases = [...grantContract, ...eventChannelContract];

Deno.test("the embedded Xen keeps the contract between dom0 and a guest", (t) =>
  withSandbox({ domains: ["domU"] }, async ({ directory: sandbox }) => {
    using backend = await openXen({ sandbox, domid: 0 });
    using frontend = await openXen({ sandbox, domid: 1 });
    for (const { name, run } of cases) await t.step(name, () => run({ backend, frontend }));
  }));

Deno.test("the embedded Xen keeps the contract between two guests, and a domain and itself", (t) =>
  withSandbox({ domains: ["domU", "domV"] }, async ({ directory: sandbox }) => {
    using guest = await openXen({ sandbox, domid: 1 });
    using other = await openXen({ sandbox, domid: 2 });
    for (const { name, run } of cases) {
      await t.step(`guests, ${name}`, () => run({ backend: other, frontend: guest }));
    }
    for (const { name, run } of cases) {
      await t.step(`itself, ${name}`, () => run({ backend: guest, frontend: guest }));
    }
  }));
