// SPDX-License-Identifier: MIT
/**
 * The descriptors of a hardware PCM. The PCM's own is ready while frames are available. The other one is a PCM timer's
 * (`snd_timer_t`), which gets an event with each period interrupt; libasound opens that timer for `period_event`.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { POLL } from "../../../ffi/libc/libc.ts";
import { OpenFile } from "../machine/files.ts";

/** alsa/timer.h: the default length of the queue, the events, and `sizeof(struct snd_timer_tread64)`. */
const QUEUE = 128;
const EVENT = { TICK: 1, MSUSPEND: 17 } as const;
const EVENT_BYTES = 32;

export class PeriodTimer extends OpenFile {
  readonly #events: { readonly event: number; readonly time: number }[] = [];
  #isGone = false;

  /** @param closedByOthers called when the program closes the descriptor, which is libasound's */
  constructor(private readonly closedByOthers: () => void) {
    super();
  }

  /** A period interrupt. */
  tick(time: number): void {
    this.#add(EVENT.TICK, time);
  }

  suspended(time: number): void {
    this.#add(EVENT.MSUSPEND, time);
  }

  #add(event: number, time: number): void {
    // A full queue drops new events (snd_timer_user_append_to_tqueue).
    if (this.#events.length < QUEUE) this.#events.push({ event, time });
    this.changed();
  }

  /** The card is gone (snd_timer_user_disconnect). */
  disconnect(): void {
    this.#isGone = true;
    this.changed();
  }

  ready(): number {
    return (this.#events.length > 0 ? POLL.IN : 0) | (this.#isGone ? POLL.ERR : 0);
  }

  override read(into: Uint8Array): number {
    if (this.#events.length === 0) return this.#isGone ? -ERRNO.ENODEV : -ERRNO.EAGAIN;
    const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
    let at = 0;
    for (; at + EVENT_BYTES <= into.length && this.#events.length > 0; at += EVENT_BYTES) {
      const { event, time } = this.#events.shift()!;
      view.setInt32(at, event, true);
      view.setInt32(at + 4, 0, true);
      view.setBigInt64(at + 8, BigInt(Math.floor(time / 1e6)), true);
      view.setBigInt64(at + 16, BigInt(time % 1e6) * 1000n, true);
      view.setUint32(at + 24, 1, true);
      view.setUint32(at + 28, 0, true);
    }
    return at === 0 ? -ERRNO.EINVAL : at;
  }

  override close(): void {
    this.closedByOthers();
  }
}

/** The PCM's own descriptor. */
export class PcmFile extends OpenFile {
  /** @param readiness the `POLL.*` bits that poll(2) would report now */
  constructor(private readonly readiness: () => number, private readonly closedByOthers: () => void) {
    super();
  }

  ready(): number {
    return this.readiness();
  }

  override close(): void {
    this.closedByOthers();
  }
}
