// SPDX-License-Identifier: MIT
/**
 * Sound in files: WAV and raw samples, in and out, without loss and in little memory. Sequential and synchronous.
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
