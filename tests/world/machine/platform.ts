// SPDX-License-Identifier: MIT
/**
 * Puts the virtual machine in the place of the platform: the clocks, timers, threads, signals, files and libraries that Deno gives
 * its programs. The program's own code is the real one, and knows nothing of it.
 */
import { currentThread, isOfDeath, runningThread } from "./process.ts";
import { EngineThread } from "./threads.ts";

/** The date at which worlds begin, ms. */
const EPOCH_MS = Date.UTC(2026, 0, 1);

type Library = (symbols: Deno.ForeignLibraryInterface) => unknown;

/** The libraries of the machine, by a part of their names. */
export type Libraries = Readonly<Record<string, Library>>;

/** The platform's own functions, from before {@link installPlatform}. */
export const real = {
  dlopen: Deno.dlopen,
  now: performance.now.bind(performance),
  setTimeout: globalThis.setTimeout,
};

/** Replaces a property of a platform's object, whatever its attributes say. */
export function replace<T extends object>(object: T, name: keyof T, value: unknown): void {
  Object.defineProperty(object, name, { value, configurable: true, writable: true, enumerable: true });
}

/** Installs the machine for the rest of this process. To be called once. */
export function installPlatform(libraries: Libraries): void {
  installTime();
  installThreads();
  installSignals();
  const open = (file: string | URL, symbols: Deno.ForeignLibraryInterface) => {
    const name = Object.keys(libraries).find((part) => String(file).includes(part));
    if (name === undefined) throw new Error(`the virtual machine has no library ${file}`);
    return { symbols: libraries[name]!(symbols), close: () => {} };
  };
  replace(Deno, "dlopen", open);
  replace(Deno, "memoryUsage", () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0 }));
  Object.defineProperty(Deno, "pid", { get: () => currentThread().process.pid, configurable: true });
}

function installTime(): void {
  const now = () => (runningThread()?.now ?? 0) / 1000;
  replace(performance, "now", now);
  const RealDate = Date;
  const VirtualDate = class extends RealDate {
    constructor(...given: unknown[]) {
      super(...(given.length === 0 ? [VirtualDate.now()] : given) as [number]);
    }
    static override now(): number {
      return EPOCH_MS + Math.floor(now());
    }
  };
  replace(globalThis, "Date", VirtualDate);
  // Nothing here needs chance; what does gets the same each time.
  replace(Math, "random", () => 0.5);
  let lastTimer = 1e9;
  const start = (body: (...given: unknown[]) => void, ms = 0, repeats: boolean, given: unknown[]) => {
    const thread = currentThread();
    const { process } = thread;
    const id = ++lastTimer;
    if (process.isDead) return id;
    const micros = Math.max(0, ms) * 1000;
    const arm = (from: number) => {
      process.timers.set(
        id,
        process.clock.at(from + micros, () => {
          if (repeats) arm(process.clock.now + (micros === 0 ? 1000 : 0));
          process.main.post(0, () => {
            // A timer that is due may be cleared before its turn comes.
            const isSet = repeats ? process.timers.has(id) : process.timers.delete(id);
            if (isSet) body(...given);
          });
        }),
      );
    };
    arm(thread.now);
    return id;
  };
  const clear = (id?: number) => {
    const process = runningThread()?.process;
    if (id === undefined || process === undefined) return;
    process.clock.cancel(process.timers.get(id));
    process.timers.delete(id);
  };
  replace(
    globalThis,
    "setTimeout",
    (body: () => void, ms?: number, ...given: unknown[]) => start(body, ms, false, given),
  );
  replace(
    globalThis,
    "setInterval",
    (body: () => void, ms?: number, ...given: unknown[]) => start(body, ms, true, given),
  );
  replace(globalThis, "clearTimeout", clear);
  replace(globalThis, "clearInterval", clear);
  replace(Deno, "unrefTimer", () => {});
  replace(Deno, "refTimer", () => {});
}

/** Workers, and waiting for each other through shared memory. */
function installThreads(): void {
  replace(globalThis, "Worker", EngineThread);
  const sleepers = new WeakMap<ArrayBufferLike, { index: number; wake: () => void }[]>();
  const realNotify = Atomics.notify.bind(Atomics);
  replace(Atomics, "waitAsync", (words: Int32Array, index: number, value: number) => {
    if (Atomics.load(words, index) !== value) return { async: false, value: "not-equal" };
    const { process } = currentThread();
    const woken = new Promise((resolve) => {
      const list = sleepers.get(words.buffer) ?? [];
      sleepers.set(words.buffer, list);
      list.push({ index, wake: () => process.main.post(process.latency(), () => resolve("ok")) });
    });
    return { async: true, value: woken };
  });
  replace(Atomics, "notify", (words: Int32Array, index: number, count?: number) => {
    const process = runningThread()?.process;
    // The dead wake nobody.
    if (process?.isDead) return 0;
    const list = sleepers.get(words.buffer);
    const woken = list?.filter((sleeper) => sleeper.index === index) ?? [];
    if (list !== undefined) sleepers.set(words.buffer, list.filter((sleeper) => sleeper.index !== index));
    for (const { wake } of woken) wake();
    return woken.length + realNotify(words, index, count);
  });
  // library_store.ts waits so for its turn at a transaction.
  replace(Atomics, "wait", (_words: Int32Array, _index: number, _value: number, ms = 0) => {
    currentThread().spend(ms * 1000);
    return "timed-out";
  });
}

function installSignals(): void {
  replace(Deno, "addSignalListener", (name: string, handler: () => void) => {
    const { signals } = currentThread().process;
    const handlers = signals.get(name) ?? new Set();
    signals.set(name, handlers.add(handler));
  });
  replace(Deno, "removeSignalListener", (name: string, handler: () => void) => {
    runningThread()?.process.signals.get(name)?.delete(handler);
  });
}

/** Reports what no promise has taken to `failed`, unless it comes of a process's death, or of a process that is dead. */
export function reportUnhandled(failed: (error: unknown) => void): void {
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    // Production code turns Killed into errors of its own.
    const isDead = runningThread()?.process.isDead === true;
    if (!isDead && !isOfDeath(event.reason)) failed(event.reason);
  });
}
