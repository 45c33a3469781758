// SPDX-License-Identifier: MIT
/** The daemon: a backend, and the control socket by which operators reach it. */
import { getLogger } from "@logtape/logtape";
import { ControlServer } from "../control/control_server.ts";
import type { Xen } from "../xen/ports.ts";
import { Announcement } from "./announcement.ts";
import { Backend, type BackendOptions } from "./backend.ts";
import { CaptureLog } from "./capture_log.ts";
import { answerCommand } from "./control_commands.ts";
import type { DeclaredCards } from "./declared_cards.ts";

export interface DaemonOptions extends BackendOptions {
  readonly controlSocket: string;
  /** The group whose members may use the control socket, besides this user. */
  readonly controlGroup?: string;
  /** The cards that the daemon makes. The caller ends them. */
  readonly declared?: DeclaredCards;
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
    // The socket first: a second daemon must not touch the first one's cards.
    const control = stack.use(await ControlServer.listen(options.controlSocket, options.controlGroup));
    const announcement = new Announcement(xen.store, xen.domid);
    // Whoever finds the daemon finds the declared cards, and finds them served.
    const { declared } = options;
    declared?.begin();
    const backend = stack.use(await Backend.start(xen, options));
    announcement.make();
    control.serve((request, gone) => answerCommand({ backend, declared }, request, gone));
    stack.move();
    return new Daemon(backend, control, announcement);
  }

  /** Rejects when the daemon cannot go on. */
  get failed(): Promise<never> {
    return this.backend.failed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The socket last: a second daemon must find neither cards nor event channels in use.
    using control = this.control;
    control.end();
    this.announcement[Symbol.dispose]();
    await this.backend[Symbol.asyncDispose]();
    this.#ending.abort();
  }
}
