// SPDX-License-Identifier: MIT
/** Programs that do unusual things, and yet no wrong ones: opening twice, opening beyond the bounds, asking without end, a mixer. */
import {
  formatByName,
  type HwParam,
  XENSND_OP_GET_VOLUME,
  XENSND_OP_MUTE,
  XENSND_OP_SET_VOLUME,
  XENSND_OP_UNMUTE,
} from "../../../lib/sndif/mod.ts";
import type { StreamParams } from "../../../lib/vsnd/model/card.ts";
import type { Random } from "../machine/random.ts";
import { frameBytesOf, type PcmConfig } from "./hw_params.ts";
import type { LinuxKernel } from "./linux_kernel.ts";
import { Program, type StreamPlace } from "./program.ts";
import type { XenStream } from "./stream_ops.ts";
import type { Blocking } from "./tasks.ts";

/** Opens again and again with other parameters and without CLOSE, and plays a little each time. */
export class Reopener extends Program {
  constructor(
    kernel: LinuxKernel,
    name: string,
    at: StreamPlace,
    private readonly configs: readonly PcmConfig[],
  ) {
    super(kernel, name, at);
  }

  protected *main(): Blocking<void> {
    for (const wanted of this.configs) {
      const config = yield* this.configure(wanted);
      yield* this.must("prepare", this.pcm.prepare());
      if (this.pcm.isPlayback) yield* this.call(this.pcm.write(config.periodFrames, false));
      if (config.periodFrames % 2 === 0) {
        yield* this.call(this.pcm.start());
        yield* this.nap(Math.ceil(config.periodFrames / config.rate * 5e5));
      }
      yield* this.call(this.pcm.drop());
    }
  }
}

/** Formats and rates that streams have or lack. */
const FORMATS_BEYOND = ["u8", "s16_le", "s24_le", "s32_le"];
const RATES_BEYOND = [8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000];

/** Opens with one parameter after the other beyond what the stream may have, as a driver does that leaves out the core's rules. */
export class Overreacher extends Program {
  constructor(
    kernel: LinuxKernel,
    name: string,
    at: StreamPlace,
    private readonly config: PcmConfig,
    private readonly random: Random,
  ) {
    super(kernel, name, at);
  }

  protected *main(): Blocking<void> {
    const { stream } = this;
    for (const wanted of this.#beyond(stream.params)) {
      yield* this.must("hw_params", stream.hwParams(wanted));
      try {
        yield* this.call(stream.prepare());
        if (this.random.oneIn(2)) yield* this.nap(this.random.below(100_000));
      } finally {
        yield* stream.hwFree();
      }
    }
  }

  *#beyond({ rates, formats, channelsMax, bufferSizeBytes }: StreamParams): Iterable<PcmConfig> {
    const { config, random } = this;
    for (const rate of RATES_BEYOND) {
      if (!rates.includes(rate) && random.oneIn(3)) yield { ...config, rate };
    }
    for (const name of FORMATS_BEYOND) {
      if (!formats.includes(name) && random.oneIn(3)) yield { ...config, format: formatByName(name)!.code };
    }
    yield { ...config, channels: channelsMax + 1 };
    const bufferFrames = Math.floor(bufferSizeBytes / frameBytesOf(config)) + config.periodFrames;
    yield { ...config, bufferFrames };
  }
}

/** Asks what the stream can do, with ranges of all kinds, and opens nothing. */
export class Querier extends Program {
  constructor(
    kernel: LinuxKernel,
    name: string,
    at: StreamPlace,
    private readonly random: Random,
    private readonly queries: number,
  ) {
    super(kernel, name, at);
  }

  protected *main(): Blocking<void> {
    for (let i = 0; i < this.queries; i++) {
      yield* this.call(this.pcm.refine(this.#space()));
      if (this.random.oneIn(4)) yield* this.nap(this.random.below(100_000));
    }
  }

  #space(): HwParam {
    const { random } = this;
    const space = this.stream.space();
    if (random.oneIn(3)) space.formatsLow = random.word();
    if (random.oneIn(8)) space.formatsHigh = random.word();
    for (const interval of [space.rates, space.channels, space.buffer, space.period]) {
      if (random.oneIn(3)) interval.min = random.between(interval.min, interval.max);
      if (random.oneIn(3)) interval.max = random.between(interval.min, interval.max);
      if (random.oneIn(16)) [interval.min, interval.max] = [interval.max, interval.min];
      if (random.oneIn(16)) interval.max = 0xffffffff;
    }
    return space;
  }
}

/**
 * Sets volume and mute of a stream that another program has open. Linux's driver has no mixer; this one is of another guest. Values
 * that change samples are for streams whose frames nobody counts.
 */
export class Mixer {
  /** Statuses of the answers, in order. */
  readonly statuses: number[] = [];

  constructor(private readonly kernel: LinuxKernel, private readonly stream: XenStream) {}

  /** Sends one request, by what `random` says. `volumes`: the choice of volumes, in 0.001 dB. */
  step(random: Random, volumes: readonly number[], mutes: boolean): void {
    const operation = random.pick([
      XENSND_OP_SET_VOLUME,
      XENSND_OP_SET_VOLUME,
      XENSND_OP_GET_VOLUME,
      ...(mutes ? [XENSND_OP_MUTE, XENSND_OP_UNMUTE] : []),
    ]);
    const channels = this.stream.substream.config?.channels ?? 1;
    const isMute = operation === XENSND_OP_MUTE || operation === XENSND_OP_UNMUTE;
    const values = new Uint8Array(isMute ? channels : 4 * channels);
    if (isMute) values.fill(1);
    else {
      const view = new DataView(values.buffer);
      for (let c = 0; c < channels; c++) view.setInt32(4 * c, random.pick(volumes), true);
    }
    this.send(operation, values);
  }

  /** Sends a request, in a thread of its own. */
  send(operation: number, values: Uint8Array): void {
    this.kernel.tasks.spawn("mixer", true, () => this.#send(operation, values));
  }

  *#send(operation: number, values: Uint8Array): Blocking<void> {
    this.statuses.push(yield* this.stream.control(operation, values));
  }
}
