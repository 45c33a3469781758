// SPDX-License-Identifier: MIT
/** The XenStore server: a socket for each domain, whose connections have that domain's rights. */
import { Client } from "./client.ts";
import { Xenstore } from "./xenstore.ts";
import type { Domain, DomainHost } from "./domain_table.ts";
import { createDomainFiles, retireDomainFiles } from "./domain_files.ts";
import { makeInitialNodes } from "./initial_nodes.ts";
import { evtchnLockPath, socketPath } from "../layout.ts";
import { Outbox } from "./outbox.ts";
import { isUnprivileged } from "./permissions.ts";
import { FramingError, MessageReader } from "./wire.ts";

/** Connections that one guest may have at a time; on Xen it has one. */
const GUEST_CONNECTIONS = 64;
/** How long a connection whose peer has said its last word stays open for replies that it has not read yet. */
const LINGER_MS = 1000;
/** Pause after a connection could not be accepted, most likely for want of file descriptors. */
const ACCEPT_RETRY_MS = 100;

export class XenstoreServer implements DomainHost, Disposable {
  readonly xenstore = new Xenstore(this);
  readonly #listeners = new Map<Domain, Deno.Listener>();
  readonly #connections = new Map<Deno.Conn, Domain>();

  /**
   * Makes the store of dom0 and of the guests `names` (ids from 1), their sockets and their shared files.
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

  /** Closes everything; removes nothing. */
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
        if (!this.#listeners.has(domain)) return; // closed by us
        console.error(`xenstored: cannot accept a connection of domain ${domain.domid}: ${error}`);
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      }
    }
  }

  async #serve(connection: Deno.Conn, domain: Domain): Promise<void> {
    this.#connections.set(connection, domain);
    const outbox = new Outbox(connection, () => {
      console.error(`xenstored: cut off a connection of domain ${domain.domid}: it does not read its events`);
      this.#hangUp(connection);
    });
    const client = new Client(this.xenstore, domain, outbox);
    try {
      await this.#converse(connection, client, outbox);
      await atMost(LINGER_MS, outbox.drained);
    } catch (error) {
      // One that was hung up on fails in its read or write. Anything else but garbage is a defect of ours, and
      // still no reason to fail the other clients.
      if (this.#connections.has(connection) && !isDisconnection(error)) {
        const what = error instanceof FramingError ? error.message : (error as Error).stack;
        console.error(`xenstored: closed a connection of domain ${domain.domid}: ${what}`);
      }
    } finally {
      client.close();
      this.#hangUp(connection);
    }
  }

  /** Answers requests until the peer has no more. */
  async #converse(connection: Deno.Conn, client: Client, outbox: Outbox): Promise<void> {
    const reader = new MessageReader();
    const buffer = new Uint8Array(1 << 14);
    for (let count; (count = await connection.read(buffer)) !== null;) {
      for (const message of reader.push(buffer.subarray(0, count))) {
        client.handle(message);
        if (outbox.congested) await outbox.drained;
        if (!this.#connections.has(connection)) return; // hung up on: what it still had to say does not count
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
