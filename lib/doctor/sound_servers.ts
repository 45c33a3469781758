// SPDX-License-Identifier: MIT
/** Looks for the sound servers of users and of the system, and says how the daemon's service reaches them. */
import { exists } from "./host.ts";
import { type Check, type Finding, ok, skip } from "./doctor_finding.ts";

const SUBJECT = "sound servers";

/** The sockets that a server has in its directory. */
const SOCKETS = { PulseAudio: "pulse/native", PipeWire: "pipewire-0" };
/** The same of a server for all users. */
const SYSTEM_SOCKETS = { PulseAudio: "pulse/native", PipeWire: "pipewire/pipewire-0" };

export const soundServerChecks: readonly Check[] = [{ subject: SUBJECT, run: () => soundServers("/run") }];

/** @param run the directory `/run` */
export function soundServers(run: string): Finding[] {
  const system = Object.entries(SYSTEM_SOCKETS).map(([server, socket]) =>
    [server, `${run}/${socket}`] as const
  );
  const findings = [
    ...system.filter(([, path]) => exists(path)).map(([server, path]) =>
      ok(SUBJECT, `${server} of the system: ${path}`)
    ),
    ...users(`${run}/user`).flatMap((uid) => ofUser(uid, `${run}/user/${uid}`)),
  ];
  return findings.length > 0 ? findings : [skip(SUBJECT, "neither a user nor the system has one")];
}

function ofUser(uid: string, directory: string): Finding[] {
  const found = Object.entries(SOCKETS).filter(([, socket]) => exists(`${directory}/${socket}`));
  if (found.length === 0) return [];
  const sockets = found.map(([server, socket]) => `${server} at ${directory}/${socket}`).join(", ");
  return [{
    ...ok(SUBJECT, `of user ${uid}: ${sockets}`),
    mend:
      "the service does not reach it: ProtectHome=yes hides the socket, which is its user's alone, and PulseAudio wants the " +
      "user's cookie. docs/getting-started.md#sound-servers has a second socket for the service",
  }];
}

function users(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => name).filter((name) => /^\d+$/.test(name))
      .sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
