// SPDX-License-Identifier: MIT
/** The demo: provisions a card, serves it, plays a file into it as a guest does, and compares what the device played with the file. */
import { Exit, XsndError } from "../base/error.ts";
import { runSession } from "../guest/run_session.ts";
import type { SessionListener, SessionReport } from "../guest/session.ts";
import type { EventIdBehaviour } from "../sndif/mod.ts";
import type { CardConfig } from "../vsnd/model/card.ts";
import { WavReader } from "../wav/mod.ts";
import { DemoHost } from "./demo_host.ts";
import { difference } from "./same_samples.ts";

export interface DemoOptions {
  /** A WAV file to play. */
  readonly input: string;
  /** The file that keeps what the dummy device played; by default a temporary one. */
  readonly output?: string;
  /** A PCM of the host to play to, in place of a dummy device. */
  readonly device?: string;
  readonly behaviour: EventIdBehaviour;
  readonly periodFrames?: number;
  readonly bufferFrames?: number;
}

export interface DemoReport extends SessionReport {
  readonly xen: "native" | "embedded";
  /** Whether the dummy device played exactly the samples of the file. What a device of the host played, nobody knows. */
  readonly bitExact?: boolean;
  /**
   * Bit-exact, without xruns, and with positions within a quarter of a period. A busy machine is allowed as many frames more as its
   * slowest ping-pong between threads takes.
   */
  readonly passed: boolean;
}

/** Runs the demo. The report says whether the sound was right. Throws {@link XsndError} if the demo cannot run. */
export async function runDemo(
  options: DemoOptions,
  listener: SessionListener,
  signal: AbortSignal,
): Promise<DemoReport> {
  const { behaviour, bufferFrames, periodFrames, device } = options;
  return await DemoHost.run(async (host) => {
    const output = `${host.directory}/played.wav`;
    const card = demoCard(options.input, device ?? `dummy:${output}`);
    const report = await host.withCard(card, ([stream]) => {
      const sizes = { bufferFrames, periodFrames };
      const file = { path: options.input };
      return runSession(
        { kind: "play", file, stream: stream!, behaviour, ...sizes, baseline: true },
        listener,
        signal,
      );
    });
    const isRight = report.xruns === 0 && isInTime(report);
    if (device !== undefined) return { ...report, xen: host.xen.kind, passed: isRight };
    const bitExact = difference(options.input, output) === undefined;
    if (options.output !== undefined) copyOutput(output, options.output);
    return { ...report, xen: host.xen.kind, bitExact, passed: bitExact && isRight };
  });
}

/** Whether the positions were right, within what a busy machine takes from thread to thread. */
export function isInTime(report: SessionReport): boolean {
  const lateFrames = (report.pingPongMicros?.max ?? 0) * report.rate / 1e6;
  return report.maxPositionErrorFrames <= report.periodFrames / 4 + lateFrames;
}

/** A card with one playback stream on `device`, for the parameters of the file `input`. */
export function demoCard(input: string, device: string): CardConfig {
  using reader = new WavReader(input);
  const { params: { rate, channels }, formats } = reader;
  const params = {
    rates: [rate],
    formats: formats.map(({ name }) => name),
    channelsMin: channels,
    channelsMax: channels,
    bufferSizeBytes: 4 << 20,
  };
  const stream = { type: "playback", uniqueId: "demo", device, declared: {}, effective: params } as const;
  return {
    shortName: "xsnd demo",
    declared: params,
    pcms: [{ name: "Demo", declared: {}, streams: [stream] }],
  };
}

function copyOutput(from: string, to: string): void {
  try {
    Deno.copyFileSync(from, to);
  } catch (error) {
    throw new XsndError(`cannot write ${to}: ${(error as Error).message}`, Exit.failed, { cause: error });
  }
}
