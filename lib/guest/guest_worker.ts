// SPDX-License-Identifier: MIT
/**
 * The thread of a session. It blocks in poll(2), as a guest's driver sleeps until its interrupt, so that round trips are like those
 * of a guest. Signals and the terminal stay with the main thread.
 */
/// <reference lib="deno.worker" />
import { firstError, XsndError } from "../base/error.ts";
import { formatByName, FORMATS, type SampleFormat } from "../sndif/mod.ts";
import {
  type AudioParams,
  type AudioReader,
  RawReader,
  RawWriter,
  WavReader,
  WavWriter,
} from "../wav/mod.ts";
import { placeInCard } from "../stream/stream_name.ts";
import { openXen } from "../xen/mod.ts";
import { CardFrontend } from "./card_frontend.ts";
import { GuestPcm } from "./guest_pcm.ts";
import { PingPong } from "./ping_pong.ts";
import { play } from "./player.ts";
import { record } from "./recorder.ts";
import { Replayer, type ReplayReport } from "./replayer.ts";
import type {
  ReplayOptions,
  SessionMessage,
  SessionOptions,
  SessionReport,
  SessionStart,
} from "./session.ts";
import { SessionMeter } from "./session_meter.ts";

/** How often the session reports its progress. */
const PROGRESS_MS = 100;

const post = (message: SessionMessage) => self.postMessage(message);

self.onmessage = async ({ data }: MessageEvent<SessionStart>) => {
  try {
    post({ kind: "report", report: await run(data) });
  } catch (caught) {
    const error = firstError(caught);
    if (error instanceof XsndError) {
      post({ kind: "failed", message: error.message, exitCode: error.exitCode });
    } else post({ kind: "failed", message: String((error as Error).stack ?? error), exitCode: undefined });
  }
  self.close();
};

async function run({ options, stopFd }: SessionStart): Promise<SessionReport | ReplayReport> {
  if (options.kind === "replay") return await replay(options, stopFd);
  const { stream: at, sandbox, behaviour = "linux-6.1" } = options;
  using reader = options.kind === "play" ? openReader(options) : undefined;
  using pingPong = options.baseline ? await PingPong.start() : undefined;
  using xen = await openXen({ domid: at.domid, sandbox });
  await using card = await CardFrontend.connect(xen, at.domain, at.card, { behaviour, stopFd });
  const stream = card.streams.get(placeInCard(at.pcm, at.stream));
  const config = card.config.pcms[at.pcm]?.streams[at.stream];
  if (stream === undefined || config === undefined) throw new XsndError(`there is no stream ${at.name}`);
  const params = audioParams(options, reader, config.effective.formats);
  using pcm = new GuestPcm(stream, card.sharer, card.backendDomid, {
    format: params.format.code,
    rate: params.rate,
    channels: params.channels,
    bufferFrames: options.bufferFrames,
    periodFrames: options.periodFrames,
  });
  pcm.hwParams();
  pcm.open();
  const meter = new SessionMeter(pcm, pingPong);
  if (reader !== undefined) play(pcm, reader, meter, progressOf(reader.frames, params.rate));
  else recordTo(options, params, pcm, meter);
  pcm.close();
  return {
    frames: meter.frames,
    rate: params.rate,
    channels: params.channels,
    format: params.format.name,
    bufferFrames: pcm.bufferFrames,
    periodFrames: pcm.periodFrames,
    events: stream.events,
    droppedEvents: stream.droppedEvents,
    periods: pcm.periods,
    xruns: meter.xruns,
    maxPositionErrorFrames: meter.maxPositionErrorFrames,
    positionGapMicros: meter.positionGaps(),
    writeRttMicros: meter.roundTrips(),
    pingPongMicros: pingPong && meter.pingPongs(),
    seconds: Math.round(meter.seconds * 1000) / 1000,
  };
}

async function replay({ stream: at, behaviour, steps, speed }: ReplayOptions, stopFd: number) {
  using xen = await openXen({ domid: at.domid });
  await using card = await CardFrontend.connect(xen, at.domain, at.card, { behaviour, stopFd });
  const stream = card.streams.get(placeInCard(at.pcm, at.stream));
  if (stream === undefined) throw new XsndError(`there is no stream ${at.name}`);
  using replayer = new Replayer(stream, card.sharer, card.backendDomid);
  return replayer.replay(steps, speed);
}

function openReader({ file: { path, raw } }: SessionOptions): AudioReader {
  const warn = (warning: string) => post({ kind: "warning", warning });
  return raw === undefined
    ? new WavReader(path, warn)
    : new RawReader(path, { ...raw, format: format(raw.format) }, warn);
}

function format(name: string): SampleFormat {
  const found = formatByName(name);
  if (found !== undefined) return found;
  throw new XsndError(
    `there is no sample format ${JSON.stringify(name)}; there are ${
      FORMATS.map(({ name }) => name).join(", ")
    }`,
  );
}

/** The parameters of the stream: those of the file, in the first sample format that both ends know. */
function audioParams(
  options: SessionOptions,
  reader: AudioReader | undefined,
  offered: readonly string[],
): AudioParams {
  if (reader === undefined) return { ...options.record!, format: format(options.record!.format) };
  const suitable = reader.formats.find(({ name }) => offered.includes(name));
  if (suitable === undefined) {
    throw new XsndError(
      `${options.stream.name} offers ${offered.join(", ")}, and ${options.file.path} is ` +
        `${
          reader.formats.map(({ name }) => name).join(" or ")
        }; provision the stream with that format, or convert the file`,
    );
  }
  reader.deliverAs(suitable);
  return { ...reader.params, format: suitable };
}

function recordTo(
  { file, record: wished }: SessionOptions,
  params: AudioParams,
  pcm: GuestPcm,
  meter: SessionMeter,
): void {
  const frames = Math.round(wished!.seconds * wished!.rate);
  using writer = file.raw === undefined ? new WavWriter(file.path, params) : new RawWriter(file.path, params);
  record(pcm, writer, frames, meter, progressOf(frames, params.rate));
}

function progressOf(totalFrames: number | undefined, rate: number): (frames: number) => void {
  let next = 0;
  return (frames) => {
    if (performance.now() < next) return;
    next = performance.now() + PROGRESS_MS;
    post({ kind: "progress", progress: { frames, totalFrames, rate } });
  };
}
