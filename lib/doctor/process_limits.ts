// SPDX-License-Identifier: MIT
/** Checking the resource limits of the running daemon, or of a daemon that would be started here. */
import { type Check, type Finding, ok, warn } from "./doctor_finding.ts";
import { daemonStatus } from "./daemon_running.ts";
import { readText } from "./host.ts";

/** linux/capability.h */
const CAP_SYS_NICE = 23;
/** A stream takes about ten file descriptors. */
const MIN_DESCRIPTORS = 1024;

export const limitChecks: readonly Check[] = [
  { subject: "real time", run: realtime },
  { subject: "throttling", run: throttling },
  { subject: "files", run: files },
  { subject: "locked memory", run: lockedMemory },
];

/** The process whose limits are checked, as its directory in /proc and in words. */
async function subject(): Promise<{ proc: string; whose: string }> {
  const pid = await daemonStatus().then(({ pid }) => pid, () => undefined);
  return pid === undefined || readText(`/proc/${pid}/limits`) === undefined
    ? { proc: "/proc/self", whose: "a daemon started here" }
    : { proc: `/proc/${pid}`, whose: "the daemon" };
}

/** The soft limit called `name` in proc(5): Infinity if unlimited, undefined if it cannot be read. */
function softLimit(proc: string, name: string): number | undefined {
  const line = readText(`${proc}/limits`)?.split("\n").find((line) => line.startsWith(name));
  const soft = line?.slice(name.length).trim().split(/\s+/)[0];
  return soft === undefined ? undefined : soft === "unlimited" ? Infinity : Number(soft);
}

async function realtime(): Promise<Finding> {
  const { proc, whose } = await subject();
  const capabilities = BigInt(
    `0x${readText(`${proc}/status`)?.match(/^CapEff:\s*([0-9a-f]+)$/m)?.[1] ?? "0"}`,
  );
  if (capabilities >> BigInt(CAP_SYS_NICE) & 1n) return ok("real time", `${whose} has CAP_SYS_NICE`);
  const priority = softLimit(proc, "Max realtime priority") ?? 0;
  if (priority > 0) return ok("real time", `${whose} may have priorities up to ${priority}`);
  return warn("real time", `${whose} has neither CAP_SYS_NICE nor RLIMIT_RTPRIO: no --realtime`, {
    mend: "run as root, or raise the limit: LimitRTPRIO=20 in a systemd unit, or",
    command: "prlimit --rtprio=20 xsnd serve --realtime",
  });
}

function throttling(): Finding {
  const path = "/proc/sys/kernel/sched_rt_runtime_us";
  const runtime = readText(path)?.trim();
  if (runtime === "0") {
    const command = "sysctl -w kernel.sched_rt_runtime_us=950000";
    return warn("throttling", "the kernel gives real-time threads no processor time", { command });
  }
  if (runtime === undefined) return ok("throttling", "the kernel has no such limit");
  return ok(
    "throttling",
    runtime === "-1"
      ? "real-time threads are not throttled"
      : `real-time threads get ${runtime} µs of each second`,
  );
}

async function files(): Promise<Finding> {
  const { proc, whose } = await subject();
  const limit = softLimit(proc, "Max open files");
  if (limit === undefined || limit >= MIN_DESCRIPTORS) {
    return ok("files", `${whose} may open ${limit ?? "any number of"} files`);
  }
  return warn("files", `${whose} may open only ${limit} files: a stream takes about ten`, {
    mend: `start the daemon with a higher limit: LimitNOFILE=${MIN_DESCRIPTORS} in a systemd unit, or`,
    command: `ulimit -n ${MIN_DESCRIPTORS}`,
  });
}

/** xsnd locks no memory (`lib/engine/realtime.ts` says why). The finding says so because other sound servers need a high limit. */
async function lockedMemory(): Promise<Finding> {
  const { proc, whose } = await subject();
  const limit = softLimit(proc, "Max locked memory");
  const amount = limit === undefined || limit === Infinity ? "any amount" : `${Math.round(limit / 1024)} KiB`;
  return ok("locked memory", `${whose} may lock ${amount}, and locks none`);
}
