// SPDX-License-Identifier: MIT
/**
 * Real-time scheduling for `xsnd serve --realtime`: the engine has a processor whenever it wants one. Memory is not locked
 * (mlockall): V8 gives pages back with MADV_DONTNEED, which fails on locked pages, and then ends the process.
 */
import { clearErrno, errno } from "../../ffi/libc/failed_call.ts";
import { libc, SCHED } from "../../ffi/libc/libc.ts";

/** Above ordinary programs, below the kernel's own interrupt threads (50). */
const PRIORITY = 20;

/** Gives the calling thread SCHED_FIFO. Returns 0 or an errno; EPERM without CAP_SYS_NICE and RLIMIT_RTPRIO. */
export function scheduleRealtime(): number {
  clearErrno();
  const parameters = Int32Array.of(PRIORITY); // struct sched_param
  const failed = libc().sched_setscheduler(0, SCHED.FIFO | SCHED.RESET_ON_FORK, parameters) !== 0;
  return failed ? errno() : 0;
}
