// SPDX-License-Identifier: MIT
/** The daemon: a backend, and the control socket by which operators reach it. */
import { getLogger } from "@logtape/logtape";
import { AlreadyServedError, ControlServer } from "../control/control_server.ts";
import type { LogTail } from "../log/log_tail.ts";
import type { Xen } from "../xen/ports.ts";
import { Announcement } from "./announcement.ts";
import { Backend, type BackendOptions } from "./backend.ts";
import { CaptureLog } from "./capture_log.ts";
import { answerCommand } from "./control_commands.ts";
import type { DeclaredCards } from "./declared_cards.ts";

/** Pause of a daemon that waits, and that another one has forestalled. */
const RETRY_MS = 5;

export interface DaemonOptions extends BackendOptions {
  readonly controlSocket: string;
  /** The group whose members may use the control socket, besides this user. */
  readonly controlGroup?: string;
  /**
   * For a daemon that waits, ready to serve, while another one serves: resolves when that one has gone. Without it a daemon fails where
   * another one serves.
   */
  readonly untilAlone?: () => Promise<void>;
  /** The cards that the daemon makes. The caller ends them. */
  readonly declared?: DeclaredCards;
  /** The last lines of the daemon's log, for operators. */
  readonly log?: LogTail;
}

export class Daemon implements AsyncDisposable {
  readonly #ending = new AbortController();

  private constructor(
    readonly backend: Backend,
    private readonly control: ControlServer,
    private readonly announcement: Announcement,
  ) {
    new CaptureLog(() => backend.streams).follow(backend.changes, this.#ending.signal)
      .catch((error) =>
        getLogger(["xsnd", "stream"]).error("{error}", { error: String(error?.stack ?? error) })
      );
  }

  /** Throws {@link XsndError}, with nothing left behind, if another daemon is running or something that it needs is missing. */
  static async start(xen: Xen, options: DaemonOptions): Promise<Daemon> {
    await using stack = new AsyncDisposableStack();
    const { untilAlone } = options;
    const early = untilAlone && stack.use(await Backend.make(xen, options));
    // The socket first: a second daemon must not touch the first one's cards.
    const control = stack.use(await listen(options));
    const announcement = new Announcement(xen.store, xen.domid);
    // Whoever finds the daemon finds the declared cards, and finds them served.
    const { declared, log } = options;
    declared?.begin();
    const backend = early ?? stack.use(await Backend.make(xen, options));
    await backend.takeOver();
    announcement.make();
    control.serve((request, gone) => answerCommand({ backend, declared, log }, request, gone));
    stack.move();
    return new Daemon(backend, control, announcement);
  }

  /** Rejects when the daemon cannot go on. */
  get failed(): Promise<never> {
    return this.backend.failed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using control = this.control;
    control.end();
    this.announcement[Symbol.dispose]();
    // A second daemon must find neither cards nor event channels in use. One that stands by need not wait for more.
    if (await this.backend.letGo()) control[Symbol.dispose]();
    await this.backend[Symbol.asyncDispose]();
    this.#ending.abort();
  }
}

/** Listens, once no other daemon does. Several may wait: one of them is the first. */
async function listen({ controlSocket, controlGroup, untilAlone }: DaemonOptions): Promise<ControlServer> {
  for (;;) {
    await untilAlone?.();
    try {
      return await ControlServer.listen(controlSocket, controlGroup);
    } catch (error) {
      if (untilAlone === undefined || !(error instanceof AlreadyServedError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
