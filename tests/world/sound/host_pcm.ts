// SPDX-License-Identifier: MIT
/**
 * An open PCM of the host (`snd_pcm_t`): what all kinds have in common. The methods are libasound's functions without their
 * checks of handles; results are ALSA's, errors negative errno values.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { FORMATS } from "../../../lib/sndif/mod.ts";
import type { Direction } from "../../../lib/pcm/pcm.ts";
import type { OpenFile } from "../machine/files.ts";
import type { Process, Thread } from "../machine/process.ts";
import type { HostEnd } from "./host_card.ts";
import type { Capabilities, Configuration } from "./hw_space.ts";
import type { StopCause } from "./reports.ts";

/** pcm.h: `snd_pcm_state_t`. */
export const STATE = {
  OPEN: 0,
  SETUP: 1,
  PREPARED: 2,
  RUNNING: 3,
  XRUN: 4,
  DRAINING: 5,
  PAUSED: 6,
  SUSPENDED: 7,
  DISCONNECTED: 8,
} as const;

/** pcm.h: the types of `snd_pcm_type_t` that host devices have here, with libasound's names. */
export const PCM_TYPE = { HW: 0, NULL: 4, PLUG: 14, DMIX: 22, IOPLUG: 28 } as const;
export type PcmTypeName = keyof typeof PCM_TYPE;

/** `snd_pcm_sw_params_t`, as far as xsnd sets it. */
export interface SwParameters {
  startThreshold: number;
  stopThreshold: number;
  silenceSize: number;
  availMin: number;
  periodEvent: boolean;
  /** Whether updates of the pointer note their time, by CLOCK_MONOTONIC. */
  hasTimestamps: boolean;
  isMonotonic: boolean;
}

/** The octets of a sample, and its silence, by ALSA's number of the format. */
export function sampleOf(alsaFormat: number): { octets: number; silence: readonly number[] } {
  const format = FORMATS.find((one) => one.alsaFormat === alsaFormat);
  if (format?.octets === undefined || format.silence === undefined) {
    throw new RangeError(`a host device cannot have ALSA's sample format ${alsaFormat}`);
  }
  return { octets: format.octets, silence: format.silence };
}

/** Where pointers wrap on a 64-bit machine: the buffer, doubled while that fits (snd_pcm_hw_params). */
function boundaryOf(bufferFrames: number): bigint {
  let boundary = BigInt(bufferFrames);
  while (boundary * 2n <= 2n ** 63n - 1n - BigInt(bufferFrames)) boundary *= 2n;
  return boundary;
}

/** How a PCM is opened. */
export interface HostPcmOptions {
  readonly id: number;
  /** The name by which it was opened. */
  readonly name: string;
  readonly type: PcmTypeName;
  readonly end: HostEnd;
  readonly capabilities: Capabilities;
  readonly process: Process;
  readonly openedAt: number;
}

export abstract class HostPcm {
  readonly id: number;
  readonly name: string;
  readonly type: PcmTypeName;
  /** The card's playback or capture. */
  readonly end: HostEnd;
  readonly capabilities: Capabilities;
  readonly process: Process;
  readonly openedAt: number;
  closedAt: number | undefined;
  /** Undoes what is to happen at the end of the process. */
  forget = (): void => {};
  /** `STATE.*`. */
  state: number = STATE.OPEN;
  /** When a fault last stopped it, µs. */
  stoppedAt = -Infinity;
  /** Undefined before hw_params. */
  configuration: Configuration | undefined;
  frameBytes = 0;
  /** Where ALSA's pointers wrap; 0 before hw_params. */
  boundary = 0n;
  /** The driver silences all that it has played: silence_size is the boundary. */
  silencesItself = false;
  /** Whether an xrun stops the PCM: stop_threshold is below the boundary. */
  hasStopThreshold = false;
  sw: SwParameters = {
    startThreshold: 1,
    stopThreshold: 0,
    silenceSize: 0,
    availMin: 1,
    periodEvent: false,
    hasTimestamps: false,
    isMonotonic: false,
  };
  /** The application's position since prepare, frames. */
  appl = 0;
  readonly #descriptors = new Map<OpenFile, number>();
  /** Whether the process had descriptors enough to open the PCM. */
  hasDescriptors = true;
  /** The thread that is in a slow call on this PCM until the time `busyUntil`; undefined: a thread of the pool. */
  busyThread: Thread | undefined;
  busyUntil = 0;
  /** Whether a slow snd_pcm_drop is under way, up to which the device plays on. */
  isDropping = false;
  /**
   * The pointer's register and the interrupts stand still between these times, µs, while the DMA engine goes on. `before`: the frames
   * that the device had played by then since the last look at its pointer.
   */
  readonly blind = { from: 0, until: 0, before: 0 };

