// SPDX-License-Identifier: MIT
/**
 * A sound device of the host, and what happens to it: another program has it, its clock drifts, it stalls, is unplugged and comes
 * back. `HostEnd` is one direction of it.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import type { Direction } from "../../../lib/pcm/pcm.ts";
import type { Clock } from "../machine/clock.ts";
import type { Process } from "../machine/process.ts";
import { Random } from "../machine/random.ts";
import { Faults } from "./faults.ts";
import { HardwarePcm } from "./hardware_pcm.ts";
import { type HostPcm, type HostPcmOptions, type PcmTypeName, STATE } from "./host_pcm.ts";
import type { Capabilities } from "./hw_space.ts";
import { NullPcm } from "./null_pcm.ts";
import type { SoundReports } from "./reports.ts";
import { ServerPcm } from "./server_pcm.ts";

export interface HostCardOptions {
  /** The name of the device in ALSA's configuration, such as `hw:0`. */
  readonly name: string;
  readonly type: PcmTypeName;
  readonly playback?: Capabilities;
  readonly capture?: Capabilities;
  /** How many may have the device open at a time, in each direction; 1 for hardware, else any number. */
  readonly substreams?: number;
  /** How much faster the card's clock is, in millionths. */
  readonly driftPpm?: number;
  /** The most that an interrupt is late, µs. */
  readonly jitterMicros?: number;
  /** The places of the pointer: multiples of this many frames. A server's chunk; dmix's period. */
  readonly granularityFrames?: number;
  /** How long an open takes, µs. */
  readonly openMicros?: readonly [least: number, most: number];
  readonly seed: number;
}

/** What the cards of one host share. */
export interface HostServices {
  readonly clock: Clock;
  readonly reports: SoundReports;
  nextId(): number;
}

/** How a name opens an end: hardware as itself, or through a plugin. */
export interface Opening {
  readonly name: string;
  readonly type: PcmTypeName;
  readonly capabilities: Capabilities;
}

export class HostEnd {
  readonly pcms = new Set<HostPcm>();
  readonly faults = new Faults();
  readonly reports: SoundReports;
  driftPpm: number;
  jitterMicros: number;
  granularityFrames: number;
  openMicros: readonly [least: number, most: number];
  /** How many handles may be open. */
  substreams: number;
  /** Frames that the microphone has given in all. */
  heard = 0;
  /** Another program has the device. */
  isOccupied = false;
  /** Since when anybody could open it, as far as {@link look} has seen, µs; undefined: nobody can. */
  freeSince: number | undefined;
  /** When something has last happened to the end, or a call on it has failed, as far as {@link look} has seen, µs. */
  disturbedAt = -Infinity;
  /** Until when the device stands still, or has last stood still, µs. */
  standsUntil = -Infinity;
  #failures = 0;
  isServerDead = false;
  readonly #random: Random;

  constructor(
    readonly card: HostCard,
    readonly direction: Direction,
    readonly services: HostServices,
    options: HostCardOptions,
  ) {
    this.reports = services.reports;
    this.driftPpm = options.driftPpm ?? 0;
    this.jitterMicros = options.jitterMicros ?? 0;
    this.granularityFrames = options.granularityFrames ?? (options.type === "IOPLUG" ? 480 : 1);
    this.openMicros = options.openMicros ?? [100, 2000];
    this.substreams = options.substreams ?? (options.type === "HW" ? 1 : Infinity);
    this.#random = new Random(options.seed + (direction === "playback" ? 0 : 1));
  }

  /** How late an interrupt is, µs. */
  jitter(): number {
    return this.jitterMicros === 0 ? 0 : this.#random.between(0, this.jitterMicros);
  }

  /** How long an open takes, µs. */
  openTime(): number {
    return this.#random.between(...this.openMicros);
  }

