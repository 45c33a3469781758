/** Signals as promises. */

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
