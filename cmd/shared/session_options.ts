// SPDX-License-Identifier: MIT
/** What `play` and `record` have in common: the options, finding the stream, showing progress and the result. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { Exit, XsndError } from "../../lib/base/error.ts";
import type { SessionFile, SessionListener, SessionReport, SessionStream } from "../../lib/guest/session.ts";
import type { Direction } from "../../lib/pcm/pcm.ts";
import { type EventIdBehaviour, FORMATS } from "../../lib/sndif/mod.ts";
import { didYouMean } from "../../lib/base/suggest.ts";
import { formatStreamName, parseStreamName } from "../../lib/stream/stream_name.ts";
import { readFrontendCard } from "../../lib/vsnd/nodes/frontend_dir.ts";
import { frontendPath, resolveDomain } from "../../lib/xenbus/mod.ts";
import type { StoreView } from "../../lib/xen/ports.ts";
import type { Manual } from "./manual.ts";
import { warn } from "./source.ts";
import { withStore } from "./store.ts";

export interface SessionCommandOptions {
  readonly behaviour: EventIdBehaviour;
  readonly bufferFrames?: number;
  readonly periodFrames?: number;
  readonly raw?: boolean;
  readonly format: string;
  readonly rate: number;
  readonly channels: number;
  readonly json?: boolean;
}

/** The formats whose samples have a size of their own, so that they can be counted in a file. */
const FORMAT_NAMES = FORMATS.filter(({ octets }) => octets !== undefined).map(({ name }) => name);

/** Exit codes of sessions. */
export const SESSION_EXITS: Manual["exits"] = {
  failed: "there is no such stream or file, or the backend refused",
  permission: "XenStore or Xen's devices are not this user's",
  xenOrLibraryMissing: "no Xen here, or a library is missing",
  timedOut: "the backend did not answer in time",
  interrupted: "interrupted by SIGINT; the file is as far as it went",
};

export function positive(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("it is a positive number.");
}

/** A number of things of which there is no half. */
export function positiveCount(text: string): number {
  const value = positive(text);
  if (Number.isInteger(value)) return value;
  throw new InvalidArgumentError("it is a whole number.");
}

/** Whose part the frontend plays. */
export function behaviourOption(): Option {
  return new Option("--behaviour <kernel>", "act as this generation of snd_xen_front does with event ids")
    .choices(["linux-6.1", "linux-7.2"]).default("linux-6.1");
}

/** Adds the options of {@link SessionCommandOptions} to `command`. */
export function addSessionOptions(command: Command): Command {
  return command
    .addOption(behaviourOption())
    .option("--buffer-frames <n>", "the buffer to ask for (half a second)", positiveCount)
    .option("--period-frames <n>", "the period to ask for (a quarter of the buffer)", positiveCount)
    .option("--raw", "FILE is samples and nothing else, as --format, --rate and --channels say")
    .addOption(
      new Option("--format <name>", "sample format, as in sndif.h").choices(FORMAT_NAMES).default("s16_le"),
    )
    .option("--rate <hz>", "sample rate", positiveCount, 48000)
    .option("--channels <n>", "number of channels", positiveCount, 2)
    .option("--json", "print the measurements as one JSON object");
}

export function sessionFile(
  path: string,
  { raw, format, rate, channels }: SessionCommandOptions,
): SessionFile {
  return raw === true ? { path, raw: { format, rate, channels } } : { path };
}

/** The stream that `wanted` names, `DOMAIN[/CARD[/PCM[/STREAM]]]`, of those in `direction`. Waits for nothing. */
export function findStream(wanted: string, direction: Direction): Promise<SessionStream> {
  return withStore((store) => matchStream(store, wanted, direction));
}

function matchStream(store: StoreView, wanted: string, direction: Direction): SessionStream {
  const { domain, ...place } = parseStreamName(wanted);
  const { domid, name } = resolveDomain(store, domain);
  const streams = [...streamsOf(store, domid, name)];
  const asked = streams.filter(({ card, pcm, stream }) =>
    card === (place.card ?? card) && pcm === (place.pcm ?? pcm) && stream === (place.stream ?? stream)
  );
  const matches = asked.filter((stream) => stream.type === direction);
  if (matches.length === 1) return matches[0];
  if (asked.length === 0) {
    const meant = didYouMean(wanted, streams.map((stream) => stream.name));
    throw new XsndError(
      `there is no stream ${wanted}${meant}; \`xsnd provision ${name}\` gives ${name} a card, \`xsnd list\` shows what there is`,
    );
  }
  if (matches.length === 0) {
    throw new XsndError(`${asked.map(({ name }) => name).join(", ")}: not for ${direction}`);
  }
  throw new XsndError(
    `${wanted} could be ${matches.map(({ name }) => name).join(" or ")}; say which stream`,
    Exit.usage,
  );
}

function* streamsOf(
  view: StoreView,
  domid: number,
  domain: string,
): Generator<SessionStream & { type?: Direction }> {
  const cards = view.list(frontendPath(domid, 0).replace(/\/0$/, "")) ?? [];
  for (const card of cards.map(Number).filter(Number.isInteger).sort((a, b) => a - b)) {
    const { pcms } = readFrontendCard(view, frontendPath(domid, card));
    for (const [p, { streams }] of pcms.entries()) {
      for (const [s, { type }] of streams.entries()) {
        yield { name: formatStreamName(domain, card, p, s), domain, domid, card, pcm: p, stream: s, type };
      }
    }
  }
}

/** Shows progress on stderr if that is a terminal, and warnings on any stderr. */
export const showSession: SessionListener = {
  progress({ frames, totalFrames, rate }) {
    if (!Deno.stderr.isTerminal()) return;
    const seconds = (n: number) => (n / rate).toFixed(1);
    const total = totalFrames === undefined ? "" : ` of ${seconds(totalFrames)}`;
    Deno.stderr.writeSync(new TextEncoder().encode(`\r${seconds(frames)}${total} s `));
  },
  warning(warning) {
    clearProgress();
    warn(warning);
  },
};

export function clearProgress(): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode("\r\x1b[K"));
}

/** A session in a line, for people. */
export function describeReport(report: SessionReport): string {
  const { frames, rate, format, channels, periods, xruns, seconds, writeRttMicros: rtt } = report;
  return `${frames} frames (${rate} Hz, ${format}, ${channels} channels) in ${seconds.toFixed(3)} s; ` +
    `${periods} periods, ${xruns} xruns; round trip p50 ${rtt.p50} µs, p99 ${rtt.p99} µs`;
}
