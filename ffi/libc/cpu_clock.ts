// SPDX-License-Identifier: MIT
/** Processor time of this process and of its threads, by clock_gettime(2): /proc would need all of Deno's permissions. */
import { libc } from "./libc.ts";

/** time.h: CLOCK_PROCESS_CPUTIME_ID. */
const PROCESS = 2;

/** This thread's number, by which {@link threadCpuSeconds} knows it; 0 if the C library is too old to tell. */
export function threadId(): number {
  return libc().gettid?.() ?? 0;
}

/** Seconds that all threads of this process have run for. */
export function processCpuSeconds(): number {
  return secondsOf(PROCESS) ?? 0;
}

/** Seconds that the thread `tid` of this process has run for; undefined if there is none. */
export function threadCpuSeconds(tid: number): number | undefined {
  return tid === 0 ? undefined : secondsOf(clockOfThread(tid));
}

/** linux/posix-timers.h, MAKE_THREAD_CPUCLOCK: CPUCLOCK_SCHED (2) of one thread (4), which pthread_getcpuclockid(3) gives, too. */
const clockOfThread = (tid: number) => ~tid << 3 | 4 | 2;

function secondsOf(clock: number): number | undefined {
  const time = new BigInt64Array(2); // struct timespec { s, ns }
  if (libc().clock_gettime(clock, time) !== 0) return undefined;
  return Number(time[0]) + Number(time[1]) / 1e9;
}
