// SPDX-License-Identifier: MIT
/** The way out of a connection: written as fast as the peer reads, bounded when it does not. */
import type { ClientOutput } from "./connection.ts";
import { encodeMessage, fromOctets, type Message } from "./wire.ts";

/** No further request is taken up while this many octets of replies wait. */
const CONGESTED_BYTES = 1 << 16;
/** A peer that leaves so much unread, in events that nobody can hold back, is cut off. */
const LIMIT_BYTES = 1 << 20;

interface Entry {
  readonly octets: Uint8Array;
  /** What an event says, to recognise its like. */
  readonly event?: string;
}

export class Outbox implements ClientOutput {
  #queue: Entry[] = [];
  #bytes = 0;
  readonly #events = new Set<string>();
  #drained = Promise.withResolvers<void>();
  #writing = false;

  /** @param overflow is called when the peer left too much unread */
  constructor(private readonly sink: Pick<Deno.Conn, "write">, private readonly overflow: () => void) {}

  /** Whether the peer should read before it asks for more. */
  get congested(): boolean {
    return this.#bytes > CONGESTED_BYTES;
  }

  /** Resolves when everything is written, or cannot be. */
  get drained(): Promise<void> {
    return this.#writing ? this.#drained.promise : Promise.resolve();
  }

  reply(message: Message): void {
    this.#push({ octets: encodeMessage(message) });
  }

  /** An event says "look again", so one that waits already stands for its like. */
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
      // The peer is gone or was cut off; whoever reads the connection sees that too, and closes it.
      this.#queue = [];
    } finally {
      this.#writing = false;
      this.#drained.resolve();
      this.#drained = Promise.withResolvers();
    }
  }
}
