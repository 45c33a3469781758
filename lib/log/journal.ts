// SPDX-License-Identifier: MIT
/** Priorities for systemd's journal: each line of a service's stderr begins with its priority, `<N>` (sd-daemon(3)). */
import type { LogLevel } from "@logtape/logtape";
import { libc } from "../../ffi/libc/libc.ts";

/** Priorities of syslog(3), from LOG_CRIT to LOG_DEBUG. */
const PRIORITIES: Readonly<Record<LogLevel, number>> = {
  fatal: 2,
  error: 3,
  warning: 4,
  info: 6,
  debug: 7,
  trace: 7,
};

export function withPriority(level: LogLevel, line: string): string {
  return `<${PRIORITIES[level]}>${line}`;
}

/**
 * Whether the journal reads the descriptor `fd`. `$JOURNAL_STREAM` names the journal's stream by device and inode, so a redirected
 * descriptor does not match (systemd.exec(5)).
 */
export function isJournal(fd: number): boolean {
  const stream = Deno.env.get("JOURNAL_STREAM");
  if (!stream) return false;
  const stat = new BigUint64Array(32); // struct stat { dev_t st_dev; ino_t st_ino; ... }, of at most 144 octets
  const { fstat } = libc();
  return fstat !== null && fstat(fd, stat) === 0 && stream === `${stat[0]}:${stat[1]}`;
}
