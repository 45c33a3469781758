// SPDX-License-Identifier: MIT
/** Checking that the daemon answers, and that its streams are well. */
import { ControlClient } from "../control/control_client.ts";
import type { DeclaredGuest, StatusReport, StreamReport } from "../control/protocol.ts";
import { Exit, XsndError } from "../base/error.ts";
import { type Check, type Finding, fromError, ok, skip, warn } from "./doctor_finding.ts";

/** A stream with this many xruns of the host's is reported. A few fewer may come from one busy moment. */
const MANY_XRUNS = 10;

export const daemonChecks: readonly Check[] = [{ subject: "daemon", run: daemon }];

/** The daemon's own report. Throws {@link XsndError}; exit 3 if no daemon answers. */
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
      return [warn("daemon", "no daemon answers: guests' cards are not served", { command: "xsnd serve" })];
    }
    return [fromError("daemon", error)];
  }
  const { pid, streams, declared } = status;
  return [
    ok("daemon", `process ${pid}, streams: ${streams.length}`),
    ...(declared?.guests ?? []).flatMap((guest) => ofDeclared(guest, declared!.file)),
    ...streams.flatMap(ofStream),
  ];
}

function ofDeclared({ domain, domid, problem }: DeclaredGuest, file: string): Finding[] {
  if (problem === undefined) return [];
  if (domid === undefined) return [skip(domain, `${file} declares its cards, and it does not run`)];
  const what = `it has not the cards that ${file} declares: ${problem}`;
  return [warn(domain, what, { command: `xsnd diff ${domid} -f ${file}` })];
}

function ofStream(report: StreamReport): Finding[] {
  const { stream, device, cardLost, cardStalled, hostXruns, protocolErrors } = report;
  const findings: Finding[] = [];
  if (cardStalled) {
    const mend = "resume its sound server, or give it a sink or source: the daemon goes on by itself";
    findings.push(warn(stream, `its device ${device} stands still: the guest gets silence`, { mend }));
  } else if (cardLost) {
    const mend =
      "plug the device in, start its sound server, or end the program that uses it: the daemon goes on by itself";
    findings.push(warn(stream, `its device ${device} is lost or busy: the guest gets silence`, { mend }));
  }
  if (hostXruns >= MANY_XRUNS) {
    const mend = "give the daemon real-time scheduling, or the guest longer periods";
    const what = `${hostXruns} xruns because this host was late`;
    findings.push(warn(stream, what, { mend, command: "xsnd serve --realtime" }));
  }
  if (protocolErrors > 0) {
    const mend = "the guest's driver is broken, or its kernel hostile; the daemon's log has the details";
    findings.push(warn(stream, `its guest broke the protocol ${protocolErrors} times`, { mend }));
  }
  return findings;
}
