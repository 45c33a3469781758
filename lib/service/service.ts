// SPDX-License-Identifier: MIT
/** Keeps the service manager informed while the daemon serves. */
import type { Backend } from "../daemon/backend.ts";
import { count } from "../base/text.ts";
import type { ServiceManager } from "./manager.ts";
import { startWatchdog } from "./watchdog.ts";

/** Time between two updates of the status line. */
const LOOK_MS = 2000;

export class Service implements Disposable {
  readonly #watchdog: Disposable;
  readonly #timer: ReturnType<typeof setInterval> | undefined;
  #told: string;

  /** Tells `manager` that `backend` serves. */
  constructor(private readonly manager: ServiceManager, private readonly backend: Backend) {
    this.#told = describe(backend);
    manager.ready(this.#told);
    this.#watchdog = startWatchdog(manager, () => backend.ping());
    if (manager.isThere) this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  #look(): void {
    const status = describe(this.backend);
    if (status === this.#told) return;
    this.#told = status;
    this.manager.status(status);
  }

  /** Runs a reload, and reports its start and end to the manager. */
  async reload(work: () => Promise<void>): Promise<void> {
    this.manager.reloading();
    await work();
    this.manager.ready(this.#told = describe(this.backend));
  }

  /** Reports the end of the daemon. */
  [Symbol.dispose](): void {
    this.#watchdog[Symbol.dispose]();
    clearInterval(this.#timer);
    this.manager.stopping();
  }
}

/** The most guests that {@link served} names. */
const NAMED_GUESTS = 4;

/** For people: `3 streams of domU, web`; undefined if no guest has a card. */
export function served({ streams }: Backend): string | undefined {
  if (streams.length === 0) return undefined;
  const guests = [...new Set(streams.map(({ name }) => name.split("/").slice(0, -3).join("/")))];
  const rest = guests.length - NAMED_GUESTS;
  const named = rest > 1 ? [...guests.slice(0, NAMED_GUESTS), `${rest} other guests`] : guests;
  return `${count(streams.length, "stream")} of ${named.join(", ")}`;
}

/** `3 streams, 1 running`. */
function describe({ streams }: Backend): string {
  const running = streams.filter((stream) => stream.counters.snapshot().state === "running").length;
  return `${count(streams.length, "stream")}, ${running} running`;
}
