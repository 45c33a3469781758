// SPDX-License-Identifier: MIT
/**
 * A one-way queue of small JSON messages between two threads of this process, in a SharedArrayBuffer.
 *
 * The engine blocks in poll(2), where a Worker never sees `onmessage`: the main thread writes here and then rings an eventfd.
 * The other way round, `Atomics.notify` wakes the main thread's `waitAsync`. Rare messages alone pass through here (attach,
 * OPEN, CLOSE, triggers); the hot path has plain memory of its own.
 *
 * One writer, one reader. Layout, in 32-bit words: [0] octets ever written, [1] octets ever read, then the data, a ring of
 * records. A record is a length in octets, then UTF-8, each padded to four octets.
 */

const HEADER_WORDS = 2;
const WRITTEN = 0;
const READ = 1;

/** The memory that both ends share. `bytes` is a power of two. Throws RangeError. */
export function createMailbox(bytes = 1 << 16): SharedArrayBuffer {
  if ((bytes & (bytes - 1)) !== 0) throw new RangeError(`a mailbox's size is a power of two, not ${bytes}`);
  return new SharedArrayBuffer(HEADER_WORDS * 4 + bytes);
}

const padded = (length: number) => (length + 3) & ~3;

class MailboxEnd {
  protected readonly words: Int32Array;
  protected readonly data: Uint8Array;
  protected readonly mask: number;

  constructor(shared: SharedArrayBuffer) {
    this.words = new Int32Array(shared);
    this.data = new Uint8Array(shared, HEADER_WORDS * 4);
    this.mask = this.data.length - 1;
  }
}

/** The writer's end. */
export class MailboxWriter<M> extends MailboxEnd {
  readonly #encoder = new TextEncoder();

  /** Queues `message`. Throws RangeError, with nothing queued, if the reader is so far behind that there is no room. */
  post(message: M): void {
    const text = this.#encoder.encode(JSON.stringify(message));
    const written = Atomics.load(this.words, WRITTEN);
    const used = (written - Atomics.load(this.words, READ)) >>> 0;
    const size = 4 + padded(text.length);
    if (size > this.data.length - used) {
      throw new RangeError(
        `a mailbox of ${this.data.length} octets has no room for ${size} more (${used} unread)`,
      );
    }
    new DataView(this.data.buffer, this.data.byteOffset).setUint32(written & this.mask, text.length, true);
    for (let i = 0; i < text.length; i++) this.data[(written + 4 + i) & this.mask] = text[i]!;
    Atomics.store(this.words, WRITTEN, (written + size) | 0);
    Atomics.notify(this.words, WRITTEN);
  }
}

/** The reader's end. */
export class MailboxReader<M> extends MailboxEnd {
  readonly #decoder = new TextDecoder();

  /** The oldest message, or undefined if there is none. */
  take(): M | undefined {
    const read = Atomics.load(this.words, READ);
    if (read === Atomics.load(this.words, WRITTEN)) return undefined;
    const length = new DataView(this.data.buffer, this.data.byteOffset).getUint32(read & this.mask, true);
    if (length > this.data.length) {
      throw new Error(`a message of ${length} octets in a mailbox of ${this.data.length}`);
    }
    const text = new Uint8Array(length);
    for (let i = 0; i < length; i++) text[i] = this.data[(read + 4 + i) & this.mask]!;
    Atomics.store(this.words, READ, (read + 4 + padded(length)) | 0);
    return JSON.parse(this.#decoder.decode(text));
  }

  /** The messages as they come, for a thread that has an event loop; ends when `signal` is aborted. */
  async *messages(signal: AbortSignal): AsyncGenerator<M, void> {
    // A race with a promise of the signal's would leave a reaction behind in that promise for each message.
    signal.addEventListener("abort", () => Atomics.notify(this.words, WRITTEN), { once: true });
    while (!signal.aborted) {
      const written = Atomics.load(this.words, WRITTEN);
      for (let message = this.take(); message !== undefined; message = this.take()) yield message;
      if (signal.aborted) return;
      const wait = Atomics.waitAsync(this.words, WRITTEN, written);
      if (wait.async) await wait.value;
    }
  }
}
