// SPDX-License-Identifier: MIT
/** Unix signals as promises, and work that signals abort. */
import { Exit, XsndError } from "./error.ts";

/** Resolves with the first of `signals` that this process receives. A second signal has its default effect. */
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

/** Runs `work` for each `signal`, one run at a time. Signals during a run cause one more run. `failed` rejects if `work` does. */
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

/** Runs `body` with an AbortSignal that SIGINT and SIGTERM abort. */
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

/** The result of `work`. If `signal` is aborted first, throws {@link XsndError} with exit code 130; `work` continues unobserved. */
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

/** Yields the values of `source`, and throws as {@link unlessAborted} does when `signal` is aborted. */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  for (;;) {
    const next = await unlessAborted(iterator.next(), signal);
    if (next.done) return;
    yield next.value;
  }
}

/** Waits for `ms`, and throws as {@link unlessAborted} does when `signal` is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await unlessAborted(new Promise((resolve) => timer = setTimeout(resolve, ms)), signal);
  } finally {
    clearTimeout(timer);
  }
}
