// SPDX-License-Identifier: MIT
/**
 * A sound server, as PipeWire or PulseAudio: keeps its PCM open, fills the buffer up to a latency by its own timer, and stops,
 * starts, rewinds, jumps, pauses and configures anew as its clients come and go.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import type { Random } from "../machine/random.ts";
import type { PcmConfig } from "./hw_params.ts";
import type { LinuxKernel } from "./linux_kernel.ts";
import { Program, type StreamPlace } from "./program.ts";
import type { Blocking } from "./tasks.ts";

export type ServerAction =
  | "rewind"
  | "forward"
  | "restart"
  | "idle"
  | "pause"
  | "configure"
  | "starve"
  | "end";

const ACTIONS: readonly ServerAction[] = [
  "rewind",
  "rewind",
  "rewind",
  "forward",
  "restart",
  "restart",
  "idle",
  "pause",
  "configure",
  "starve",
  "end",
];

export interface ServerPlan {
  readonly config: PcmConfig;
  /** Frames that the server keeps in the buffer. */
  readonly latencyFrames: number;
  /** Whether the core stops the stream at an underrun. PulseAudio wants no such stop. */
  readonly stopsAtXrun: boolean;
  /** Whether the guest's driver can pause, as Linux's cannot. */
  readonly canPause: boolean;
}

export function chooseServerPlan(random: Random, config: PcmConfig): ServerPlan {
  return {
    config,
    latencyFrames: random.between(config.periodFrames, config.bufferFrames),
    stopsAtXrun: !random.oneIn(3),
    canPause: random.oneIn(2),
  };
}

export class SoundServer extends Program {
  #actions: [ServerAction, amount: number][] = [];
  /** What the PCM got. */
  #config: PcmConfig;

  constructor(kernel: LinuxKernel, name: string, at: StreamPlace, private readonly plan: ServerPlan) {
    super(kernel, name, at);
    this.#config = plan.config;
  }

  override step(random: Random): void {
    if (random.oneIn(64)) return this.kill();
    const action = random.pick(ACTIONS);
    this.act(action, action === "end" && !random.oneIn(4) ? -1 : random.below(100));
  }

  /** Has the server do `action`; `amount` is in hundredths of what is possible. */
  act(action: ServerAction, amount: number): void {
    if (amount < 0) return;
    this.#actions.push([action, amount]);
    this.pushed.wakeAll();
  }

  protected *main(): Blocking<void> {
    yield* this.#configure();
    for (let isEnding = false; !isEnding;) {
      const action = this.#actions.shift();
      if (action !== undefined) isEnding = yield* this.#do(...action);
      else yield* this.#serve();
    }
    yield* this.call(this.pcm.drop());
    yield* this.call(this.pcm.hwFree());
  }

  *#configure(): Blocking<void> {
    const { stopsAtXrun } = this.plan;
    const config = yield* this.configure(this.plan.config);
    this.#config = config;
    this.pcm.swParams({
      availMin: config.periodFrames,
      startThreshold: Infinity,
      stopThreshold: stopsAtXrun ? config.bufferFrames : Infinity,
    });
    yield* this.must("prepare", this.pcm.prepare());
  }

  /** One turn: fills the buffer, starts if that is to be done, and sleeps until a part of the latency is left. */
  *#serve(): Blocking<void> {
    const { pcm } = this;
    const latencyFrames = Math.min(this.plan.latencyFrames, this.#config.bufferFrames);
    const error = yield* this.call(pcm.hwSync());
    if (error < 0) return yield* this.recover("hwsync", error);
    const queued = pcm.bufferFrames - pcm.avail;
    // After an underrun without a stop, the server goes on where the device is.
    if (queued < 0) yield* this.call(pcm.forward(-queued));
    const wanted = Math.min(latencyFrames - Math.max(0, queued), pcm.avail);
    if (wanted > 0) {
      const taken = yield* this.call(pcm.write(wanted, false));
      if (taken < 0 && taken !== -ERRNO.EAGAIN) return yield* this.recover("write", taken);
    }
    if (pcm.state === "prepared") {
      const started = yield* this.call(pcm.start());
      if (started < 0) return yield* this.recover("start", started);
    }
    yield* this.nap(Math.ceil(latencyFrames / 2 / this.#config.rate * 1e6));
  }

  /** Returns true at the end. */
  *#do(action: ServerAction, amount: number): Blocking<boolean> {
    const { pcm, plan: { canPause } } = this;
    const share = Math.floor(this.#config.bufferFrames * amount / 100);
    switch (action) {
      case "rewind":
        yield* this.call(pcm.rewind(share));
        break;
      case "forward":
        yield* this.call(pcm.forward(share));
        break;
      case "restart":
        yield* this.call(pcm.drop());
        yield* this.must("prepare", pcm.prepare());
        break;
      case "idle":
        yield* this.call(pcm.drop());
        yield* this.nap(amount * 50_000);
        yield* this.must("prepare", pcm.prepare());
        break;
      case "pause":
        if (!canPause || (yield* this.call(pcm.pause(true))) < 0) break;
        yield* this.nap(amount * 20_000);
        yield* this.call(pcm.pause(false));
        break;
      case "configure":
        // hw_params without hw_free before: the backend sees an OPEN without a CLOSE.
        yield* this.call(pcm.drop());
        yield* this.#configure();
        break;
      case "starve":
        yield* this.nap(amount * 20_000);
        break;
      case "end":
        return true;
    }
    return false;
  }
}
