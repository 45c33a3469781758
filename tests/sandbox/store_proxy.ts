// SPDX-License-Identifier: MIT
/**
 * A proxy between domain 0 of an embedded Xen and its XenStore. A test can cut the daemon off from XenStore and reconnect it,
 * with the content unchanged, as a restart of xenstored does. Guests have their own sockets.
 */
import { socketPath } from "../../lib/xen/embedded/layout.ts";
import { sleep } from "./harness.ts";

export class StoreProxy implements Disposable {
  readonly #path: string;
  readonly #behind: string;
  #listener: Deno.UnixListener | undefined;
  readonly #connections = new Set<Deno.Conn>();
  /** The delay of each packet from XenStore. */
  delayMs = 0;

  constructor(xen: string) {
    this.#path = socketPath(xen, 0);
    this.#behind = `${this.#path}.behind`;
    Deno.renameSync(this.#path, this.#behind);
    this.open();
  }

  /** Accepts connections to XenStore. */
  open(): void {
    const listener = this.#listener = Deno.listen({ transport: "unix", path: this.#path });
    (async () => {
      for await (const client of listener) void this.#forward(client);
    })();
  }

  /** Makes XenStore unavailable: closes all connections, and accepts none. */
  close(): void {
    this.#listener?.close();
    this.#listener = undefined;
    Deno.removeSync(this.#path);
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
  }

  async #forward(client: Deno.Conn): Promise<void> {
    const server = await Deno.connect({ transport: "unix", path: this.#behind });
    this.#connections.add(client).add(server);
    await Promise.race([
      pass(client, server, () => 0),
      pass(server, client, () => this.delayMs),
    ]);
    for (const connection of [client, server]) if (this.#connections.delete(connection)) connection.close();
  }

  [Symbol.dispose](): void {
    if (this.#listener !== undefined) this.close();
    Deno.renameSync(this.#behind, this.#path);
  }
}

/** Forwards data until either end is closed; `delay` returns each packet's delay in ms. */
async function pass(from: Deno.Conn, to: Deno.Conn, delay: () => number): Promise<void> {
  const buffer = new Uint8Array(1 << 14);
  try {
    for (let count; (count = await from.read(buffer)) !== null;) {
      const ms = delay();
      if (ms > 0) await sleep(ms);
      for (let done = 0; done < count;) done += await to.write(buffer.subarray(done, count));
    }
  } catch (error) {
    const isClosed = [
      Deno.errors.BadResource,
      Deno.errors.BrokenPipe,
      Deno.errors.ConnectionReset,
      Deno.errors.Interrupted,
    ];
    if (!isClosed.some((kind) => error instanceof kind)) throw error;
  }
}
