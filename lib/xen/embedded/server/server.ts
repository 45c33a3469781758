// SPDX-License-Identifier: MIT
/** The XenStore server: listens on a socket for each domain. Connections to the socket have that domain's rights. */
import { Client } from "./client.ts";
import { Xenstore } from "./xenstore.ts";
import type { Domain, DomainHost } from "./domain_table.ts";
import { createDomainFiles, retireDomainFiles } from "./domain_files.ts";
import { makeInitialNodes } from "./initial_nodes.ts";
import { evtchnLockPath, socketPath } from "../layout.ts";
import { Outbox } from "./outbox.ts";
import { isUnprivileged } from "./permissions.ts";
import { FramingError, MessageReader } from "./wire.ts";

/** Connections that one guest may have at a time. On Xen a guest has one. */
const GUEST_CONNECTIONS = 64;
/** After the peer's last request a connection stays open this long, for replies that the peer has not read. */
const LINGER_MS = 1000;
/** Pause after a failed accept, whose likely reason is a lack of file descriptors. */
const ACCEPT_RETRY_MS = 100;

export class XenstoreServer implements DomainHost, Disposable {
  readonly xenstore = new Xenstore(this);
  readonly #listeners = new Map<Domain, Deno.Listener>();
  readonly #connections = new Map<Deno.Conn, Domain>();

  /**
   * Makes the store, the sockets and the shared files of dom0 and of the guests `names` (ids from 1).
   * @param directory a private directory; see `layout.ts`
   */
  constructor(private readonly directory: string, names: readonly string[]) {
    Deno.writeFileSync(evtchnLockPath(directory), new Uint8Array(), { mode: 0o600 });
    makeInitialNodes(this.xenstore.database, names);
    for (let domid = 0; domid <= names.length; domid++) this.xenstore.domains.introduce(domid);
  }

  domainAppeared(domain: Domain): void {
    const listener = Deno.listen({ transport: "unix", path: socketPath(this.directory, domain.domid) });
    createDomainFiles(this.directory, domain.domid);
    this.#listeners.set(domain, listener);
    this.#accept(listener, domain);
  }

  domainGone(domain: Domain): void {
    this.#listeners.get(domain)?.close();
    this.#listeners.delete(domain);
    Deno.removeSync(socketPath(this.directory, domain.domid));
    for (const [connection, { domid }] of this.#connections) {
      if (domid === domain.domid) this.#hangUp(connection);
    }
    retireDomainFiles(this.directory, domain.domid);
  }

  /** Closes all sockets; removes no file. */
  [Symbol.dispose](): void {
    for (const listener of this.#listeners.values()) listener.close();
    this.#listeners.clear();
    for (const connection of this.#connections.keys()) this.#hangUp(connection);
  }

  async #accept(listener: Deno.Listener, domain: Domain): Promise<void> {
    while (this.#listeners.has(domain)) {
      try {
        const connection = await listener.accept();
        const others = this.xenstore.clientsOf(domain.domid).length;
        if (isUnprivileged(domain) && others >= GUEST_CONNECTIONS) connection.close();
        else this.#serve(connection, domain);
      } catch (error) {
        if (!this.#listeners.has(domain)) return; // domainGone() has closed the listener
        console.error(`xenstored: cannot accept a connection of domain ${domain.domid}: ${error}`);
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      }
    }
  }

  async #serve(connection: Deno.Conn, domain: Domain): Promise<void> {
    this.#connections.set(connection, domain);
    const outbox = new Outbox(connection, () => {
      console.error(
        `xenstored: closed a connection of domain ${domain.domid}: the peer does not read its events`,
      );
      this.#hangUp(connection);
    });
    const client = new Client(this.xenstore, domain, outbox);
    try {
      await this.#converse(connection, client, outbox);
      await atMost(LINGER_MS, outbox.drained);
    } catch (error) {
      // Our own #hangUp makes the read or write fail. Any error but that and a bad message is a defect of this server,
      // which must not fail the other clients.
      if (this.#connections.has(connection) && !isDisconnection(error)) {
        const what = error instanceof FramingError ? error.message : (error as Error).stack;
        console.error(`xenstored: closed a connection of domain ${domain.domid}: ${what}`);
      }
    } finally {
      client.close();
      this.#hangUp(connection);
    }
  }

  /** Answers requests until the peer closes its end. */
  async #converse(connection: Deno.Conn, client: Client, outbox: Outbox): Promise<void> {
    const reader = new MessageReader();
    const buffer = new Uint8Array(1 << 14);
    for (let count; (count = await connection.read(buffer)) !== null;) {
      for (const message of reader.push(buffer.subarray(0, count))) {
        client.handle(message);
        if (outbox.congested) await outbox.drained;
        if (!this.#connections.has(connection)) return; // after #hangUp further requests do not count
      }
    }
  }

  #hangUp(connection: Deno.Conn): void {
    if (this.#connections.delete(connection)) connection.close();
  }
}

async function atMost(milliseconds: number, promise: Promise<void>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  await Promise.race([promise, late]);
  clearTimeout(timer);
}

function isDisconnection(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.UnexpectedEof;
}
