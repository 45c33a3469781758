// SPDX-License-Identifier: MIT
/** One request for several streams: names whose trailing parts are left out mean all streams below, and patterns all that match. */
import { XsndError } from "../base/error.ts";
import { isPattern, matcherOf } from "../base/pattern.ts";
import { isMeantBy, type KnownStream, nameAsIn } from "../stream/stream_name.ts";
import { ControlClient } from "./control_client.ts";
import { type ControlRequest, type ControlResults, noSuchStream, type StreamReport } from "./protocol.ts";

/** How many requests are under way at once. The daemon has a place for each of 64 clients. */
const AT_ONCE = 8;

/** Whether `wanted` is the whole name of a stream, so that nobody need know which others there are. */
const isOneStream = (wanted: string) => !isPattern(wanted) && wanted.split("/").length === 4;

/** The streams that `wanted` means: one, all of a domain, a card or a PCM, or all that match a pattern of `*` and `?`. */
export function streamsMeant<S extends KnownStream>(streams: readonly S[], wanted: string): S[] {
  if (!isPattern(wanted)) return streams.filter((stream) => isMeantBy(stream, wanted));
  const parts = wanted.split("/").map(matcherOf);
  return streams.filter((stream) => {
    const own = nameAsIn(wanted, stream).split("/");
    return parts.length <= own.length && parts.every((part, index) => part.test(own[index]!));
  });
}

/** The reports of the streams that `wanted` means; all, if `wanted` is empty. */
export function reportsMeant(
  reports: readonly StreamReport[],
  wanted: readonly string[],
): readonly StreamReport[] {
  if (wanted.length === 0) return reports;
  const meant = new Set(wanted.flatMap((each) => streamsMeant(reports, each)));
  return reports.filter((report) => meant.has(report));
}

/**
 * The streams to ask for: each that is meant, once, in the order of `wanted`. A name that means none yet stays as it is, as the daemon
 * waits for such a stream. A pattern that matches none gives an error.
 */
export function streamsToAsk(
  served: readonly KnownStream[],
  wanted: readonly string[],
): { readonly streams: string[]; readonly errors: XsndError[] } {
  const streams = new Set<string>();
  const errors: XsndError[] = [];
  for (const each of wanted) {
    const meant = streamsMeant(served, each);
    if (meant.length > 0) meant.forEach(({ stream }) => streams.add(stream));
    else if (!isPattern(each)) streams.add(each);
    else errors.push(noSuchStream(served, each));
  }
  return { streams: [...streams], errors };
}

type StreamRequest = Extract<ControlRequest, { stream: string }>;

/**
 * Asks the daemon for each stream that `wanted` means, several at once. Yields the results in the order of the streams. In the end
 * throws {@link XsndError} if a request has failed: the text of each failure, and the exit code of the first.
 *
 * @param request makes the request for a stream
 * @param waitMs how long the daemon may take to start
 */
export async function* askForEach<R extends StreamRequest>(
  wanted: readonly string[],
  request: (stream: string) => R,
  waitMs: number,
): AsyncGenerator<ControlResults[R["command"]]> {
  const served = wanted.every(isOneStream) ? [] : await servedStreams(waitMs);
  const { streams, errors } = streamsToAsk(served, wanted);
  const ask = async (stream: string) => {
    using daemon = await ControlClient.connect(waitMs);
    return await daemon.call(request(stream));
  };
  const asked: Promise<ControlResults[R["command"]]>[] = [];
  for (const [index, stream] of streams.entries()) {
    // Each waits for the one that was asked so many places before.
    const before = asked[index - AT_ONCE]?.catch(() => {});
    const answer = Promise.resolve(before).then(() => ask(stream));
    answer.catch(() => {}); // it is looked at below
    asked.push(answer);
  }
  for (const answer of asked) {
    try {
      yield await answer;
    } catch (error) {
      if (!(error instanceof XsndError)) throw error;
      errors.push(error);
    }
  }
  const [first] = errors;
  if (first === undefined) return;
  throw new XsndError(errors.map(({ message }) => message).join("\n"), first.exitCode, { cause: first });
}

/** The streams that the daemon serves. */
export async function servedStreams(waitMs: number): Promise<readonly StreamReport[]> {
  using daemon = await ControlClient.connect(waitMs);
  return (await daemon.call({ command: "status" })).streams;
}
