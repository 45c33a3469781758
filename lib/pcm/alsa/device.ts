// SPDX-License-Identifier: MIT
/**
 * An ALSA PCM by its name, in the main thread: asks for its capabilities, opens and closes it. Calls that may take long (a sleeping
 * sound server takes seconds) run on a thread of Deno's pool.
 */
import { getLogger } from "@logtape/logtape";
import { AlsaError } from "../../../ffi/alsa/alsa_error.ts";
import {
  SND_ERROR_BEGIN,
  SND_PCM_ACCESS,
  SND_PCM_NONBLOCK,
  SND_PCM_STREAM,
  SND_PCM_TSTAMP_TYPE,
} from "../../../ffi/alsa/libasound.ts";
import { ERRNO } from "../../../ffi/libc/errno.ts";
import { SndPcm } from "../../../ffi/alsa/snd_pcm.ts";
import { formatsToMask, HwParam, XENSND_PCM_FORMAT_S16_LE } from "../../sndif/mod.ts";
import { XEN_EBUSY, XEN_EIO, XEN_ENODEV } from "../../sndif/mod.ts";
import type { AlsaDescriptor } from "./pcm.ts";
import type { OpenDevice, PcmDevice, PcmRequest } from "../device.ts";
import { devicePeriodFrames, pollPeriodFrames } from "../device_period.ts";
import { PcmError } from "../pcm_error.ts";
import { type Direction, sampleFormatOf } from "../pcm.ts";
import { type RefinerDescriptor, refinerOf } from "../refiner.ts";

export class AlsaDevice implements PcmDevice {
  readonly comesBack = true;
  #probe: SndPcm | undefined;
  /** The PCM of an open stream. Queries use that PCM: a device with one substream cannot be opened twice. */
  #open: SndPcm | undefined;

  constructor(private readonly name: string, private readonly direction: Direction) {}

  /**
   * Queries ALSA's null PCM, and so loads libasound, its configuration and the code. That takes a tenth of a second, more on a slow
   * board: too much of the 3 s after which a guest's kernel gives up its query.
   */
  warmUp(): Promise<void> {
    return warm ??= queryNull();
  }

