// SPDX-License-Identifier: MIT
/**
 * An ALSA PCM by name, in the main thread: asking it what it can do, opening and closing it. Every call that may
 * take long (a sleeping sound server takes seconds) runs on a thread of Deno's pool.
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
import { FORMATS, formatsToMask, HwParam, XENSND_PCM_FORMAT_S16_LE } from "../../sndif/mod.ts";
import { XEN_EBUSY, XEN_EIO, XEN_ENODEV } from "../../sndif/mod.ts";
import type { AlsaDescriptor } from "./pcm.ts";
import type { OpenDevice, PcmDevice, PcmRequest } from "../device.ts";
import { devicePeriodFrames, pollPeriodFrames } from "../device_period.ts";
import { PcmError } from "../pcm_error.ts";
import type { Direction } from "../pcm.ts";
import { type RefinerDescriptor, refinerOf } from "../refiner.ts";

export class AlsaDevice implements PcmDevice {
  readonly comesBack = true;
  #probe: SndPcm | undefined;
  /** The PCM that is in use. Queries go to it meanwhile: a card with one substream could not be opened a second time. */
  #open: SndPcm | undefined;

  constructor(private readonly name: string, private readonly direction: Direction) {}

  /**
   * Loading libasound, its configuration and the code for all that takes a tenth of a second, and some on a slow board: too
   * much of the 3 s after which a guest's kernel gives up its query. ALSA's null PCM stands in for the card.
   */
  warmUp(): Promise<void> {
    return warm ??= queryNull();
  }

  async probe(): Promise<RefinerDescriptor> {
    if (this.#open === undefined) this.#probe ??= await this.#openPcm();
    return { kind: "alsa", pcm: String((this.#open ?? this.#probe!).address) };
  }

  /** ALSA's name for the kind of PCM that {@link probe} has opened, such as `HW`, `NULL`, `IOPLUG`. */
  get type(): string | undefined {
    return (this.#open ?? this.#probe)?.type;
  }

  async closeProbe(): Promise<void> {
    const pcm = this.#probe;
    this.#probe = undefined;
    if (pcm !== undefined) await this.#discard(pcm);
  }

  /** Closes a handle that nobody plays through: one that cannot even be closed, as its card is gone, is of no interest. */
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
        `cannot open ${this.#what()}: it is ALSA's multi with a null PCM in it, and libasound does not come back from ` +
          "a write to that; name other slaves",
        XEN_ENODEV,
      );
    }
    return pcm;
  }
}

/** What to do next about a result of snd_pcm_open. */
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
      return "; end what has it open, or name a PCM that can be shared";
    case ERRNO.ECONNREFUSED:
      return "; start its sound server, or let this user use it";
  }
  return "";
}

/**
 * Whether one call to write may take for ever. A running null PCM has always room for its whole buffer, whereas `multi`, which
 * counts for itself, has none left: snd_pcm_write_areas (libasound 1.2.8, pcm.c) tries again and again to move no frame, and holds
 * the PCM's lock, so that no other thread can stop it.
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
    // A configuration need not have it; what takes so long has been done.
    if (error instanceof PcmError) return;
    getLogger(["xsnd", "alsa"]).warn("ALSA cannot be used: {reason}", { reason: (error as Error).message });
  } finally {
    await device.closeProbe();
  }
}

/** Of ALSA's error numbers those that the guest's kernel knows too; libasound has some of its own, from 500000 on. */
function xenErrno({ code }: AlsaError): number {
  return -code < SND_ERROR_BEGIN ? -code : XEN_EIO;
}

const STREAM = { playback: SND_PCM_STREAM.PLAYBACK, capture: SND_PCM_STREAM.CAPTURE } as const;

/** Sets `pcm` up for `request`, so that it starts and stops only when told to; what that came to is for the engine. */
async function setUp(pcm: SndPcm, direction: Direction, request: PcmRequest): Promise<AlsaDescriptor> {
  const { rate, channels, format, frameBytes } = request;
  using hw = pcm.hwParams();
  hw.setAccess(SND_PCM_ACCESS.RW_INTERLEAVED);
  hw.setFormat(FORMATS[format].alsaFormat);
  hw.setChannels(channels);
  hw.setRate(rate);
  const isCard = pcm.type === "HW";
  // The buffer first: a card that has few sizes would otherwise let the period, which matters less, choose it.
  const bufferFrames = hw.setBufferSizeNear(request.bufferFrames);
  const period = isCard ? devicePeriodFrames(request) : pollPeriodFrames(request);
  const setPeriod = hw.setPeriodSizeNear(period);
  const periodFrames = isCard ? setPeriod : period;
  await pcm.setHwParams(hw);

  using sw = pcm.swParams();
  sw.setStartThreshold(sw.boundary);
  sw.setStopThreshold(sw.boundary);
  const silencesItself = isCard && direction === "playback";
  if (silencesItself) sw.setSilenceSize(sw.boundary);
  if (isCard) {
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
    interruptFd: isCard ? periodEventFd(pcm) : -1,
    silencesItself,
    steadyFrames: Math.max(bufferFrames, 2 * setPeriod),
  };
}

/** The descriptor of `pcm`, a card, that each of its period interrupts makes ready. */
function periodEventFd(pcm: SndPcm): number {
  const fds = pcm.pollFds();
  return fds.length === 2 ? fds[1].fd : -1;
}
