// SPDX-License-Identifier: MIT
/**
 * What a daemon tells the service manager that has started it, systemd or one that speaks its protocol (sd_notify(3)). Where none
 * has, as at a terminal, nobody is told, and nothing here does anything.
 */
import { getLogger } from "@logtape/logtape";
import { DatagramSender } from "../../ffi/libc/datagram.ts";
import { unwrap } from "../../ffi/libc/failed_call.ts";
import { CLOCK, libc } from "../../ffi/libc/libc.ts";

/** How soon a manager that is behind is tried again, and how many messages wait for it at most. */
const RETRY_MS = 100;
const MAX_WAITING = 16;

export class ServiceManager implements Disposable {
  readonly #log = getLogger(["xsnd", "service"]);
  /** What a manager that is behind has not taken yet. */
  readonly #waiting: string[] = [];
  #retry: ReturnType<typeof setTimeout> | undefined;
  #sender: DatagramSender | undefined;

  /**
   * @param address `$NOTIFY_SOCKET`
   * @param watchdogMs within which time the manager must hear {@link alive}, again and again; undefined: it does not care
   */
  constructor(address: string | undefined, readonly watchdogMs: number | undefined) {
    if (address === undefined) return;
    try {
      this.#sender = new DatagramSender(address);
    } catch (error) {
      this.#giveUp(error as Error);
    }
  }

  /** The one that the environment names: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`, as in sd_watchdog_enabled(3). */
  static fromEnvironment(): ServiceManager {
    const micros = Number(Deno.env.get("WATCHDOG_USEC") ?? 0);
    const pid = Deno.env.get("WATCHDOG_PID");
    const isWatched = Number.isSafeInteger(micros) && micros > 0 && (!pid || Number(pid) === Deno.pid);
    return new ServiceManager(
      Deno.env.get("NOTIFY_SOCKET") || undefined,
      isWatched ? micros / 1000 : undefined,
    );
  }

  /** Whether anybody listens. */
  get isThere(): boolean {
    return this.#sender !== undefined;
  }

  /** It serves; after {@link reloading}, again. */
  ready(status: string): void {
    this.#tell("READY=1", `STATUS=${status}`);
  }

  /** What it is doing, in a line for people. */
  status(status: string): void {
    this.#tell(`STATUS=${status}`);
  }

  /** Its configuration is being read again; {@link ready} ends that. */
  reloading(): void {
    this.#tell("RELOADING=1", `MONOTONIC_USEC=${monotonicMicros()}`);
  }

  stopping(): void {
    this.#tell("STOPPING=1", "STATUS=ending");
  }

  /** A sign of life is not kept for later: it would be one of the past. */
  alive(): void {
    if (this.#sendWaiting()) this.#send("WATCHDOG=1");
  }

  /** The daemon waits for no manager, which may be behind or stopped. */
  #tell(...assignments: string[]): void {
    this.#waiting.push(assignments.join("\n"));
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
    this.#sendWaiting();
  }

  /** False if there is more, which waits for room. */
  #sendWaiting(): boolean {
    for (; this.#waiting.length > 0; this.#waiting.shift()) {
      if (this.#send(this.#waiting[0])) continue;
      this.#tryAgain();
      return false;
    }
    return true;
  }

  /** False if the manager has no room for it now. */
  #send(message: string): boolean {
    try {
      return this.#sender?.send(message) ?? true;
    } catch (error) {
      this.#giveUp(error as Error);
      return true;
    }
  }

  #tryAgain(): void {
    if (this.#retry !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#sendWaiting();
    }, RETRY_MS);
    Deno.unrefTimer(this.#retry); // it keeps nothing from ending
  }

  #giveUp({ message }: Error): void {
    this.#log.warn("the service manager cannot be told anything: {reason}", { reason: message });
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#retry);
    this.#sender?.[Symbol.dispose]();
    this.#sender = undefined;
  }
}

/** CLOCK_MONOTONIC, as systemd wants it, so that it can tell which reload this is about. */
function monotonicMicros(): bigint {
  const time = new BigInt64Array(2); // struct timespec { s, ns }
  unwrap(libc().clock_gettime(CLOCK.MONOTONIC, time), "clock_gettime");
  return time[0] * 1_000_000n + time[1] / 1000n;
}
