// SPDX-License-Identifier: MIT
/** That the daemon leaves no honest guest's stream by itself: a ring is let go of when its guest or the toolstack wants that. */
import { XENSND_FIELD_RING_REF } from "../../../lib/sndif/mod.ts";
import { XenbusState } from "../../../lib/xenbus/mod.ts";
import type { World } from "../world.ts";
import type { ForeignMapping } from "../xen/hypervisor.ts";

/** What is wrong with a process's letting go of `mapping`, which it does now; undefined: nothing. */
export function leaveProblem(
  world: World,
  { domain, grants, isWritable }: ForeignMapping,
): string | undefined {
  const run = world.daemons.serving();
  const guest = world.population.of(domain);
  const { hypervisor } = world.host.xen;
  if (run === undefined || !run.process.isAlive || grants.length !== 1 || !isWritable) return undefined;
  if (guest === undefined || !guest.isHonest || hypervisor.domain(domain.domid) !== domain) return undefined;
  const gref = grants[0]!.gref;
  const account = [...guest.kernel.accounts].find(({ ringRef }) => ringRef === gref);
  if (account === undefined) return undefined;
  const { nodes } = world;
  const [nodename, place] = account.name.split(" ") as [string, string];
  const frontend = `/local/domain/${domain.domid}/${nodename}`;
  const backend = `/local/domain/0/backend/vsnd/${domain.domid}/${nodename.split("/").at(-1)}`;
  const connected = String(XenbusState.Connected);
  const isConnected = nodes.value(`${frontend}/state`) === connected &&
    nodes.value(`${backend}/state`) === connected && nodes.value(`${backend}/online`) === "1" &&
    nodes.value(`${frontend}/${place}/${XENSND_FIELD_RING_REF}`) === String(gref);
  return isConnected
    ? `${guest.name}(${domain.domid}) ${account.name} is let go of, and both ends are Connected`
    : undefined;
}
