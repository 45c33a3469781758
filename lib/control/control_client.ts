// SPDX-License-Identifier: MIT
/** The client's end of the control socket: connects to the daemon, sends requests, yields the results. */
import { Exit, XsndError } from "../base/error.ts";
import { fileProblem } from "../base/file_error.ts";
import { connectUnlessGone } from "./connect.ts";
import { lines, received } from "./lines.ts";
import { type ControlRequest, type ControlResults, controlSocketPath } from "./protocol.ts";

/** How long {@link ControlClient.connect} waits for a daemon by default. */
export const DEFAULT_WAIT_MS = 5000;
const RETRY_MS = 50;
const HUNG_UP = "the daemon hung up without an answer; see its log";
const ENDED = "the daemon has ended; start it with `xsnd serve`";

/**
 * A connection to the daemon. It has one request at a time.
 *
 * @example
 * ```ts
 * import { ControlClient, openXen, startDaemon, withSandbox } from "@xsnd/xsnd";
 * import assert from "node:assert/strict";
 *
 * await withSandbox({ domains: ["domU"] }, async ({ directory, controlSocket }) => {
 *   using xen = await openXen({ sandbox: directory });
 *   await using _daemon = await startDaemon(xen, { controlSocket });
 *   using client = await ControlClient.connect(1000, controlSocket);
 *   for await (const { streams } of client.watch({ command: "watch" })) {
 *     assert.deepEqual(streams, []);
 *     break;
 *   }
 * });
 * ```
 */
export class ControlClient implements Disposable {
  readonly #replies: AsyncGenerator<string>;

  private constructor(private readonly connection: Deno.UnixConn) {
    this.#replies = lines(received(connection));
  }

  /** Connects to the daemon that listens at `path`, once it does within `waitMs`. Throws {@link XsndError}, exit 3 or 4. */
  static async connect(
    waitMs: number = DEFAULT_WAIT_MS,
    path: string = controlSocketPath(),
  ): Promise<ControlClient> {
    const deadline = performance.now() + waitMs;
    for (;;) {
      let connection: Deno.UnixConn | undefined;
      try {
        connection = await connectUnlessGone(path);
      } catch (error) {
        if (error instanceof Deno.errors.PermissionDenied) {
          throw new XsndError(
            `may not talk to the daemon at ${path}: permission denied; run as root, or as a member of the group that ` +
              "`xsnd serve --group` names",
            Exit.permission,
          );
        }
        throw new XsndError(`cannot reach a daemon at ${path}: ${fileProblem(error)}`, Exit.noDaemon, {
          cause: error,
        });
      }
      if (connection !== undefined) return new ControlClient(connection);
      if (performance.now() >= deadline) {
        const waited = waitMs > 0 ? ` (waited ${waitMs / 1000} s)` : "";
        throw new XsndError(
          `no daemon answers at ${path}${waited}; start it with \`xsnd serve\``,
          Exit.noDaemon,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Sends `request` and returns the first result. Throws {@link XsndError}: what the daemon says, or exit 3 if it hangs up. */
  async call<R extends ControlRequest>(request: R): Promise<ControlResults[R["command"]]> {
    for await (const result of this.parts(request)) return result;
    throw new XsndError(HUNG_UP, Exit.noDaemon);
  }

  /** Sends `request` and yields its results without end. Throws {@link XsndError}; exit 3 when the daemon ends. */
  async *watch<R extends ControlRequest>(request: R): AsyncGenerator<ControlResults[R["command"]], never> {
    yield* this.parts(request);
    throw new XsndError(ENDED, Exit.noDaemon);
  }

  /** Sends `request` and yields its results until the daemon hangs up. Throws {@link XsndError}: what the daemon says. */
  async *parts<R extends ControlRequest>(request: R): AsyncGenerator<ControlResults[R["command"]], void> {
    // A daemon without a place for this client says so, and reads nothing any more: then writing fails, and a line is there.
    const sent = this.#write(JSON.stringify(request)).catch(() => {});
    // Loaded while the daemon is at work: commands that ask no daemon do without zod.
    const { parseResponse } = await import("./response_schema.ts");
    for (;;) {
      const reply = await sent.then(() => this.#replies.next()).catch(() => undefined);
      if (reply === undefined || reply.done) return;
      yield parseResponse<R["command"]>(reply.value, request.command);
    }
  }

  /** Ends the request: the daemon still sends the results that it has by then. */
  async enough(): Promise<void> {
    await this.#write("").catch(() => {}); // the daemon may have gone
  }

  async #write(line: string): Promise<void> {
    let octets = new TextEncoder().encode(`${line}\n`);
    while (octets.length > 0) octets = octets.subarray(await this.connection.write(octets));
  }

  /** Hangs up. */
  [Symbol.dispose](): void {
    this.connection[Symbol.dispose](); // unlike close(), no error if its streams have closed it
  }
}
