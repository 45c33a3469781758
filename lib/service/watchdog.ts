// SPDX-License-Identifier: MIT
/** The sign of life that a service manager waits for: {@link ServiceManager.watchdogMs}. */
import type { ServiceManager } from "./manager.ts";

/**
 * Gives `manager` a sign of life twice within the time that it waits for one, if it does: each time when `ping` has resolved. One
 * that does not come back is waited for, so the signs stop, as they do when this thread's event loop hangs.
 */
export function startWatchdog(manager: ServiceManager, ping: () => Promise<void>): Disposable {
  if (manager.watchdogMs === undefined) return { [Symbol.dispose]: () => {} };
  let isAsked = false;
  const timer = setInterval(() => {
    if (isAsked) return;
    isAsked = true;
    ping().then(() => {
      isAsked = false;
      manager.alive();
    }, () => {/* it has failed for good, which ends the daemon by itself */});
  }, manager.watchdogMs / 2);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
