// SPDX-License-Identifier: MIT
/** The daemon: whether it answers, and how its streams are. */
import { ControlClient } from "../control/control_client.ts";
import type { StatusReport, StreamReport } from "../control/protocol.ts";
import { Exit, XsndError } from "../base/error.ts";
import { type Check, type Finding, fromError, ok, warn } from "./doctor_finding.ts";

/** Of the host's doing, since the card is served: a few happen when a machine is busy once. */
const MANY_XRUNS = 10;

export const daemonChecks: readonly Check[] = [{ subject: "daemon", run: daemon }];

/** What the daemon says of itself. Throws {@link XsndError}; exit 3 if there is none. */
export async function daemonStatus(): Promise<StatusReport> {
  using client = await ControlClient.connect(0);
  return await client.call({ command: "status" });
}

async function daemon(): Promise<Finding[]> {
  let status: StatusReport;
  try {
    status = await daemonStatus();
  } catch (error) {
    if (error instanceof XsndError && error.exitCode === Exit.noDaemon) {
      return [warn("daemon", "none answers: guests' cards are not served", { command: "xsnd serve" })];
    }
    return [fromError("daemon", error)];
  }
  const { pid, streams } = status;
  return [ok("daemon", `process ${pid}, streams: ${streams.length}`), ...streams.flatMap(ofStream)];
}

function ofStream(report: StreamReport): Finding[] {
  const { stream, device, cardLost, hostXruns, protocolErrors } = report;
  const findings: Finding[] = [];
  if (cardLost) {
    const mend =
      "plug it in, start its sound server, or end what else plays to it: the daemon goes on with it by itself";
    findings.push(warn(stream, `its card ${device} is lost, or busy: the guest gets silence`, { mend }));
  }
  if (hostXruns >= MANY_XRUNS) {
    const mend = "give the daemon real-time scheduling, or the guest longer periods";
    const what = `${hostXruns} xruns that are this host's doing`;
    findings.push(warn(stream, what, { mend, command: "xsnd serve --realtime" }));
  }
  if (protocolErrors > 0) {
    const mend = "its driver is broken, or its kernel hostile; the daemon's log says what it did";
    findings.push(warn(stream, `its guest broke the protocol ${protocolErrors} times`, { mend }));
  }
  return findings;
}
