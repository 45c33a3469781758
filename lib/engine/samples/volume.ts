// SPDX-License-Identifier: MIT
/**
 * What a stream's volume does to its samples: the guest's SET_VOLUME, MUTE and UNMUTE, channel by channel, and on top of that
 * the operator's own, of which the guest knows nothing. A change goes over the samples in a short ramp, so that it does
 * not click. At 0 dB nothing is touched.
 */
import type { Pcm } from "../../pcm/pcm.ts";
import { isArithmetic, SampleAccess } from "../../pcm/sample_access.ts";
import { MIN_VOLUME } from "../../stream/volume_bounds.ts";
import { fillSilence, FORMATS, type SampleFormat } from "../../sndif/mod.ts";

const RAMP_SECONDS = 0.01;

export class Volume {
  readonly #channels: number;
  readonly #frameBytes: number;
  readonly #sampleBytes: number;
  readonly #format: SampleFormat;
  readonly #staging: DataView;
  readonly #stagingBytes: Uint8Array;
  readonly #access: SampleAccess | undefined;
  readonly #rampFrames: number;
  /** What was set, in steps of 0.001 dB, and what is muted, by channel. */
  readonly #volumes: Int32Array;
  readonly #muted: Uint8Array;
  #operatorVolume = 0;
  #operatorMuted = false;
  /** Factors by channel: at the next frame, its change from frame to frame in a ramp, and at the ramp's end. */
  readonly #current: Float64Array;
  readonly #step: Float64Array;
  readonly #target: Float64Array;
  #rampLeft = 0;
  /** Whether samples have passed, so that a change could be heard as a click. */
  #heard = false;
  #isUnity = true;

  /** For the samples that pass through `pcm`'s staging. */
  constructor(pcm: Pcm) {
    const { channels, format, frameBytes, rate } = pcm.params;
    this.#channels = channels;
    this.#frameBytes = frameBytes;
    this.#sampleBytes = frameBytes / channels;
    this.#format = FORMATS[format];
    this.#staging = new DataView(pcm.staging);
    this.#stagingBytes = new Uint8Array(pcm.staging);
    if (isArithmetic(this.#format)) this.#access = new SampleAccess(this.#format);
    this.#rampFrames = Math.max(1, Math.round(rate * RAMP_SECONDS));
    this.#volumes = new Int32Array(channels);
    this.#muted = new Uint8Array(channels);
    this.#current = new Float64Array(channels).fill(1);
    this.#step = new Float64Array(channels);
    this.#target = new Float64Array(channels).fill(1);
  }

  /** Whether the stream's samples are of a format that has volumes: linear and float ones. Others can be muted by the operator. */
  get isPossible(): boolean {
    return this.#access !== undefined;
  }

  /** Whether each sample is multiplied. */
  get isChanging(): boolean {
    return !this.#isUnity && this.#access !== undefined;
  }

  /** In steps of 0.001 dB, as it was set. */
  volume(channel: number): number {
    return this.#volumes[channel];
  }

  /** @param volume in steps of 0.001 dB, at most {@link MAX_VOLUME}. Takes effect with {@link changed}. */
  setVolume(channel: number, volume: number): void {
    this.#volumes[channel] = volume;
  }

  /** Takes effect with {@link changed}. */
  setMuted(channel: number, muted: boolean): void {
    this.#muted[channel] = Number(muted);
  }

  /** The operator's, of all channels. Takes effect with {@link changed}. */
  setOperators(volume: number, muted: boolean): void {
    this.#operatorVolume = volume;
    this.#operatorMuted = muted;
  }

  /** Begins the ramp from what is heard now to what was set. */
  changed(): void {
    if (this.#access === undefined) {
      this.#isUnity = !this.#operatorMuted;
      return;
    }
    for (let c = 0; c < this.#channels; c++) {
      const isMuted = this.#operatorMuted || this.#muted[c] !== 0;
      this.#target[c] = isMuted ? 0 : factor(this.#volumes[c]) * factor(this.#operatorVolume);
      this.#step[c] = (this.#target[c] - this.#current[c]) / this.#rampFrames;
    }
    this.#rampLeft = this.#rampFrames;
    this.#isUnity = false;
    if (!this.#heard) this.#endRamp();
  }

  /** Gives the first `frames` frames of staging their volume. They count as heard only after {@link advance}. */
  apply(frames: number): void {
    if (this.#isUnity) return;
    if (this.#access === undefined) {
      fillSilence(this.#format, this.#stagingBytes, 0, frames * this.#frameBytes);
      return;
    }
    for (let frame = 0; frame < frames; frame++) {
      const inRamp = frame < this.#rampLeft;
      for (let c = 0; c < this.#channels; c++) {
        const gain = inRamp ? this.#current[c] + this.#step[c] * frame : this.#target[c];
        if (gain === 1) continue;
        const at = frame * this.#frameBytes + c * this.#sampleBytes;
        this.#access.store(this.#staging, at, this.#access.load(this.#staging, at) * gain);
      }
    }
  }

  /** The first `frames` frames of those that were last {@link apply applied} have gone on their way. */
  advance(frames: number): void {
    this.#heard = true;
    if (this.#rampLeft === 0) return;
    const ramped = Math.min(frames, this.#rampLeft);
    for (let c = 0; c < this.#channels; c++) this.#current[c] += this.#step[c] * ramped;
    this.#rampLeft -= ramped;
    if (this.#rampLeft === 0) this.#endRamp();
  }

  #endRamp(): void {
    this.#rampLeft = 0;
    this.#current.set(this.#target);
    this.#isUnity = true;
    for (let c = 0; c < this.#channels; c++) if (this.#target[c] !== 1) this.#isUnity = false;
  }
}

/** By what a sample is multiplied at a volume in steps of 0.001 dB. */
function factor(volume: number): number {
  return volume <= MIN_VOLUME ? 0 : 10 ** (volume / 20_000);
}