  constructor(options: HostPcmOptions) {
    this.id = options.id;
    this.name = options.name;
    this.type = options.type;
    this.end = options.end;
    this.capabilities = options.capabilities;
    this.process = options.process;
    this.openedAt = options.openedAt;
  }

  get direction(): Direction {
    return this.end.direction;
  }

  get isPlayback(): boolean {
    return this.direction === "playback";
  }

  /** As in messages and logs. */
  get label(): string {
    return `${this.name} ${this.direction} #${this.id}`;
  }

  /** Parameters of a PCM that is set up. */
  get set(): Configuration {
    if (this.configuration === undefined) throw new TypeError(`${this.label} is not set up`);
    return this.configuration;
  }

  /** snd_pcm_hw_params, but for the prepare that follows. */
  configure(configuration: Configuration): void {
    this.configuration = configuration;
    this.frameBytes = sampleOf(configuration.format).octets * configuration.channels;
    this.boundary = boundaryOf(configuration.bufferFrames);
    this.#apply({
      startThreshold: 1,
      stopThreshold: configuration.bufferFrames,
      silenceSize: 0,
      availMin: configuration.periodFrames,
      periodEvent: false,
      hasTimestamps: false,
      isMonotonic: false,
    });
    this.state = STATE.SETUP;
  }

  /** snd_pcm_sw_params. */
  setSoftware(parameters: SwParameters): number {
    this.#apply({ ...parameters });
    return 0;
  }

  #apply(parameters: SwParameters): void {
    this.sw = parameters;
    this.silencesItself = parameters.silenceSize >= Number(this.boundary);
    this.hasStopThreshold = parameters.stopThreshold < Number(this.boundary);
  }

  /** Opens a descriptor of libasound's; false if the process has none left. */
  protected openFile(file: OpenFile): boolean {
    const fd = this.process.open(file);
    if (fd < 0) return false;
    this.#descriptors.set(file, fd);
    return true;
  }

  protected closeFile(file: OpenFile): void {
    const fd = this.fdOf(file);
    if (this.process.files.get(fd) === file) this.process.files.delete(fd);
    this.#descriptors.delete(file);
  }

  /** The descriptor of an open file of libasound's. */
  fdOf(file: OpenFile): number {
    return this.#descriptors.get(file) ?? -1;
  }

  /** Closes all descriptors, and lets the memory go. */
  closeFiles(): void {
    for (const file of [...this.#descriptors.keys()]) this.closeFile(file);
  }

  /** Somebody has closed a descriptor: only libasound may. */
  protected closedByOthers(): void {
    if (this.closedAt === undefined && this.process.isAlive) {
      this.end.reports.violated(`${this.label}: the program has closed a descriptor of libasound's`);
    }
  }

  /** What the state is an error for, unless it is one of `states`; 0 if it is (pcm.c: bad_pcm_state). */
  protected expect(...states: readonly number[]): number {
    if (states.includes(this.state)) return 0;
    switch (this.state) {
      case STATE.XRUN:
        return -ERRNO.EPIPE;
      case STATE.SUSPENDED:
        return -ERRNO.ESTRPIPE;
      case STATE.DISCONNECTED:
        return -ERRNO.ENODEV;
    }
    return -ERRNO.EBADFD;
  }

  /** The files behind the poll descriptors. */
  abstract readonly pollFiles: readonly { readonly file: OpenFile; readonly events: number }[];
  abstract avail(now: number): number;
  abstract availUpdate(now: number): number;
  abstract writei(now: number, octets: Uint8Array, frames: number): number;
  abstract readi(now: number, into: Uint8Array, frames: number): number;
  abstract forward(now: number, frames: number): number;
  abstract start(now: number): number;
  abstract drop(now: number): number;
  abstract pause(now: number, enable: boolean): number;
  abstract prepare(now: number): number;
  /** The time of the pointer's last update, µs; a negative errno if there is none. */
  abstract timestamp(now: number): number;
  /** Reports what has been played by `now`. */
  abstract settle(now: number): void;
  /** Ends what runs, because of `cause`, and goes to `state`. */
  abstract halt(now: number, cause: StopCause, state: number): void;
  /** Stands still for a while: the sound itself waits, or only the pointer does. */
  abstract stall(now: number, micros: number, then: "resume" | "jump"): void;
  abstract setDrift(now: number, ppm: number): void;
  /** snd_pcm_dump's text. */
  abstract dump(): string;
}
