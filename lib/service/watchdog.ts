// SPDX-License-Identifier: MIT
/** Sends keep-alives to the service manager's watchdog while the engines answer. */
import type { ServiceManager } from "./manager.ts";

/**
 * Sends two keep-alives in each {@link ServiceManager.watchdogMs}, each when `ping` has resolved. A pending `ping` is not repeated, so the
 * keep-alives stop if an engine does not answer, or if this thread's event loop hangs. Does nothing without a watchdog.
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
    }, () => {/* a failed engine ends the daemon elsewhere */});
  }, manager.watchdogMs / 2);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
