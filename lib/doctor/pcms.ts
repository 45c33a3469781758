// SPDX-License-Identifier: MIT
/** Checking the PCMs that the policies of guests' streams name: each is opened for a moment. */
import { deviceProblem } from "../probe/device_problem.ts";
import type { StreamPolicy } from "../vsnd/model/card.ts";
import { readBackendPolicy } from "../vsnd/nodes/policy_nodes.ts";
import { backendsPath } from "../xenbus/mod.ts";
import type { Xen } from "../xen/ports.ts";
import { daemonStatus } from "./daemon_running.ts";
import { type Check, fail, type Finding, ok, skip, warn } from "./doctor_finding.ts";
import { pcmOwners } from "./pcm_owners.ts";
import { withXen } from "./xenstore.ts";

const SUBJECT = "PCMs of streams";

export const pcmChecks: readonly Check[] = [{ subject: SUBJECT, run: () => withXen(SUBJECT, pcms) }];

/** Opens each PCM for a moment, except those that a guest uses. */
async function pcms({ store, domid }: Xen): Promise<Finding[]> {
  const streams = namedStreams({ store, domid });
  if (streams.length === 0) return [skip(SUBJECT, "no card of this backend names a PCM")];
  const status = await daemonStatus().catch(() => undefined);
  const findings: Finding[] = [];
  for (const stream of streams) {
    const subject = `${stream.type} ${stream.device}`;
    const user = status?.streams.find(({ device, type, state }) =>
      device === stream.device && type === stream.type && state !== "closed" && state !== "detached"
    );
    findings.push(
      user === undefined ? await tryStream(subject, stream) : ok(subject, `in use by ${user.stream}`),
    );
  }
  return findings;
}

/** The streams that are not denied: one of those with the same device, direction and parameters. */
function namedStreams({ store, domid }: Pick<Xen, "store" | "domid">): StreamPolicy[] {
  const root = backendsPath(domid);
  const found = new Map<string, StreamPolicy>();
  for (const guest of store.list(root) ?? []) {
    for (const card of store.list(`${root}/${guest}`) ?? []) {
      for (const stream of policyStreams(store, `${root}/${guest}/${card}`)) {
        const { type, device, denied, effective } = stream;
        if (!denied) found.set(JSON.stringify([type, device, effective]), stream);
      }
    }
  }
  return [...found.values()];
}

/** The streams of a card's policy; none if the policy is damaged, which cards.ts reports. */
function policyStreams(store: Xen["store"], backend: string): readonly StreamPolicy[] {
  try {
    return readBackendPolicy(store, backend)?.pcms.flatMap(({ streams }) => streams) ?? [];
  } catch {
    return [];
  }
}

async function tryStream(subject: string, stream: StreamPolicy): Promise<Finding> {
  const problem = await deviceProblem(stream);
  if (problem === undefined) return ok(subject, "can be opened");
  const { kind, reason, advice } = problem;
  if (kind === "unasked") return skip(subject, "libasound cannot be loaded");
  const cure = { ...(advice !== undefined && { mend: advice }) };
  if (kind === "busy") {
    const owners = pcmOwners();
    const by = owners.length === 0 ? "" : `: cards are in use by ${owners.join(", ")}`;
    return warn(subject, `busy${by}`, cure);
  }
  if (kind === "mismatch") {
    return fail(subject, `the device can do nothing that the stream allows: ${reason}`, cure);
  }
  return fail(subject, reason, cure);
}
