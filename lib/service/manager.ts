/**
 * What a daemon tells the service manager that has started it, systemd or one that speaks its protocol (sd_notify(3)). Where none
 * has, as at a terminal, nobody is told, and nothing here does anything.
 */
import { getLogger } from "@logtape/logtape";
import { DatagramSender } from "../../ffi/datagram.ts";
import { CLOCK, libc, unwrap } from "../../ffi/libc.ts";

export class ServiceManager implements Disposable {
  readonly #log = getLogger(["xsnd", "service"]);
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

  alive(): void {
    this.#tell("WATCHDOG=1");
  }

  #tell(...assignments: string[]): void {
    try {
      this.#sender?.send(assignments.join("\n"));
    } catch (error) {
      this.#giveUp(error as Error);
    }
  }

  #giveUp({ message }: Error): void {
    this.#log.warn("the service manager cannot be told anything: {reason}", { reason: message });
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
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
