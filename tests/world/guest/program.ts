// SPDX-License-Identifier: MIT
/**
 * A program of a guest that uses one PCM. The world starts it, pushes it now and then ({@link Program.step}), and may kill it at
 * any moment: the kernel then does what close(2) does, as soon as the call that the program is in has ended.
 */
import { ERRNO, errnoName } from "../../../ffi/libc/errno.ts";
import { formatByName, knownFormat } from "../../../lib/sndif/mod.ts";
import type { StreamParams } from "../../../lib/vsnd/model/card.ts";
import type { Random } from "../machine/random.ts";
import type { Substream } from "./alsa_core.ts";
import { nearest, type PcmConfig, restrict } from "./hw_params.ts";
import type { LinuxKernel } from "./linux_kernel.ts";
import { COUNTABLE } from "./shared_buffer.ts";
import type { XenStream } from "./stream_ops.ts";
import { type Blocking, Oops, type Task, WaitQueue } from "./tasks.ts";

/** µs that a program waits for its card. */
const CARD_PATIENCE = 5_000_000;

/** SIGKILL has taken effect. */
class Dies extends Error {
  override name = "Dies";
}

/** A call has failed, with a negative errno, and the program gives up. */
class GivesUp extends Error {
  override name = "GivesUp";
  constructor(call: string, readonly errno: number) {
    super(`${call}: ${errnoName(errno)}`);
  }
}

/** Which stream a program opens. */
export interface StreamPlace {
  /** `device/vsnd/CARD` */
  readonly nodename: string;
  /** PCM/STREAM */
  readonly place: string;
}

export abstract class Program {
  #task: Task | undefined;
  #stream: XenStream | undefined;
  /** How the program ended. */
  ending: string | undefined;
  /** Woken by {@link step}, for programs that sleep by timers. */
  protected readonly pushed = new WaitQueue();

  constructor(
    protected readonly kernel: LinuxKernel,
    readonly name: string,
    readonly at: StreamPlace,
  ) {}

  /** Starts the program. To be called once. */
  start(): this {
    this.#task = this.kernel.tasks.spawn(this.name, true, () => this.#run());
    return this;
  }

  get isOver(): boolean {
    return this.ending !== undefined;
  }

  /** SIGKILL. */
  kill(): void {
    this.#task?.kill();
  }

  /** Has the program do something else, by what `random` says. */
  step(random: Random): void {
    if (random.oneIn(32)) this.kill();
  }

  /** The PCM that is open. */
  protected get pcm(): Substream {
    return this.stream.substream;
  }

  protected get stream(): XenStream {
    if (this.#stream === undefined) throw new Error(`${this.name} has no PCM open`);
    return this.#stream;
  }

  *#run(): Blocking<void> {
    let ending = "done";
    try {
      yield* this.#open();
      yield* this.main();
    } catch (error) {
      if (!(error instanceof Dies || error instanceof GivesUp)) throw this.#ended(error);
      ending = error instanceof Dies ? "killed" : error.message;
    }
    try {
      yield* this.#stream?.substream.release() ?? nothing();
    } catch (error) {
      throw this.#ended(error);
    }
    this.#ended(ending);
  }

