// SPDX-License-Identifier: MIT
/** The file of a session: what is played, or where the recording goes. */
import { XsndError } from "../base/error.ts";
import { formatByName, FORMATS, type SampleFormat } from "../sndif/mod.ts";
import {
  type AudioParams,
  type AudioReader,
  type AudioWriter,
  RawReader,
  RawWriter,
  WavReader,
  WavWriter,
} from "../wav/mod.ts";
import type { SessionMessage, SessionOptions } from "./session.ts";

/** How often the session reports its progress. */
const PROGRESS_MS = 100;

export class SessionAudio implements Disposable {
  /** The file to play; undefined for a recording. */
  readonly reader: AudioReader | undefined;

  /** Opens the file to play. A recording's file begins with {@link record}. */
  constructor(readonly options: SessionOptions, private readonly post: (message: SessionMessage) => void) {
    if (options.kind === "play") this.reader = this.#openReader(options);
  }

  #openReader({ file: { path, raw } }: SessionOptions): AudioReader {
    const warn = (warning: string) => this.post({ kind: "warning", warning });
    return raw === undefined
      ? new WavReader(path, warn)
      : new RawReader(path, { ...raw, format: format(raw.format) }, warn);
  }

  /** The parameters of the stream: those of the file, in the first sample format that both ends know. */
  params(offered: readonly string[]): AudioParams {
    const { options, reader } = this;
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

  /** Begins the file of a recording. */
  record(params: AudioParams): AudioWriter {
    const { path, raw } = this.options.file;
    return raw === undefined ? new WavWriter(path, params) : new RawWriter(path, params);
  }

  /** Frames to play or to record; undefined if nobody knows. */
  frames(): number | undefined {
    const { record } = this.options;
    return this.reader === undefined ? Math.round(record!.seconds * record!.rate) : this.reader.frames;
  }

  /** Reports frames that were played or recorded, a few times a second. */
  progress(rate: number): (frames: number) => void {
    const totalFrames = this.frames();
    let next = 0;
    return (frames) => {
      if (performance.now() < next) return;
      next = performance.now() + PROGRESS_MS;
      this.post({ kind: "progress", progress: { frames, totalFrames, rate } });
    };
  }

  [Symbol.dispose](): void {
    this.reader?.[Symbol.dispose]();
  }
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
