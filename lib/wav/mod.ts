// SPDX-License-Identifier: MIT
/**
 * Reads and writes sound files, WAV and raw samples: without loss, in little memory, sequentially and synchronously.
 */
export {
  type AudioParams,
  type AudioReader,
  type AudioWriter,
  copyFrames,
  frameOctets,
  type Warn,
} from "./audio.ts";
export { RawReader, RawWriter } from "./raw.ts";
export { WavReader } from "./wav_reader.ts";
export { WavWriter } from "./wav_writer.ts";
