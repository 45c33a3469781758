// SPDX-License-Identifier: MIT
/** Processor time of this process and of its threads, by clock_gettime(2). Reading /proc would take all of Deno's permissions. */
import { CLOCK, libc } from "./libc.ts";

/** This thread's number, for {@link threadCpuSeconds}; 0 if the C library lacks gettid (before glibc 2.30). */
export function threadId(): number {
  return libc().gettid?.() ?? 0;
}

/** Seconds of processor time that all threads of this process have used. */
export function processCpuSeconds(): number {
  return secondsOf(CLOCK.PROCESS_CPUTIME_ID) ?? 0;
}

/** Seconds of processor time that the thread `tid` of this process has used; undefined if there is no such thread. */
export function threadCpuSeconds(tid: number): number | undefined {
  return tid === 0 ? undefined : secondsOf(clockOfThread(tid));
}

/** The clock of one thread, as pthread_getcpuclockid(3) gives: linux/posix-timers.h, MAKE_THREAD_CPUCLOCK: CPUCLOCK_SCHED (2) of a thread (4). */
const clockOfThread = (tid: number) => ~tid << 3 | 4 | 2;

function secondsOf(clock: number): number | undefined {
  const time = new BigInt64Array(2); // struct timespec { s, ns }
  if (libc().clock_gettime(clock, time) !== 0) return undefined;
  return Number(time[0]) + Number(time[1]) / 1e9;
}
