// SPDX-License-Identifier: MIT
/** The send queue of a connection: written as fast as the peer reads, and bounded for a peer that does not read. */
import type { ClientOutput } from "./connection.ts";
import { encodeMessage, fromOctets, type Message } from "./wire.ts";

/** The server handles no further request of the connection while more octets than these wait. */
const CONGESTED_BYTES = 1 << 16;
/** A peer with more unread octets than these is disconnected: events cannot be held back. */
const LIMIT_BYTES = 1 << 20;

interface Entry {
  readonly octets: Uint8Array;
  /** An event's payload, by which an equal event is found. */
  readonly event?: string;
}

export class Outbox implements ClientOutput {
  #queue: Entry[] = [];
  #bytes = 0;
  readonly #events = new Set<string>();
  #drained = Promise.withResolvers<void>();
  #writing = false;

  /** @param overflow called when too many octets are unread */
  constructor(private readonly sink: Pick<Deno.Conn, "write">, private readonly overflow: () => void) {}

  /** Whether the peer must read before its next request is handled. */
  get congested(): boolean {
    return this.#bytes > CONGESTED_BYTES;
  }

  /** Resolves when all is written, or the peer is gone. */
  get drained(): Promise<void> {
    return this.#writing ? this.#drained.promise : Promise.resolve();
  }

  reply(message: Message): void {
    this.#push({ octets: encodeMessage(message) });
  }

  /** Queues an event, unless an equal one waits already: an event only says "look again". */
  event(message: Message): void {
    const event = fromOctets(message.payload);
    if (this.#events.has(event)) return;
    this.#events.add(event);
    this.#push({ octets: encodeMessage(message), event });
  }

  #push(entry: Entry): void {
    this.#queue.push(entry);
    this.#bytes += entry.octets.length;
    if (this.#bytes > LIMIT_BYTES) this.overflow();
    else if (!this.#writing) this.#pump();
  }

  async #pump(): Promise<void> {
    this.#writing = true;
    try {
      while (this.#queue.length > 0) {
        const batch = this.#queue;
        this.#queue = [];
        this.#events.clear();
        for (const { octets } of batch) {
          for (let at = 0; at < octets.length;) at += await this.sink.write(octets.subarray(at));
          this.#bytes -= octets.length;
        }
      }
    } catch {
      // The peer is gone or was disconnected. The connection's reader notices that, too, and closes the connection.
      this.#queue = [];
    } finally {
      this.#writing = false;
      this.#drained.resolve();
      this.#drained = Promise.withResolvers();
    }
  }
}
