// SPDX-License-Identifier: MIT
/**
 * Multiplies a stream's samples by its volume. The guest sets volume and mute channel by channel. The operator's own apply on
 * top, to all channels, and the guest knows nothing of them. A change is a short ramp, so that it does not click. At 0 dB no
 * sample is touched.
 */
import type { Pcm } from "../../pcm/pcm.ts";
import { isArithmetic, SampleAccess } from "../../pcm/sample_access.ts";
import { MIN_VOLUME } from "../../stream/volume_bounds.ts";
import { fillSilence, knownFormat, type SampleFormat } from "../../sndif/mod.ts";

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
  /** The guest's settings by channel: volume in steps of 0.001 dB, and mute. */
  readonly #volumes: Int32Array;
  readonly #muted: Uint8Array;
  #operatorVolume = 0;
  #operatorMuted = false;
  /** By channel: the factor at the next frame, its change a frame during the ramp, and the factor at the ramp's end. */
  readonly #current: Float64Array;
  readonly #step: Float64Array;
  readonly #target: Float64Array;
  #rampLeft = 0;
  /** Whether samples have passed: then a sudden change would be heard as a click. */
  #heard = false;
  /** Whether every factor is 1. */
  #isUnity = true;

  /** @param pcm whose staging the samples pass through */
  constructor(pcm: Pcm) {
    const { channels, format, frameBytes, rate } = pcm.params;
    this.#channels = channels;
    this.#frameBytes = frameBytes;
    this.#sampleBytes = frameBytes / channels;
    this.#format = knownFormat(format);
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

  /** Whether the sample format has volumes: linear and float formats have. The operator can mute the others, and no more. */
  get isPossible(): boolean {
    return this.#access !== undefined;
  }

  /** Whether each sample is multiplied. */
  get isChanging(): boolean {
    return !this.#isUnity && this.#access !== undefined;
  }

  /** The guest's volume in steps of 0.001 dB, as it was set. */
  volume(channel: number): number {
    return this.#volumes[channel]!;
  }

  /** @param volume in steps of 0.001 dB, at most {@link MAX_VOLUME}. Takes effect with {@link changed}. */
  setVolume(channel: number, volume: number): void {
    this.#volumes[channel] = volume;
  }

  /** Takes effect with {@link changed}. */
  setMuted(channel: number, muted: boolean): void {
    this.#muted[channel] = Number(muted);
  }

  /** Sets the operator's volume and mute, of all channels. Takes effect with {@link changed}. */
  setOperators(volume: number, muted: boolean): void {
    this.#operatorVolume = volume;
    this.#operatorMuted = muted;
  }

  /** Begins the ramp from the factors that are heard now to those that were set. */
  changed(): void {
    if (this.#access === undefined) {
      this.#isUnity = !this.#operatorMuted;
      return;
    }
    for (let c = 0; c < this.#channels; c++) {
      const isMuted = this.#operatorMuted || this.#muted[c] !== 0;
      this.#target[c] = isMuted ? 0 : factor(this.#volumes[c]!) * factor(this.#operatorVolume);
      this.#step[c] = (this.#target[c]! - this.#current[c]!) / this.#rampFrames;
    }
    this.#rampLeft = this.#rampFrames;
    this.#isUnity = false;
    if (!this.#heard) this.#endRamp();
  }

  /** Multiplies the first `frames` frames of staging. They count as heard only after {@link advance}. */
  apply(frames: number): void {
    if (this.#isUnity) return;
    if (this.#access === undefined) {
      fillSilence(this.#format, this.#stagingBytes, 0, frames * this.#frameBytes);
      return;
    }
    for (let frame = 0; frame < frames; frame++) {
      const inRamp = frame < this.#rampLeft;
      for (let c = 0; c < this.#channels; c++) {
        const gain = inRamp ? this.#current[c]! + this.#step[c]! * frame : this.#target[c]!;
        if (gain === 1) continue;
        const at = frame * this.#frameBytes + c * this.#sampleBytes;
        this.#access.store(this.#staging, at, this.#access.load(this.#staging, at) * gain);
      }
    }
  }

  /** The device, or the guest, has taken the first `frames` frames of those last given to {@link apply}. */
  advance(frames: number): void {
    this.#heard = true;
    if (this.#rampLeft === 0) return;
    const ramped = Math.min(frames, this.#rampLeft);
    for (let c = 0; c < this.#channels; c++) this.#current[c]! += this.#step[c]! * ramped;
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

/** The factor of a volume in steps of 0.001 dB. */
function factor(volume: number): number {
  return volume <= MIN_VOLUME ? 0 : 10 ** (volume / 20_000);
}
