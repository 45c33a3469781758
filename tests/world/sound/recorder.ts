// SPDX-License-Identifier: MIT
/** Keeps what devices report, for tests: runs that follow each other are one. */
import type { HostPcm } from "./host_pcm.ts";
import type { PlayedRun, ReadRun, SoundReports, StopCause } from "./reports.ts";

/** A run with its octets, in the pieces in which they were reported. */
type KeptPlayed = Omit<PlayedRun, "octets"> & { readonly pieces: readonly Uint8Array<ArrayBuffer>[] };

export class Recorder implements SoundReports {
  readonly playedRuns: KeptPlayed[] = [];
  readonly readRuns: ReadRun[] = [];
  readonly stops: { readonly cause: StopCause; readonly position: number; readonly time: number }[] = [];
  readonly violations: string[] = [];
  /** Everything in the order in which it was reported, a line each. */
  readonly lines: string[] = [];

  #line(pcm: HostPcm, what: string, ...values: readonly (string | number)[]): void {
    this.lines.push(`${pcm.label} ${what} ${values.join(" ")}`);
  }

  opened(pcm: HostPcm, time: number): void {
    this.#line(pcm, "opened", time);
  }

  closed(pcm: HostPcm, time: number): void {
    this.#line(pcm, "closed", time);
  }

  started(pcm: HostPcm, time: number): void {
    this.#line(pcm, "started", time);
  }

  stopped(pcm: HostPcm, cause: StopCause, position: number, time: number): void {
    this.stops.push({ cause, position, time });
    this.#line(pcm, "stopped", cause, position, time);
  }

  written(pcm: HostPcm, position: number, frames: number, _octets: Uint8Array, time: number): void {
    this.#line(pcm, "written", position, frames, time);
  }

  played(pcm: HostPcm, { octets, ...run }: PlayedRun): void {
    const { position, source, isRepeat, frames, from, until } = run;
    const piece = new Uint8Array(octets);
    this.#line(pcm, "played", position, source, Number(isRepeat), frames, from, until, checksum(piece));
    const last = this.playedRuns.at(-1);
    const goesOn = last !== undefined && last.isRepeat === isRepeat &&
      last.position + last.frames === position &&
      (source < 0 ? last.source === source : last.source >= 0 && last.source + last.frames === source);
    if (!goesOn) this.playedRuns.push({ ...run, pieces: [piece] });
    else {
      (last.pieces as Uint8Array<ArrayBuffer>[]).push(piece);
      this.playedRuns[this.playedRuns.length - 1] = { ...last, frames: last.frames + frames, until };
    }
  }

  read(pcm: HostPcm, run: ReadRun): void {
    this.readRuns.push(run);
    this.#line(pcm, "read", run.position, run.number, run.frames, run.from, run.until);
  }

  violated(what: string): void {
    this.violations.push(what);
    this.lines.push(what);
  }

  /** The runs that were played, as [position, source, frames]. */
  get runs(): readonly (readonly [number, number, number])[] {
    return this.playedRuns.map(({ position, source, frames }) => [position, source, frames]);
  }
}

/** FNV-1a of 32 bits. */
function checksum(octets: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const octet of octets) hash = Math.imul(hash ^ octet, 0x01000193);
  return hash >>> 0;
}
