// SPDX-License-Identifier: MIT
/** Domains of an embedded Xen that come and go, as xl makes and destroys them (libxl_create.c, libxl_domain.c). */
import assert from "node:assert/strict";
import { socketPath } from "../../lib/xen/embedded/layout.ts";
import { Xs } from "../../lib/xen/embedded/server/wire.ts";
import { WireClient } from "../unit/xenstore_wire_client.ts";
import type { Box } from "./harness.ts";

async function asDom0(box: Box, ...requests: [Xs: number, parts: string[]][]): Promise<void> {
  using dom0 = await WireClient.connect(socketPath(box.xen, 0));
  for (const [request, parts] of requests) assert.equal((await dom0.call(request, parts)).text, "OK\0");
}

/** Makes a domain; without `name` its name is written later. */
export async function makeDomain(box: Box, domid: number, name?: string): Promise<void> {
  const path = `/local/domain/${domid}`;
  await asDom0(
    box,
    [Xs.MKDIR, [path]],
    [Xs.SET_PERMS, [path, "n0", `r${domid}`]],
    [Xs.WRITE, [`${path}/vm`, `/vm/${crypto.randomUUID()}`]],
    [Xs.MKDIR, [`${path}/device`]],
    [Xs.SET_PERMS, [`${path}/device`, "n0", `r${domid}`]],
    [Xs.MKDIR, [`${path}/data`]],
    [Xs.SET_PERMS, [`${path}/data`, `n${domid}`]],
    [Xs.INTRODUCE, [String(domid), "1", "1"]],
  );
  if (name !== undefined) await box.xenstore("write", `${path}/name`, name);
}

/** `xl destroy`: the domain, and all that XenStore has of it. */
export async function destroyDomain(box: Box, domid: number): Promise<void> {
  await asDom0(box, [Xs.RELEASE, [String(domid)]]);
  for (const path of [`/libxl/${domid}`, `/local/domain/${domid}`, `/local/domain/0/backend/vsnd/${domid}`]) {
    await box.xenstore("rm", path).catch(() => {});
  }
}
