// SPDX-License-Identifier: MIT
/**
 * The thread of a session. It blocks in poll(2), as a guest's driver sleeps until its interrupt, so that round trips are like those
 * of a guest. Signals and the terminal stay with the main thread.
 */
/// <reference lib="deno.worker" />
import { firstError, XsndError } from "../base/error.ts";
import { placeInCard } from "../stream/stream_name.ts";
import { openXen } from "../xen/mod.ts";
import { CardFrontend } from "./card_frontend.ts";
import { PingPong } from "./ping_pong.ts";
import { Replayer, type ReplayReport } from "./replayer.ts";
import type {
  ReplayOptions,
  SessionMessage,
  SessionOptions,
  SessionReport,
  SessionStart,
} from "./session.ts";
import { SessionAudio } from "./session_audio.ts";
import { StreamSession } from "./stream_session.ts";
import { runTogether } from "./turns.ts";

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

async function run({ options, stopFd }: SessionStart): Promise<SessionReport[] | ReplayReport> {
  return "kind" in options ? await replay(options, stopFd) : await playAndRecord(options, stopFd);
}

async function playAndRecord(all: readonly SessionOptions[], stopFd: number): Promise<SessionReport[]> {
  using stack = new DisposableStack();
  const [{ stream: at, sandbox, behaviour = "linux-6.1" }] = all as [SessionOptions];
  const files = all.map((options) => stack.use(new SessionAudio(options, post)));
  using pingPong = all.some(({ baseline }) => baseline) ? await PingPong.start() : undefined;
  using xen = await openXen({ domid: at.domid, sandbox });
  await using card = await CardFrontend.connect(xen, at.domain, at.card, { behaviour, stopFd });
  const sessions = files.map((audio) => stack.use(new StreamSession(card, audio, pingPong)));
  runTogether(sessions.map((session) => session.run()));
  return sessions.map((session) => session.report());
}

async function replay({ stream: at, behaviour, steps, speed }: ReplayOptions, stopFd: number) {
  using xen = await openXen({ domid: at.domid });
  await using card = await CardFrontend.connect(xen, at.domain, at.card, { behaviour, stopFd });
  const stream = card.streams.get(placeInCard(at.pcm, at.stream));
  if (stream === undefined) throw new XsndError(`there is no stream ${at.name}`);
  using replayer = new Replayer(stream, card.sharer, card.backendDomid);
  return replayer.replay(steps, speed);
}
