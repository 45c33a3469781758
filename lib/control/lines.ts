/** Splitting a stream of octets into lines. */

/** No request or response comes near this; a peer that sends more without a newline is cut off. */
const MAX_LINE = 1 << 20;

/** The lines of `stream`, without their newlines; throws RangeError at one that is longer than a MiB. */
export async function* lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    if (rest.length > MAX_LINE) throw new RangeError(`a line of more than ${MAX_LINE} characters`);
    yield* parts;
  }
}
