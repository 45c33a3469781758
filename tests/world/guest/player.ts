// SPDX-License-Identifier: MIT
/** Programs of one purpose: a player as aplay, and a recorder as arecord. */
import type { Random } from "../machine/random.ts";
import type { PcmConfig } from "./hw_params.ts";
import type { LinuxKernel } from "./linux_kernel.ts";
import { Program, type StreamPlace } from "./program.ts";
import type { Blocking } from "./tasks.ts";

export interface TransferPlan {
  readonly config: PcmConfig;
  /** Frames to play or record. */
  readonly frames: number;
  /** Frames of each read or write. */
  readonly chunkFrames: number;
  /** Frames in the buffer at which playback starts. */
  readonly startFrames: number;
}

/** A plan of up to some twenty buffers, or of two hundred. */
export function choosePlan(random: Random, config: PcmConfig): TransferPlan {
  const { bufferFrames, periodFrames } = config;
  const chunks = [periodFrames, periodFrames, bufferFrames, Math.ceil(periodFrames / 3), periodFrames + 1];
  return {
    config,
    frames: random.between(1, (random.oneIn(3) ? 20 : 200) * bufferFrames),
    chunkFrames: random.pick(chunks),
    startFrames: random.pick([bufferFrames, bufferFrames, periodFrames, 1]),
  };
}

/** A program that transfers what it plans to, unless somebody types Control-C. */
abstract class TransferProgram extends Program {
  protected isStopping = false;

  constructor(kernel: LinuxKernel, name: string, at: StreamPlace, protected readonly plan: TransferPlan) {
    super(kernel, name, at);
  }

  override step(random: Random): void {
    super.step(random);
    if (random.oneIn(16)) this.isStopping = true;
  }
}

/** Writes whenever there is room, prepares the PCM again after an xrun, and drains at the end; not after Control-C. */
export class Player extends TransferProgram {
  /** Frames that writes have taken. */
  written = 0;

  protected *main(): Blocking<void> {
    const { config, frames, chunkFrames, startFrames } = this.plan;
    const { bufferFrames, periodFrames } = yield* this.configure(config);
    this.pcm.swParams({
      availMin: periodFrames,
      startThreshold: Math.min(startFrames, bufferFrames),
      stopThreshold: bufferFrames,
    });
    yield* this.must("prepare", this.pcm.prepare());
    while (this.written < frames && !this.isStopping) {
      const size = Math.min(chunkFrames, frames - this.written);
      const taken = yield* this.call(this.pcm.write(size, true));
      if (taken < 0) yield* this.recover("write", taken);
      else this.written += taken;
    }
    if (this.isStopping) yield* this.call(this.pcm.drop());
    else yield* this.call(this.pcm.drain());
    yield* this.call(this.pcm.hwFree());
  }
}

/** Reads as samples come, and prepares the PCM again after an xrun. */
export class Recorder extends TransferProgram {
  taken = 0;

  protected *main(): Blocking<void> {
    const { config, frames, chunkFrames } = this.plan;
    const { bufferFrames, periodFrames } = yield* this.configure(config);
    this.pcm.swParams({ availMin: periodFrames, startThreshold: 1, stopThreshold: bufferFrames });
    yield* this.must("prepare", this.pcm.prepare());
    while (this.taken < frames && !this.isStopping) {
      const got = yield* this.call(this.pcm.read(Math.min(chunkFrames, frames - this.taken), true));
      if (got < 0) yield* this.recover("read", got);
      else this.taken += got;
    }
    yield* this.call(this.pcm.drop());
    yield* this.call(this.pcm.hwFree());
  }
}
