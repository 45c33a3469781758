// SPDX-License-Identifier: MIT
/** Signals as promises. */
import { Exit, XsndError } from "./error.ts";

/** Resolves with the first of `signals` that this process gets. A second one then has its ordinary effect. */
export function untilSignal(...signals: Deno.Signal[]): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    const handlers = signals.map((signal) => {
      const handler = () => {
        for (const [signal, handler] of handlers) Deno.removeSignalListener(signal, handler);
        resolve(signal);
      };
      Deno.addSignalListener(signal, handler);
      return [signal, handler] as const;
    });
  });
}

/** Does `work` for each `signal` that this process gets, one after the other; several that come meanwhile are one. */
export function onSignal(
  signal: Deno.Signal,
  work: () => Promise<void>,
): Disposable & { readonly failed: Promise<never> } {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => {});
  let isWorking = false;
  let again = false;
  const handler = async () => {
    again = true;
    if (isWorking) return;
    isWorking = true;
    try {
      while (again) {
        again = false;
        await work();
      }
    } catch (error) {
      reject(error);
    } finally {
      isWorking = false;
    }
  };
  Deno.addSignalListener(signal, handler);
  return { failed, [Symbol.dispose]: () => Deno.removeSignalListener(signal, handler) };
}

/** Runs `body` with a signal that SIGINT and SIGTERM abort. */
export async function interruptible<T>(body: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const abort = () => controller.abort();
  Deno.addSignalListener("SIGINT", abort);
  Deno.addSignalListener("SIGTERM", abort);
  try {
    return await body(controller.signal);
  } finally {
    Deno.removeSignalListener("SIGINT", abort);
    Deno.removeSignalListener("SIGTERM", abort);
  }
}

/** What `work` gives, unless `signal` is aborted before: then {@link XsndError}, exit 130, whatever becomes of the work. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(new XsndError("interrupted", Exit.interrupted));
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** The things that `source` yields, until `signal` is aborted: see {@link unlessAborted}. */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  for (;;) {
    const next = await unlessAborted(iterator.next(), signal);
    if (next.done) return;
    yield next.value;
  }
}

/** Waits, unless `signal` is aborted: see {@link unlessAborted}. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await unlessAborted(new Promise((resolve) => timer = setTimeout(resolve, ms)), signal);
  } finally {
    clearTimeout(timer);
  }
}
