// SPDX-License-Identifier: MIT
/** Splits what comes over a connection into lines, and shares the event loop fairly meanwhile. */

/** The longest line, in characters: no request or response comes near. A peer that sends a longer line is cut off. */
const MAX_LINE = 1 << 20;

/** Lines after which the event loop goes round once. */
const LINES_A_TURN = 64;

/** Resolves after the event loop has gone round once. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** The octets that come over `connection`. Each part is valid until the next. The other direction stays open at the end. */
export async function* received(connection: Deno.Conn): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const buffer = new Uint8Array(1 << 14);
  for (let count; (count = await connection.read(buffer)) !== null;) yield buffer.subarray(0, count);
}

/**
 * The lines of `source`, without their newlines. Throws RangeError at a line of more than a MiB. A peer that sends a million lines
 * at once does not hold up the thread's event loop.
 */
export async function* lines(source: AsyncIterable<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  let left = LINES_A_TURN;
  for await (const octets of source) {
    const text = decoder.decode(octets, { stream: true });
    let from = 0;
    for (let to = text.indexOf("\n"); to >= 0; to = text.indexOf("\n", from)) {
      yield rest + text.slice(from, to);
      rest = "";
      from = to + 1;
      if (--left > 0) continue;
      await turn();
      left = LINES_A_TURN;
    }
    rest += text.slice(from);
    if (rest.length > MAX_LINE) throw new RangeError(`a line of more than ${MAX_LINE} characters`);
  }
}
