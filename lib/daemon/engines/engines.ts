// SPDX-License-Identifier: MIT
/**
 * The engines of a daemon, and which stream is served by which. Calls to the kernel's devices return at once, so all streams on them
 * share one engine. The code of other PCMs may block: a sound server's plugin waits for its server to start or to stop. A stream on
 * such a PCM gets an engine of its own, and with it a thread, so that no other stream waits. A guest that has all the engines of its
 * limit gets no more: its streams share those, and may wait for each other.
 */
import { EventFd } from "../../../ffi/libc/event_fd.ts";
import { Exit, XsndError } from "../../base/error.ts";
import { mayWait } from "../../pcm/device_name.ts";
import type { EventChannels, Xen } from "../../xen/ports.ts";
import { Changes } from "../../bridge/changes.ts";
import { EngineClient } from "./engine_client.ts";
import { type GuestUse, LimitError } from "../policy/guest_limits.ts";

/** One stream's place at an engine. */
export interface Seat extends AsyncDisposable {
  readonly engine: EngineClient;
  /** The handle on the event channels that the engine serves. */
  readonly channels: EventChannels;
  /** Whether the engine serves other guests' streams too. */
  readonly isShared: boolean;
}

/** An engine that runs, with its handle on the event channels. */
interface Running {
  readonly engine: EngineClient;
  readonly channels: EventChannels;
  /** Stops the engine; false if it hangs: {@link EngineClient.stop}. */
  stop(): Promise<boolean>;
  /** Resolves when the engine has stopped, however long that takes. */
  readonly gone: Promise<void>;
}

/** An engine that serves one guest alone. */
interface OwnEngine {
  readonly starting: Promise<Running>;
  /** How many streams have a seat, or wait for one. */
  seats: number;
}

/** Descriptors that an engine may take. Deno ends the process if a Worker gets too few, so the daemon makes sure beforehand. */
const DESCRIPTORS = 24;

export interface EnginesOptions {
  readonly realtime?: boolean;
}

export class Engines implements AsyncDisposable {
  /** The guests' own engines that take more streams, by domain id. */
  readonly #own = new Map<number, OwnEngine[]>();
  /** All own engines that run, also those that hang and have been told to stop. */
  readonly #running = new Set<Running>();
  readonly #failed = Promise.withResolvers<never>();

  private constructor(
    private readonly starter: EngineStarter,
    private readonly guests: GuestUse,
    private readonly shared: Running,
    /** Counts the changes of the states of all streams. */
    readonly changes: Changes,
  ) {
    this.#failed.promise.catch(() => {});
    shared.engine.ended.catch((error) => this.#failed.reject(sharedFailed(error)));
  }

  static async start(xen: Xen, guests: GuestUse, options: EnginesOptions): Promise<Engines> {
    const changes = new Changes();
    const starter = new EngineStarter(xen, options, changes);
    return new Engines(starter, guests, await starter.start(), changes);
  }

  /** Rejects if the shared engine fails. The failure of another concerns its own streams: {@link EngineClient.ended}. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Processor time of the shared engine, in seconds; undefined if unknown. */
  get sharedCpuSeconds(): number | undefined {
    return this.shared.engine.cpuSeconds;
  }

  /**
   * A seat for a stream of guest `domid` on `device`, until it is disposed. Throws {@link LimitError} if the guest has no engine of its
   * own and may have none, and what an engine's start throws.
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

  /** Starts another engine for the guest; undefined if the guest has some, and may have no more. */
  #startOwn(domid: number): OwnEngine | undefined {
    const engines = this.#own.get(domid) ?? [];
    let share: Disposable;
    try {
      share = this.guests.engine(domid);
    } catch (error) {
      if (!(error instanceof LimitError) || engines.length === 0) throw error;
      return undefined;
    }
    const own: OwnEngine = { starting: this.starter.start(), seats: 0 };
    this.#own.set(domid, [...engines, own]);
    const gone = () => {
      this.#forget(domid, own);
      share[Symbol.dispose]();
    };
    own.starting.then((running) => {
      this.#running.add(running);
      // A failed engine has no more seats to give.
      running.engine.ended.catch(() => this.#forget(domid, own));
      // An engine that hangs is stopped once more, and waited for, when the daemon ends.
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
   * Resolves when the shared engine has answered. The other engines are not asked: if one hangs, only its own streams suffer, and a
   * restart of the daemon would make all streams suffer.
   */
  ping(): Promise<void> {
    return this.shared.engine.ping();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Stops all engines; false if one hangs, and may still touch mapped memory. */
  async stop(): Promise<boolean> {
    const stopped = await Promise.all([...this.#running, this.shared].map((running) => running.stop()));
    return stopped.every((one) => one);
  }
}

function sharedFailed(error: Error): XsndError {
  return new XsndError(`${error.message}; start \`xsnd serve\` again`, Exit.failed);
}

/** Throws Errno (EMFILE) unless this process can open `count` more descriptors. */
function requireDescriptors(count: number): void {
  using taken = new DisposableStack();
  for (let i = 0; i < count; i++) taken.use(new EventFd());
}

/** Starts the engines of a daemon. Makes sure that each gets its descriptors, also while several start at once. */
class EngineStarter {
  /** How many engines are starting, and have yet to open most of their descriptors. */
  #starting = 0;

  constructor(
    private readonly xen: Xen,
    private readonly options: EnginesOptions,
    private readonly changes: Changes,
  ) {}

  async start(): Promise<Running> {
    requireDescriptors(DESCRIPTORS * (this.#starting + 1));
    const channels = this.xen.openEventChannels();
    this.#starting++;
    try {
      const { realtime } = this.options;
      const engine = await EngineClient.start(channels.shareable, { realtime, changes: this.changes.shared });
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
      this.#starting--;
    }
  }
}
