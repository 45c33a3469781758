// SPDX-License-Identifier: MIT
/** Lines of a connection. */

/** No request or response comes near this; a peer that sends more without a newline is cut off. */
const MAX_LINE = 1 << 20;

/** Lines after which everybody else has a turn. */
const LINES_A_TURN = 64;

/** Resolves after everybody else has had a turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** The octets that come over `connection`; each part holds until the next. An end that says no more is still written to. */
export async function* received(connection: Deno.Conn): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const buffer = new Uint8Array(1 << 14);
  for (let count; (count = await connection.read(buffer)) !== null;) yield buffer.subarray(0, count);
}

/**
 * The lines of `source`, without their newlines; throws RangeError at one that is longer than a MiB. A peer that sends a million at
 * once keeps the thread's event loop from nobody else.
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