  get #now(): number {
    return this.services.clock.now;
  }

  /** Notes whether the end is free, at the time `now`. To be called now and then. */
  look(now: number): void {
    const isFree = this.card.isPlugged && !this.isOccupied && this.#users === 0;
    this.freeSince = isFree ? this.freeSince ?? now : undefined;
    if (this.faults.failures !== this.#failures) this.disturbedAt = now;
    this.#failures = this.faults.failures;
  }

  /** How many substreams are in use. A handle on a card that was unplugged uses none of the card that came back. */
  get #users(): number {
    return [...this.pcms].filter(({ state }) => state !== STATE.DISCONNECTED).length;
  }

  /** Opens a handle for `process`; a negative errno. */
  open(opening: Opening, process: Process): HostPcm | number {
    if (!this.card.isPlugged) return -ERRNO.ENOENT;
    if (this.isServerDead) return -ERRNO.ECONNREFUSED;
    if (this.isOccupied || this.#users >= this.substreams) return -ERRNO.EBUSY;
    const options: HostPcmOptions = {
      ...opening,
      id: this.services.nextId(),
      end: this,
      process,
      openedAt: this.#now,
    };
    const pcm = this.#make(options);
    if (!pcm.hasDescriptors) {
      pcm.closeFiles();
      // The plugin does not say why it has no pipe.
      return pcm instanceof ServerPcm ? -ERRNO.EIO : -ERRNO.EMFILE;
    }
    this.pcms.add(pcm);
    return pcm;
  }

  #make(options: HostPcmOptions): HostPcm {
    const { type } = options;
    if (type === "NULL") return new NullPcm(options);
    if (type === "IOPLUG") return new ServerPcm({ ...options, chunk: this.granularityFrames });
    return new HardwarePcm({
      ...options,
      granularity: this.granularityFrames,
      alwaysSilences: type === "DMIX",
    });
  }

  /** The handle is closed, and the sound stops. */
  close(pcm: HostPcm): void {
    if (pcm.closedAt !== undefined) return;
    const now = this.#now;
    if (pcm.configuration !== undefined) pcm.halt(now, "close", STATE.SETUP);
    pcm.closedAt = now;
    pcm.closeFiles();
    this.reports.closed?.(pcm, now);
  }

  /** The substream of a closed handle is free again. */
  release(pcm: HostPcm): void {
    this.pcms.delete(pcm);
    pcm.forget();
  }

  #eachSetUp(work: (pcm: HostPcm) => void): void {
    for (const pcm of [...this.pcms]) {
      if (pcm.configuration !== undefined && pcm.closedAt === undefined) work(pcm);
    }
  }

  /** Reports what has been played by now. */
  settle(): void {
    this.#eachSetUp((pcm) => pcm.settle(this.#now));
  }

  /** Another program takes the device; false if somebody has it. */
  occupy(): boolean {
    if (!this.card.isPlugged || this.isOccupied || this.#users >= this.substreams) return false;
    return this.isOccupied = true;
  }

  /** The other program closes the device. */
  vacate(): void {
    this.isOccupied = false;
  }

  /**
   * No interrupt comes and the pointer stands, for `micros` µs. Then the sound goes on where it was (`resume`), or the sound has gone
   * on meanwhile, and the pointer shows that (`jump`): but for whole buffers, which no kernel notices.
   */
  stall(micros: number, then: "resume" | "jump"): void {
    // One stall is added to another.
    this.standsUntil = Math.max(this.standsUntil, this.#now) + micros;
    this.#eachSetUp((pcm) => pcm.stall(this.#now, micros, then));
  }

  setDrift(ppm: number): void {
    this.driftPpm = ppm;
    this.#eachSetUp((pcm) => pcm.setDrift(this.#now, ppm));
  }

  /** The driver stops the PCM with an xrun. */
  xrun(): void {
    this.#eachSetUp((pcm) => {
      if (pcm.state !== STATE.RUNNING || pcm instanceof NullPcm) return;
      pcm.halt(this.#now, "xrun", STATE.XRUN);
      pcm.stoppedAt = this.#now;
    });
  }

  /** The host slept for a moment. */
  suspend(): void {
    const suspended: readonly number[] = [STATE.PREPARED, STATE.RUNNING, STATE.PAUSED, STATE.XRUN];
    this.#eachSetUp((pcm) => {
      const isSuspended = pcm instanceof HardwarePcm && suspended.includes(pcm.state);
      if (isSuspended) pcm.halt(this.#now, "suspend", STATE.SUSPENDED);
    });
  }

  /** The server stops taking samples until the buffer is full enough. */
  waitForSamples(): void {
    this.#eachSetUp((pcm) => {
      if (pcm instanceof ServerPcm) pcm.waitForSamples(this.#now);
    });
  }

  /** The server behind the plugin dies: an xrun for its PCMs, or their end, as the plugin's version has it. */
  die(state: "XRUN" | "DISCONNECTED"): void {
    this.isServerDead = true;
    this.card.losesHandles();
    for (const pcm of [...this.pcms]) {
      if (pcm instanceof ServerPcm && pcm.closedAt === undefined) pcm.cut(this.#now, STATE[state]);
    }
  }

  restart(): void {
    this.isServerDead = false;
  }

  /** For {@link HostCard.unplug}. */
  unplugged(): void {
    for (const pcm of [...this.pcms]) {
      if (pcm.closedAt === undefined) pcm.halt(this.#now, "unplugged", STATE.DISCONNECTED);
    }
  }
}

/** How many losses of a card's handles are remembered. */
const LOSSES = 16;

export class HostCard {
  readonly name: string;
  readonly type: PcmTypeName;
  readonly playback: HostEnd | undefined;
  readonly capture: HostEnd | undefined;
  #isPlugged = true;
  /** When its open handles began to fail, the last few times, µs. */
  readonly #losses: number[] = [];

  constructor(private readonly services: HostServices, readonly options: HostCardOptions) {
    this.name = options.name;
    this.type = options.type;
    if (options.playback !== undefined) this.playback = new HostEnd(this, "playback", services, options);
    if (options.capture !== undefined) this.capture = new HostEnd(this, "capture", services, options);
  }

  get ends(): readonly HostEnd[] {
    return [this.playback, this.capture].filter((end) => end !== undefined);
  }

  /** Open handles of the card fail from now on. */
  losesHandles(): void {
    this.#losses.push(this.services.clock.now);
    if (this.#losses.length > LOSSES) this.#losses.shift();
  }

  /** Whether the card's open handles began to fail in these µs. */
  hasLostHandles(from: number, until: number): boolean {
    return this.#losses.some((time) => from <= time && time <= until);
  }

  get isPlugged(): boolean {
    return this.#isPlugged;
  }

  /** The card is gone: open handles fail from now on. */
  unplug(): void {
    if (!this.#isPlugged) return;
    this.#isPlugged = false;
    this.losesHandles();
    for (const end of this.ends) end.unplugged();
  }

  plugIn(): void {
    this.#isPlugged = true;
    for (const end of this.ends) end.vacate();
  }
}
