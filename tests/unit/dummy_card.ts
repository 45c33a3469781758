// SPDX-License-Identifier: MIT
/**
 * A dummy device on a clock that the test sets, with a file in memory. A frame is a 32-bit number, so no two frames look
 * alike. 0 is silence.
 */
import { unwrap } from "../../ffi/libc/failed_call.ts";
import { libc } from "../../ffi/libc/libc.ts";
import { cString } from "../../ffi/base/c_string.ts";
import { DummyPcm } from "../../lib/pcm/dummy/pcm.ts";
import type { Direction } from "../../lib/pcm/pcm.ts";
import { formatByName } from "../../lib/sndif/mod.ts";

export const FRAME_BYTES = 4;

/** One frame a millisecond: no frame boundary depends on rounding. */
const RATE = 1000;

export interface DummyCardOptions {
  readonly bufferFrames: number;
  readonly periodFrames?: number;
  /** Capture only: the frames that the device records. */
  readonly heard?: Uint32Array<ArrayBuffer>;
  /** The clock when the device is created, in milliseconds. */
  readonly now?: number;
  /** The staging buffer of the device that this device replaces. */
  readonly staging?: ArrayBuffer;
}

export class DummyCard implements Disposable {
  readonly pcm: DummyPcm;
  readonly #fd = unwrap(libc().memfd_create(cString("xsnd-test"), 0), "memfd_create");
  #now: number;

  constructor(
    direction: Direction,
    { bufferFrames, periodFrames = 8, heard, now = 0, staging }: DummyCardOptions,
  ) {
    this.#now = now;
    if (heard !== undefined) {
      Deno.writeFileSync(`/proc/self/fd/${this.#fd}`, new Uint8Array(heard.buffer));
    }
    const params = {
      direction,
      rate: RATE,
      channels: 1,
      format: formatByName("s32_le")!.code,
      frameBytes: FRAME_BYTES,
      bufferFrames,
      periodFrames,
    };
    this.pcm = new DummyPcm({ kind: "dummy", params, fd: this.#fd }, () => this.#now, staging);
  }

  /** Advances the clock. The device notices at its next call. */
  advance(frames: number): void {
    this.#now += frames;
  }

  /** The frames in the device's file. */
  played(): number[] {
    return Array.from(new Uint32Array(Deno.readFileSync(`/proc/self/fd/${this.#fd}`).buffer));
  }

  /** As {@link played}, for a device that is already released. Closes the file. */
  retire(): number[] {
    const played = this.played();
    libc().close(this.#fd);
    return played;
  }

  [Symbol.dispose](): void {
    this.pcm.release();
    libc().close(this.#fd);
  }
}

/** `count` frames, numbered from `first` on. */
export function frames(first: number, count: number): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: count }, (_, i) => first + i);
}