  async probe(): Promise<RefinerDescriptor> {
    if (this.#open === undefined) this.#probe ??= await this.#openPcm();
    return { kind: "alsa", pcm: String((this.#open ?? this.#probe!).address) };
  }

  /** ALSA's name for the kind of the PCM that {@link probe} or {@link open} has opened, such as `HW`, `NULL`, `IOPLUG`. */
  get type(): string | undefined {
    return (this.#open ?? this.#probe)?.type;
  }

  async closeProbe(): Promise<void> {
    const pcm = this.#probe;
    this.#probe = undefined;
    if (pcm !== undefined) await this.#discard(pcm);
  }

  /** Closes an idle handle. A failure, as of a device that is gone, only goes to the debug log. */
  async #discard(pcm: SndPcm): Promise<void> {
    try {
      await pcm[Symbol.asyncDispose]();
    } catch (error) {
      if (!(error instanceof AlsaError)) throw error;
      getLogger(["xsnd", "alsa"]).debug("{error}", { error: error.message });
    }
  }

  async open(request: PcmRequest): Promise<OpenDevice> {
    const pcm = this.#probe ?? await this.#openPcm();
    this.#probe = undefined;
    try {
      const descriptor = await setUp(pcm, this.direction, request);
      this.#open = pcm;
      return { descriptor, close: () => this.#close(pcm) };
    } catch (error) {
      await this.#discard(pcm);
      if (!(error instanceof AlsaError)) throw error;
      const what = `cannot set up ${this.#what()}: ${error.message}`;
      throw new PcmError(what, xenErrno(error), { cause: error });
    }
  }

  #close(pcm: SndPcm): Promise<void> {
    this.#open = undefined;
    return pcm[Symbol.asyncDispose]();
  }

  #what(): string {
    return `PCM ${JSON.stringify(this.name)} for ${this.direction}`;
  }

  async #openPcm(): Promise<SndPcm> {
    let pcm: SndPcm;
    try {
      pcm = await SndPcm.open(this.name, STREAM[this.direction], SND_PCM_NONBLOCK);
    } catch (error) {
      if (!(error instanceof AlsaError)) throw error;
      const errno = error.code === -XEN_EBUSY ? XEN_EBUSY : XEN_ENODEV;
      const what = `cannot open ${this.#what()}: ${error.message}${adviceOn(error.code)}`;
      throw new PcmError(what, errno, { cause: error });
    }
    if (isEndless(pcm)) {
      await this.#discard(pcm);
      throw new PcmError(
        `cannot open ${this.#what()}: a write to ALSA's multi with a null PCM in it never returns; name other slaves`,
        XEN_ENODEV,
      );
    }
    return pcm;
  }
}

/** The remedy for an error of snd_pcm_open. */
function adviceOn(code: number): string {
  switch (-code) {
    case ERRNO.ENOENT:
    case ERRNO.ENODEV:
    case ERRNO.ENXIO:
    case ERRNO.EINVAL:
      return "; `xsnd probe` lists this host's";
    case ERRNO.EACCES:
    case ERRNO.EPERM:
      return "; run as root, or in the group audio";
    case ERRNO.EBUSY:
      return "; end the program that has it open, or name a PCM that programs can share";
    case ERRNO.ECONNREFUSED:
      return "; start its sound server, or let this user use it";
  }
  return "";
}

/**
 * Whether a call to write may never return. A running null PCM always has room for its whole buffer, but `multi` counts for itself,
 * and has no room left. Then snd_pcm_write_areas (libasound 1.2.8, pcm.c) keeps trying to move 0 frames, and holds the PCM's
 * lock, so that no other thread can stop it.
 */
function isEndless(pcm: SndPcm): boolean {
  return pcm.type !== "HW" && /\bMulti PCM\b[^]*\bNull PCM\b/.test(pcm.dump());
}

let warm: Promise<void> | undefined;

async function queryNull(): Promise<void> {
  const device = new AlsaDevice("null", "playback");
  const param = new HwParam();
  param.formatsLow = formatsToMask([XENSND_PCM_FORMAT_S16_LE]);
  Object.assign(param.rates, { min: 8000, max: 48000 });
  Object.assign(param.channels, { min: 1, max: 2 });
  try {
    refinerOf(await device.probe()).refine(param);
  } catch (error) {
    // A configuration need not have a null PCM. The slow part is done all the same.
    if (error instanceof PcmError) return;
    getLogger(["xsnd", "alsa"]).warn("ALSA cannot be used: {reason}", { reason: (error as Error).message });
  } finally {
    await device.closeProbe();
  }
}

/** The error number for the guest: ALSA's, or EIO for libasound's own numbers (from 500000 on), which the guest does not know. */
function xenErrno({ code }: AlsaError): number {
  return -code < SND_ERROR_BEGIN ? -code : XEN_EIO;
}

const STREAM = { playback: SND_PCM_STREAM.PLAYBACK, capture: SND_PCM_STREAM.CAPTURE } as const;

/** Sets `pcm` up for `request`, so that it starts and stops only on command. Returns the result for the engine. */
async function setUp(pcm: SndPcm, direction: Direction, request: PcmRequest): Promise<AlsaDescriptor> {
  const { rate, channels, format, frameBytes } = request;
  using hw = pcm.hwParams();
  hw.setAccess(SND_PCM_ACCESS.RW_INTERLEAVED);
  hw.setFormat(sampleFormatOf(request).alsaFormat);
  hw.setChannels(channels);
  hw.setRate(rate);
  const isHardware = pcm.type === "HW";
  // The buffer first: on a device with few sizes the period, which matters less, would otherwise decide the buffer.
  const bufferFrames = hw.setBufferSizeNear(request.bufferFrames);
  const period = isHardware ? devicePeriodFrames(request) : pollPeriodFrames({ ...request, bufferFrames });
  const setPeriod = hw.setPeriodSizeNear(period);
  const periodFrames = isHardware ? setPeriod : period;
  await pcm.setHwParams(hw);

  using sw = pcm.swParams();
  sw.setStartThreshold(sw.boundary);
  sw.setStopThreshold(sw.boundary);
  const silencesItself = isHardware && direction === "playback";
  if (silencesItself) sw.setSilenceSize(sw.boundary);
  if (isHardware) {
    sw.setPeriodEvent(true);
    sw.setTimestamps(SND_PCM_TSTAMP_TYPE.MONOTONIC);
  }
  pcm.setSwParams(sw);
  await pcm.prepare();
  return {
    kind: "alsa",
    params: { direction, rate, channels, format, frameBytes, bufferFrames, periodFrames },
    pcm: String(pcm.address),
    canPause: hw.canPause,
    ...(isHardware ? hardwareFds(pcm) : { interruptFd: -1, ownFd: -1 }),
    silencesItself,
    steadyFrames: Math.max(bufferFrames, 2 * setPeriod),
  };
}

/**
 * The descriptors of a hardware PCM: its own, and the one that each period interrupt makes ready. The interrupts' timer tells nothing of
 * an xrun (alsa-lib asks it for SNDRV_TIMER_EVENT_TICK, and for suspend and resume).
 */
function hardwareFds(pcm: SndPcm): Pick<AlsaDescriptor, "interruptFd" | "ownFd"> {
  const [own, timer] = pcm.pollFds();
  return timer === undefined ? { interruptFd: -1, ownFd: -1 } : { interruptFd: timer.fd, ownFd: own!.fd };
}
