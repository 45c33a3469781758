// SPDX-License-Identifier: MIT
/**
 * The engines of a daemon. A call to one of the kernel's cards returns at once, so those share an engine. The code of other
 * PCMs may wait: a sound server's plugin does for its server, to start or to stop. A stream on one of them has an
 * engine, and with it a thread, of its own, and keeps no other stream waiting. A guest that has as many engines as it may have
 * gets no more: its streams share those, and keep each other waiting.
 */
import { EventFd } from "../../../ffi/libc/event_fd.ts";
import { Exit, XsndError } from "../../base/error.ts";
import { mayWait } from "../../pcm/device_name.ts";
import type { EventChannels, Xen } from "../../xen/ports.ts";
import { Changes } from "../../bridge/changes.ts";
import { EngineClient } from "./engine_client.ts";
import { type GuestUse, LimitError } from "../policy/guest_limits.ts";

/** A place at an engine, for one stream. */
export interface Seat extends AsyncDisposable {
  readonly engine: EngineClient;
  /** The handle on the event channels that the engine serves. */
  readonly channels: EventChannels;
  /** Whether other guests' streams are served there, too. */
  readonly isShared: boolean;
}

interface Running {
  readonly engine: EngineClient;
  readonly channels: EventChannels;
  /** Whether it could be stopped: see {@link EngineClient.stop}. */
  stop(): Promise<boolean>;
  /** Resolves when it has stopped, however long that takes. */
  readonly gone: Promise<void>;
}

/** An engine of one guest's. */
interface OwnEngine {
  readonly starting: Promise<Running>;
  /** Streams that have, or wait for, a seat at it. */
  seats: number;
}

/** An engine takes some dozen descriptors. Deno ends the process if it has too few for a Worker, so they are counted before. */
const DESCRIPTORS = 24;

export interface EnginesOptions {
  readonly realtime?: boolean;
}

export class Engines implements AsyncDisposable {
  /** Engines at which there may be seats, by guest. */
  readonly #own = new Map<number, OwnEngine[]>();
  /** All that run, those included that hang and are to stop. */
  readonly #running = new Set<Running>();
  readonly #failed = Promise.withResolvers<never>();

  private constructor(
    private readonly xen: Xen,
    private readonly guests: GuestUse,
    private readonly options: EnginesOptions,
    private readonly shared: Running,
    /** Of the states of all streams of all engines. */
    readonly changes: Changes,
  ) {
    this.#failed.promise.catch(() => {});
    shared.engine.ended.catch((error) => this.#failed.reject(sharedFailed(error)));
  }

  static async start(xen: Xen, guests: GuestUse, options: EnginesOptions): Promise<Engines> {
    const changes = new Changes();
    return new Engines(xen, guests, options, await startEngine(xen, options, changes), changes);
  }

  /** Rejects if the shared engine fails. The failure of another is that of its own streams: {@link EngineClient.ended}. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Seconds of processor time that the shared engine has taken; undefined if that cannot be told. */
  get sharedCpuSeconds(): number | undefined {
    return this.shared.engine.cpuSeconds;
  }

  /**
   * Where a stream of guest `domid` on `device` is served, until it is disposed. Throws {@link LimitError} if the guest has no engine,
   * and may have none; and what an engine's start does.
   */
  async seat(device: string, domid: number): Promise<Seat> {
    if (!mayWait(device)) {
      const { engine, channels } = this.shared;
      return { engine, channels, isShared: true, [Symbol.asyncDispose]: () => Promise.resolve() };
    }
    const own = this.#startOwn(domid) ?? this.#leastTaken(domid);
    own.seats++;
    const running = await own.starting;
    const { engine, channels } = running;
    const leave = async () => {
      if (--own.seats > 0) return;
      this.#forget(domid, own);
      await running.stop();
    };
    return { engine, channels, isShared: false, [Symbol.asyncDispose]: leave };
  }

  /** Undefined if the guest has some, and may have no more. */
  #startOwn(domid: number): OwnEngine | undefined {
    const engines = this.#own.get(domid) ?? [];
    let share: Disposable;
    try {
      share = this.guests.engine(domid);
    } catch (error) {
      if (!(error instanceof LimitError) || engines.length === 0) throw error;
      return undefined;
    }
    const own: OwnEngine = { starting: startEngine(this.xen, this.options, this.changes), seats: 0 };
    this.#own.set(domid, [...engines, own]);
    const gone = () => {
      this.#forget(domid, own);
      share[Symbol.dispose]();
    };
    own.starting.then((running) => {
      this.#running.add(running);
      // No more seats at one that has failed.
      running.engine.ended.catch(() => this.#forget(domid, own));
      // One that hangs is stopped once more, and waited for, when the daemon ends.
      running.gone.then(() => {
        this.#running.delete(running);
        gone();
      });
    }, gone);
    return own;
  }

  #leastTaken(domid: number): OwnEngine {
    return this.#own.get(domid)!.reduce((least, own) => own.seats < least.seats ? own : least);
  }

  #forget(domid: number, gone: OwnEngine): void {
    const left = this.#own.get(domid)?.filter((own) => own !== gone) ?? [];
    if (left.length === 0) this.#own.delete(domid);
    else this.#own.set(domid, left);
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
    const stopped = await Promise.all([...this.#running, this.shared].map((running) => running.stop()));
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

/** Engines that are being started, and have yet to open most of their descriptors. */
let starting = 0;

async function startEngine(xen: Xen, { realtime }: EnginesOptions, changes: Changes): Promise<Running> {
  requireDescriptors(DESCRIPTORS * (starting + 1));
  const channels = xen.openEventChannels();
  starting++;
  try {
    const engine = await EngineClient.start(channels.shareable, { realtime, changes: changes.shared });
    const gone = Promise.withResolvers<void>();
    const stop = async () => {
      const hasStopped = engine.stop();
      engine.gone.then(() => channels[Symbol.dispose]()).then(gone.resolve);
      if (!await hasStopped) return false;
      await gone.promise;
      return true;
    };
    return { engine, channels, stop, gone: gone.promise };
  } catch (error) {
    channels[Symbol.dispose]();
    throw error;
  } finally {
    starting--;
  }
}