  #ended<T>(ending: T): T {
    this.ending = ending instanceof Oops ? "oops" : String(ending);
    this.kernel.log(`${this.name}: ${this.ending}`);
    return ending;
  }

  /** What the program does with its PCM, which is open. */
  protected abstract main(): Blocking<void>;

  /** Opens the PCM, as soon as there is one. Gives up without a card, or if somebody else has the PCM. */
  *#open(): Blocking<void> {
    const { kernel, at } = this;
    const deadline = kernel.clock.now + CARD_PATIENCE;
    for (;;) {
      const stream = kernel.stream(at.nodename, at.place);
      if (stream !== undefined) {
        const result = yield* stream.substream.open();
        // A program that is killed in open(2) has what it has opened closed, too.
        if (result === 0) this.#stream = stream;
        this.#returns();
        if (result < 0) throw new GivesUp("open", result);
        return;
      }
      const left = deadline - kernel.clock.now;
      if (left <= 0) throw new GivesUp("open", -ERRNO.ENOENT);
      yield* kernel.tasks.sleep(kernel.cardsChanged, left, true);
      this.#returns();
    }
  }

  /** A call returns to the program, unless that was killed. */
  #returns(): void {
    if (this.#task!.isKilled) throw new Dies();
  }

  /** A system call. A program that has been killed does not return from one. */
  protected *call(body: Blocking<number>): Blocking<number> {
    const result = yield* body;
    this.#returns();
    return result;
  }

  /** A system call that must succeed, or the program gives up. */
  protected *must(name: string, body: Blocking<number>): Blocking<number> {
    const result = yield* this.call(body);
    if (result < 0) throw new GivesUp(name, result);
    return result;
  }

  /** Sleeps for `micros` µs, or until {@link step}. */
  protected *nap(micros: number): Blocking<void> {
    const { tasks } = this.kernel;
    yield* tasks.sleep(this.pushed, Math.max(1, micros), true);
    this.#returns();
  }

  /** `snd_pcm_hw_params`, after a look at all that there is, as alsa-lib's programs do. Returns what the PCM got. */
  protected *configure(wanted: PcmConfig): Blocking<PcmConfig> {
    const space = this.stream.space();
    yield* this.must("hw_params_any", this.pcm.refine(space));
    const config = nearest(space, wanted);
    if (!restrict(space, config)) throw new GivesUp("set hw_params", -ERRNO.EINVAL);
    yield* this.must("hw_params", this.pcm.hwParams(space, config));
    return config;
  }

  /** After a read or write that has returned `error`: prepares the PCM again, or gives up. */
  protected *recover(call: string, error: number): Blocking<void> {
    if (error !== -ERRNO.EPIPE && error !== -ERRNO.ESTRPIPE) throw new GivesUp(call, error);
    yield* this.must("prepare", this.pcm.prepare());
  }
}

function* nothing(): Blocking<void> {}

/** Formats and channels whose frames have numbers, the most usual first; then one whose frames have none. */
const SHAPES: readonly (readonly [format: string, channels: number])[] = [
  ["s16_le", 2],
  ["s32_le", 1],
  ["s16_le", 1],
];

/** µs of a period. */
const PERIODS = [5000, 10_000, 20_000, 20_000, 40_000, 40_000, 100_000, 100_000, 250_000, 500_000, 2_000_000];

/** A configuration that a stream of `params` may have. One in eight has frames without numbers, if the stream can. */
export function chooseConfig(
  random: Random,
  params: StreamParams,
  isCountable = false,
): PcmConfig | undefined {
  const able = SHAPES.filter(([format, channels]) =>
    params.formats.includes(format) && params.channelsMin <= channels && channels <= params.channelsMax
  );
  const countable = able.filter(([name, channels]) => octetsOf(name) * channels === COUNTABLE);
  const shapes = countable.length > 0 && (isCountable || !random.oneIn(8)) ? countable : able;
  const rates = params.rates.filter((rate) => rate >= 8000 && rate <= 48_000);
  if (shapes.length === 0 || rates.length === 0) return undefined;
  const [name, channels] = random.pick(shapes);
  const format = formatByName(name)!.code;
  const frameBytes = knownFormat(format).octets! * channels;
  const rate = random.pick(rates);
  const most = Math.floor(params.bufferSizeBytes / frameBytes);
  const wanted = Math.floor(rate * random.pick(PERIODS) / 1e6);
  const least = Math.ceil(64 / frameBytes);
  const periodFrames = Math.max(least, Math.min(wanted, most >> 1));
  const periods = random.between(2, Math.max(2, Math.min(8, Math.floor(most / periodFrames))));
  // Some buffers are no whole number of periods.
  const odd = random.oneIn(4) ? random.below(periodFrames) : 0;
  const bufferFrames = Math.min(most, periods * periodFrames + odd);
  return { format, rate, channels, bufferFrames, periodFrames };
}

function octetsOf(name: string): number {
  return formatByName(name)?.octets ?? 0;
}
