// SPDX-License-Identifier: MIT
/**
 * A dummy card whose clock the test moves, with a file in memory. Its frames are 32-bit numbers, so that each can be told
 * from every other; 0 is silence.
 */
import { unwrap } from "../../ffi/libc/failed_call.ts";
import { libc } from "../../ffi/libc/libc.ts";
import { cString } from "../../ffi/base/c_string.ts";
import { DummyPcm } from "../../lib/pcm/dummy/pcm.ts";
import type { Direction } from "../../lib/pcm/pcm.ts";
import { formatByName } from "../../lib/sndif/mod.ts";

export const FRAME_BYTES = 4;

/** A frame a millisecond, so that no frame boundary is a matter of rounding. */
const RATE = 1000;

export interface DummyCardOptions {
  readonly bufferFrames: number;
  readonly periodFrames?: number;
  /** Capture: what it hears. */
  readonly heard?: Uint32Array<ArrayBuffer>;
  /** Milliseconds on the clock when the card is made. */
  readonly now?: number;
  /** That of the card which it replaces. */
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

  /** Moves the clock on. The card does not know until it is asked. */
  advance(frames: number): void {
    this.#now += frames;
  }

  /** The frames in its file. */
  played(): number[] {
    return Array.from(new Uint32Array(Deno.readFileSync(`/proc/self/fd/${this.#fd}`).buffer));
  }

  /** {@link played}, of a card that was released already. */
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

/** `count` frames from `first` on. */
export function frames(first: number, count: number): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: count }, (_, i) => first + i);
}
