// SPDX-License-Identifier: MIT
/**
 * How the virtual libasound makes a call on a handle: it reports misuse, counts the system call, obeys the world's orders, and takes
 * its time. No function here is a method of a PCM: see `host_pcm.ts`.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { currentThread } from "../machine/process.ts";
import type { SoundCall } from "./faults.ts";
import type { HostCards } from "./host_cards.ts";
import type { HostPcm } from "./host_pcm.ts";
import type { Pointer } from "./structures.ts";

/** µs that a call of the pool's threads takes beside what the device asks for. */
const POOL_MICROS = 50;

type Work = (pcm: HostPcm, now: number) => number;

/** The handle for a call of the running thread. Undefined, and reported, if the handle is closed. */
export function entered(host: HostCards, pointer: Pointer, call: string): HostPcm | undefined {
  const pcm = host.at(pointer);
  if (pcm.closedAt !== undefined) {
    host.reports.violated(`${call} on the closed PCM ${pcm.label}`);
    return undefined;
  }
  if (pcm.busyUntil > 0) {
    const thread = currentThread();
    if (pcm.busyThread !== thread && pcm.busyUntil > thread.now) {
      host.reports.violated(`${call} on ${pcm.label} while another thread's call on it is under way`);
    }
  }
  return pcm;
}

/** Obeys the world's orders for a call of the running thread: takes the time, and returns the negative errno of a failure, or 0. */
export function ordered(pcm: HostPcm, call: SoundCall): number {
  const { faults } = pcm.end;
  if (faults.isEmpty) return 0;
  const { micros, errno } = faults.take(call);
  if (micros > 0) {
    const thread = currentThread();
    if (call === "drop" && pcm.configuration !== undefined) {
      pcm.settle(thread.now);
      pcm.isDropping = true;
    }
    thread.spend(micros);
    [pcm.busyThread, pcm.busyUntil] = [thread, thread.now];
  }
  return -errno;
}

/** A system call of the running thread. */
export function call(host: HostCards, pointer: Pointer, name: SoundCall, work: Work): number {
  const thread = currentThread();
  thread.process.call();
  const pcm = entered(host, pointer, name);
  if (pcm === undefined) return -ERRNO.EBADFD;
  const failure = ordered(pcm, name);
  const result = failure < 0 ? failure : work(pcm, thread.now);
  pcm.isDropping = false;
  const isUnread = result < 0 && result !== -ERRNO.EPIPE || thread.now < pcm.blind.until;
  if (name === "avail" && isUnread && pcm.configuration !== undefined) {
    pcm.settle(thread.now);
    pcm.end.reports.unread?.(pcm, thread.now);
  }
  return result;
}

/** A call of a thread of the pool: `work` runs `micros` µs from now, unless the process dies before. */
export function later(micros: number, work: (now: number) => number): Promise<number> {
  const { process } = currentThread();
  return new Promise((resolve) => {
    const entry = process.clock.after(micros + POOL_MICROS, () => {
      forget();
      const result = work(process.clock.now);
      process.main.post(process.latency(), () => resolve(result));
    });
    const forget = process.atEnd(() => process.clock.cancel(entry));
  });
}

/** A call of a thread of the pool on a handle, which takes `micros` µs. */
export function pooled(
  host: HostCards,
  pointer: Pointer,
  name: SoundCall,
  micros: number,
  work: Work,
): Promise<number> {
  currentThread().process.call();
  const pcm = entered(host, pointer, name);
  if (pcm === undefined) return Promise.resolve(-ERRNO.EBADFD);
  const fault = pcm.end.faults.take(name);
  [pcm.busyThread, pcm.busyUntil] = [undefined, Infinity];
  return later(micros + fault.micros, (now) => {
    pcm.busyUntil = 0;
    return fault.errno !== 0 ? -fault.errno : work(pcm, now);
  });
}
