/**
 * The engines of a daemon. A call to one of the kernel's cards returns at once, so those share an engine. The code of other
 * PCMs may wait: a sound server's plugin does for its server, to start or to stop. A stream on one of them has an
 * engine, and with it a thread, of its own, and keeps no other stream waiting.
 */
import { EventFd } from "../../ffi/libc.ts";
import { Exit, XsndError } from "../error.ts";
import { mayWait } from "../pcm/device.ts";
import type { EventChannels, Xen } from "../xen/ports.ts";
import { Changes } from "./changes.ts";
import { EngineClient } from "./engine_client.ts";

/** A place at an engine, for one stream. */
export interface Seat extends AsyncDisposable {
  readonly engine: EngineClient;
  /** The handle on the event channels that the engine serves. */
  readonly channels: EventChannels;
  /** Whether other streams are served there, too. */
  readonly isShared: boolean;
}

interface Running {
  readonly engine: EngineClient;
  readonly channels: EventChannels;
  /** Whether it could be stopped: see {@link EngineClient.stop}. */
  stop(): Promise<boolean>;
}

/** An engine takes some dozen descriptors. Deno ends the process if it has too few for a Worker, so they are counted before. */
const DESCRIPTORS = 24;

export interface EnginesOptions {
  readonly realtime?: boolean;
}

export class Engines implements AsyncDisposable {
  readonly #own = new Set<Running>();
  readonly #failed = Promise.withResolvers<never>();

  private constructor(
    private readonly xen: Xen,
    private readonly options: EnginesOptions,
    private readonly shared: Running,
    /** Of the states of all streams of all engines. */
    readonly changes: Changes,
  ) {
    this.#failed.promise.catch(() => {});
    shared.engine.ended.catch((error) => this.#failed.reject(sharedFailed(error)));
  }

  static async start(xen: Xen, options: EnginesOptions): Promise<Engines> {
    const changes = new Changes();
    return new Engines(xen, options, await startEngine(xen, options, changes), changes);
  }

  /** Rejects if the shared engine fails. The failure of another is that of its own stream: {@link EngineClient.ended}. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Seconds of processor time that the shared engine has taken; undefined if that cannot be told. */
  get sharedCpuSeconds(): number | undefined {
    return this.shared.engine.cpuSeconds;
  }

  /** Where a stream on `device` is served, until it is disposed. */
  async seat(device: string): Promise<Seat> {
    if (!mayWait(device)) {
      const { engine, channels } = this.shared;
      return { engine, channels, isShared: true, [Symbol.asyncDispose]: () => Promise.resolve() };
    }
    const own = await startEngine(this.xen, this.options, this.changes);
    this.#own.add(own);
    const end = async () => {
      await own.stop();
      // One that hangs is stopped once more, and waited for, when the daemon ends.
      own.engine.gone.then(() => this.#own.delete(own));
    };
    return { engine: own.engine, channels: own.channels, isShared: false, [Symbol.asyncDispose]: end };
  }

  /**
   * Resolves when the engine that the kernel's cards share has answered. Those of the other PCMs are not asked: one that hangs is
   * its own stream's trouble, which a daemon that is started anew for it would make that of all.
   */
  ping(): Promise<void> {
    return this.shared.engine.ping();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Stops all engines; false if one hangs, and may still touch what is mapped. */
  async stop(): Promise<boolean> {
    const stopped = await Promise.all([...this.#own, this.shared].map((seat) => seat.stop()));
    return stopped.every((one) => one);
  }
}

function sharedFailed(error: Error): XsndError {
  return new XsndError(`${error.message}; start \`xsnd serve\` again`, Exit.failed);
}

/** Throws Errno (EMFILE) unless this process may open `count` descriptors more. */
function requireDescriptors(count: number): void {
  using taken = new DisposableStack();
  for (let i = 0; i < count; i++) taken.use(new EventFd());
}

async function startEngine(xen: Xen, { realtime }: EnginesOptions, changes: Changes): Promise<Running> {
  requireDescriptors(DESCRIPTORS);
  const channels = xen.openEventChannels();
  try {
    const engine = await EngineClient.start(channels.shareable, { realtime, changes: changes.shared });
    const stop = async () => {
      const hasStopped = engine.stop();
      const letGo = engine.gone.then(() => channels[Symbol.dispose]());
      if (!await hasStopped) return false;
      await letGo;
      return true;
    };
    return { engine, channels, stop };
  } catch (error) {
    channels[Symbol.dispose]();
    throw error;
  }
}
