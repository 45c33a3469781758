/**
 * The engines of a daemon. A call to one of the kernel's cards returns at once, so those share an engine. The code of other
 * PCMs may wait: a sound server's plugin does for its server, to start or to stop. A stream on one of them has an
 * engine, and with it a thread, of its own, and keeps no other stream waiting.
 */
import type { EventChannels, Xen } from "../xen/ports.ts";
import { EngineClient } from "./engine_client.ts";

/** An engine, and the handle on the event channels that it serves. */
export interface Seat extends AsyncDisposable {
  readonly engine: EngineClient;
  readonly channels: EventChannels;
}

export interface EnginesOptions {
  readonly realtime?: boolean;
}

/** PCMs that are the kernel's, or nothing but computation: the dummy card, hw, plughw, null. */
const NEVER_WAITS = /^(dummy:|(plug)?hw(:|$)|null$)/;

export class Engines implements AsyncDisposable {
  readonly #own = new Set<Seat>();
  readonly #failed = Promise.withResolvers<never>();

  private constructor(
    private readonly xen: Xen,
    private readonly options: EnginesOptions,
    private readonly shared: Seat,
  ) {
    this.#failed.promise.catch(() => {});
    this.#watch(shared);
  }

  static async start(xen: Xen, options: EnginesOptions): Promise<Engines> {
    return new Engines(xen, options, await startSeat(xen, options));
  }

  /** Rejects if an engine fails. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Where a stream on `device` is served, until it is disposed. */
  async seat(device: string): Promise<Seat> {
    if (NEVER_WAITS.test(device)) {
      const { engine, channels } = this.shared;
      return { engine, channels, [Symbol.asyncDispose]: () => Promise.resolve() };
    }
    const seat = await startSeat(this.xen, this.options);
    this.#own.add(seat);
    this.#watch(seat);
    const end = async () => {
      if (this.#own.delete(seat)) await seat[Symbol.asyncDispose]();
    };
    return { engine: seat.engine, channels: seat.channels, [Symbol.asyncDispose]: end };
  }

  #watch({ engine }: Seat): void {
    engine.ended.catch((error) => this.#failed.reject(error));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const seat of [...this.#own, this.shared]) await seat[Symbol.asyncDispose]();
  }
}

async function startSeat(xen: Xen, { realtime }: EnginesOptions): Promise<Seat> {
  const channels = xen.openEventChannels();
  try {
    const engine = await EngineClient.start(channels.shareable, { realtime });
    const end = async () => {
      if (await engine.stop()) channels[Symbol.dispose]();
    };
    return { engine, channels, [Symbol.asyncDispose]: end };
  } catch (error) {
    channels[Symbol.dispose]();
    throw error;
  }
}
