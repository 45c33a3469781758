// SPDX-License-Identifier: MIT
/** What a check of the self-test works with: cards of dummy devices, noise in files, sessions, an operator. */
import { XsndError } from "../base/error.ts";
import { ControlClient } from "../control/control_client.ts";
import type { StreamGoal, StreamReport } from "../control/protocol.ts";
import { runSession, runSessions } from "../guest/run_session.ts";
import type { SessionOptions, SessionReport, SessionStream } from "../guest/session.ts";
import { formatByName } from "../sndif/mod.ts";
import type { CardConfig } from "../vsnd/model/card.ts";
import { WavWriter } from "../wav/mod.ts";
import type { DemoHost } from "./demo_host.ts";

/** The parameters of a sound. */
export interface Shape {
  readonly format: string;
  /** Hz. */
  readonly rate: number;
  readonly channels: number;
}

/** A stream of a test card. */
export interface TestStream {
  readonly type: "playback" | "capture";
  readonly device: string;
  readonly shape: Shape;
}

const WAIT_MS = 10_000;

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** What is wrong, in words. */
export class CheckFailure extends XsndError {}

/** What a check works with. */
export class TestBench {
  #files = 0;

  constructor(readonly host: DemoHost, private readonly signal: AbortSignal) {}

  /** The path of a new file that a daemon may write. */
  file(): string {
    return `${this.host.directory}/${++this.#files}.wav`;
  }

  /** A file of noise that is the same each time. */
  noise(shape: Shape, seconds: number): string {
    return this.#sound(shape, seconds, (octets) => {
      let state = 1;
      for (let i = 0; i < octets.length; i++) {
        state = Math.imul(state, 1_664_525) + 1_013_904_223 | 0;
        octets[i] = state >>> 24;
      }
    });
  }

  /** A file of silence. */
  silence(shape: Shape, seconds: number): string {
    return this.#sound(shape, seconds, () => {});
  }

  #sound({ format, rate, channels }: Shape, seconds: number, fill: (octets: Uint8Array) => void): string {
    const path = this.file();
    using writer = new WavWriter(path, { format: formatByName(format)!, rate, channels });
    const octets = new Uint8Array(Math.round(seconds * rate) * writer.frameOctets);
    fill(octets);
    writer.writeFrames(octets);
    return path;
  }

  /** Gives the guest a card with these streams for the length of `body`. */
  withStreams<T>(streams: readonly TestStream[], body: (streams: SessionStream[]) => Promise<T>): Promise<T> {
    return this.host.withCard(cardOf(streams), body);
  }

  /** Runs a session as the guest. */
  run(session: SessionOptions): Promise<SessionReport> {
    return runSession(session, undefined, this.signal);
  }

  /** Runs sessions at the same time, on one card. */
  together(sessions: readonly SessionOptions[]): Promise<readonly SessionReport[]> {
    return runSessions(sessions, undefined, this.signal);
  }

  /** Asks the daemon, as an operator does. */
  async operate(
    request: { command: "trigger"; trigger: "pause" | "resume" } | { command: "volume"; muted: boolean },
    stream: SessionStream,
  ): Promise<StreamReport> {
    using client = await ControlClient.connect();
    return await client.call({ ...request, stream: stream.name, waitMs: WAIT_MS });
  }

  async status({ name }: SessionStream): Promise<StreamReport> {
    using client = await ControlClient.connect();
    const { streams } = await client.call({ command: "status" });
    const found = streams.find(({ stream }) => stream === name);
    if (found === undefined) throw new CheckFailure(`the daemon has no stream ${name}`);
    return found;
  }

  /** Waits until the stream has that state: see `xsnd wait`. */
  async wait({ name }: SessionStream, goal: StreamGoal): Promise<void> {
    using client = await ControlClient.connect();
    await client.call({ command: "wait", stream: name, goal, waitMs: WAIT_MS });
  }
}

/** @param baseline whether to measure the machine, too: that takes a second */
export function playing(stream: SessionStream, path: string, baseline = false): SessionOptions {
  return { kind: "play", stream, file: { path }, baseline };
}

export function recording(
  stream: SessionStream,
  path: string,
  shape: Shape,
  seconds: number,
): SessionOptions {
  return { kind: "record", stream, file: { path }, record: { ...shape, seconds } };
}

function cardOf(streams: readonly TestStream[]): CardConfig {
  return {
    shortName: "xsnd test",
    declared: {},
    pcms: streams.map(({ type, device, shape: { format, rate, channels } }, pcm) => {
      const effective = {
        rates: [rate],
        formats: [format],
        channelsMin: channels,
        channelsMax: channels,
        bufferSizeBytes: 4 << 20,
      };
      const stream = { type, uniqueId: `test${pcm}`, device, declared: {}, effective };
      return { name: "Test", declared: {}, streams: [stream] };
    }),
  };
}
