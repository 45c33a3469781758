// SPDX-License-Identifier: MIT
/**
 * Sends the daemon's state to its service manager: systemd, or another manager with the protocol of sd_notify(3). Without a manager,
 * as at a terminal, the methods do nothing.
 */
import { getLogger } from "@logtape/logtape";
import { DatagramSender } from "../../ffi/libc/datagram.ts";
import { monotonicMicros } from "../../ffi/libc/monotonic.ts";

/** Time between two attempts to send to a manager whose socket is full, and the most messages that wait for it. */
const RETRY_MS = 100;
const MAX_WAITING = 16;

export class ServiceManager implements Disposable {
  readonly #log = getLogger(["xsnd", "service"]);
  /** Messages that the manager has not taken yet. */
  readonly #waiting: string[] = [];
  #retry: ReturnType<typeof setTimeout> | undefined;
  #sender: DatagramSender | undefined;

  /**
   * @param address `$NOTIFY_SOCKET`
   * @param watchdogMs the longest time between two calls of {@link alive} that the manager accepts; undefined without a watchdog
   */
  constructor(address: string | undefined, readonly watchdogMs: number | undefined) {
    if (address === undefined) return;
    try {
      this.#sender = new DatagramSender(address);
    } catch (error) {
      this.#giveUp(error as Error);
    }
  }

  /** The manager of `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`, as in sd_watchdog_enabled(3). */
  static fromEnvironment(): ServiceManager {
    const micros = Number(Deno.env.get("WATCHDOG_USEC") ?? 0);
    const pid = Deno.env.get("WATCHDOG_PID");
    const isWatched = Number.isSafeInteger(micros) && micros > 0 && (!pid || Number(pid) === Deno.pid);
    return new ServiceManager(
      Deno.env.get("NOTIFY_SOCKET") || undefined,
      isWatched ? micros / 1000 : undefined,
    );
  }

  /** Whether a manager receives the messages. */
  get isThere(): boolean {
    return this.#sender !== undefined;
  }

  /** Reports that the daemon serves; after {@link reloading}, that the reload is over. */
  ready(status: string): void {
    this.#tell("READY=1", `STATUS=${status}`);
  }

  /** Reports the daemon's status in a line for people. */
  status(status: string): void {
    this.#tell(`STATUS=${status}`);
  }

  /** Reports that the daemon reloads its configuration, until {@link ready}. */
  reloading(): void {
    // By this time systemd identifies the reload.
    this.#tell("RELOADING=1", `MONOTONIC_USEC=${monotonicMicros()}`);
  }

  /** Reports that the daemon ends. */
  stopping(): void {
    this.#tell("STOPPING=1", "STATUS=ending");
  }

  /** Sends a keep-alive to the watchdog, or none if the socket is full: a late keep-alive would be false. */
  alive(): void {
    if (this.#sendWaiting()) this.#send("WATCHDOG=1");
  }

  /** Queues a message. The daemon never waits for the manager, which may be slow or stopped. */
  #tell(...assignments: string[]): void {
    this.#waiting.push(assignments.join("\n"));
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
    this.#sendWaiting();
  }

  /** Sends the queue. Returns false if messages remain. */
  #sendWaiting(): boolean {
    for (let message; (message = this.#waiting[0]) !== undefined; this.#waiting.shift()) {
      if (this.#send(message)) continue;
      this.#tryAgain();
      return false;
    }
    return true;
  }

  /** Returns false if the socket is full. */
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
    Deno.unrefTimer(this.#retry); // the timer does not keep the process alive
  }

  #giveUp({ message }: Error): void {
    this.#log.warn("cannot notify the service manager: {reason}", { reason: message });
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#retry);
    this.#sender?.[Symbol.dispose]();
    this.#sender = undefined;
  }
}
