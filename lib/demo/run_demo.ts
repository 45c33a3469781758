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
  /** The file that keeps what the device played; by default a temporary one. */
  readonly output?: string;
  readonly behaviour: EventIdBehaviour;
  readonly periodFrames?: number;
  readonly bufferFrames?: number;
}

export interface DemoReport extends SessionReport {
  readonly xen: "native" | "embedded";
  /** Whether the device played exactly the samples of the file. */
  readonly bitExact: boolean;
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
  const card = cardFor(options.input);
  return await DemoHost.run(async (host) => {
    const output = `${host.directory}/played.wav`;
    const report = await host.withCard(card(`dummy:${output}`), async ([stream]) => {
      const { behaviour, bufferFrames, periodFrames } = options;
      const file = { path: options.input };
      return await runSession(
        { kind: "play", file, stream: stream!, behaviour, bufferFrames, periodFrames, baseline: true },
        listener,
        signal,
      );
    });
    const bitExact = difference(options.input, output) === undefined;
    if (options.output !== undefined) copyOutput(output, options.output);
    const passed = bitExact && report.xruns === 0 && isInTime(report);
    return { ...report, xen: host.xen.kind, bitExact, passed };
  });
}

/** Whether the positions were right, within what a busy machine takes from thread to thread. */
export function isInTime(report: SessionReport): boolean {
  const lateFrames = (report.pingPongMicros?.max ?? 0) * report.rate / 1e6;
  return report.maxPositionErrorFrames <= report.periodFrames / 4 + lateFrames;
}

/** A card with one playback stream on a device, for the parameters of the file. */
function cardFor(input: string): (device: string) => CardConfig {
  using reader = new WavReader(input);
  const { params: { rate, channels }, formats } = reader;
  const params = {
    rates: [rate],
    formats: formats.map(({ name }) => name),
    channelsMin: channels,
    channelsMax: channels,
    bufferSizeBytes: 4 << 20,
  };
  return (device) => {
    const stream = { type: "playback", uniqueId: "demo", device, declared: {}, effective: params } as const;
    return {
      shortName: "xsnd demo",
      declared: params,
      pcms: [{ name: "Demo", declared: {}, streams: [stream] }],
    };
  };
}

function copyOutput(from: string, to: string): void {
  try {
    Deno.copyFileSync(from, to);
  } catch (error) {
    throw new XsndError(`cannot write ${to}: ${(error as Error).message}`, Exit.failed, { cause: error });
  }
}
