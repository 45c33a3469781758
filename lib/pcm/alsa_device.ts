/**
 * An ALSA PCM by name, in the main thread: asking it what it can do, opening and closing it. Every call that may
 * take long (a sleeping sound server takes seconds) runs on a thread of Deno's pool.
 */
import { getLogger } from "@logtape/logtape";
import {
  AlsaError,
  SND_ERROR_BEGIN,
  SND_PCM_ACCESS,
  SND_PCM_NONBLOCK,
  SND_PCM_STREAM,
} from "../../ffi/libasound.ts";
import type { HwParams } from "../../ffi/libasound_params.ts";
import { SndPcm } from "../../ffi/libasound_pcm.ts";
import { FORMATS, formatsToMask, HwParam, maskToFormats, XENSND_PCM_FORMAT_S16_LE } from "../sndif/mod.ts";
import { XEN_EBUSY, XEN_EINVAL, XEN_EIO, XEN_ENODEV } from "../sndif/mod.ts";
import type { AlsaDescriptor } from "./alsa.ts";
import { cardPeriodFrames, type OpenCard, type PcmDevice, PcmError, type PcmRequest } from "./device.ts";
import type { Direction } from "./pcm.ts";

/** How long a handle that answered a query is kept for the next one: queries come in bursts of a few dozen. */
const PROBE_IDLE_MS = 200;

export class AlsaDevice implements PcmDevice {
  #probe: SndPcm | undefined;
  /** The PCM that is in use. Queries go to it meanwhile: a card with one substream could not be opened a second time. */
  #open: SndPcm | undefined;
  #probeTimer: ReturnType<typeof setTimeout> | undefined;
  #closing: Promise<unknown> = Promise.resolve();

  constructor(private readonly name: string, private readonly direction: Direction) {}

  /**
   * Loading libasound, its configuration and the code for all that takes a tenth of a second, and some on a slow board: too
   * much of the 3 s after which a guest's kernel gives up its query. ALSA's null PCM stands in for the card.
   */
  warmUp(): Promise<void> {
    return warm ??= queryNull();
  }

  async refine(param: HwParam): Promise<void> {
    try {
      refineWith(this.#open ?? await this.#takeProbe(), param);
    } catch (error) {
      if (!(error instanceof AlsaError)) throw error;
      throw new PcmError(`${this.#what()} cannot do what the guest asks for: ${error.message}`, XEN_EINVAL);
    }
  }

  async #takeProbe(): Promise<SndPcm> {
    clearTimeout(this.#probeTimer);
    await this.#closing;
    this.#probe ??= await this.#openPcm();
    this.#probeTimer = setTimeout(() => this.#closeProbe(), PROBE_IDLE_MS);
    return this.#probe;
  }

  async open(request: PcmRequest): Promise<OpenCard> {
    clearTimeout(this.#probeTimer);
    await this.#closing;
    const pcm = this.#probe ?? await this.#openPcm();
    this.#probe = undefined;
    try {
      const descriptor = await setUp(pcm, this.direction, request);
      this.#open = pcm;
      return { descriptor, close: () => this.#close(pcm) };
    } catch (error) {
      await pcm[Symbol.asyncDispose]();
      if (!(error instanceof AlsaError)) throw error;
      const what = `cannot set up ${this.#what()}: ${error.message}`;
      throw new PcmError(what, xenErrno(error), { cause: error });
    }
  }

  #close(pcm: SndPcm): Promise<void> {
    this.#open = undefined;
    return pcm[Symbol.asyncDispose]();
  }

  async dispose(): Promise<void> {
    clearTimeout(this.#probeTimer);
    this.#closeProbe();
    await this.#closing;
  }

  #what(): string {
    return `PCM ${JSON.stringify(this.name)} for ${this.direction}`;
  }

  async #openPcm(): Promise<SndPcm> {
    try {
      return await SndPcm.open(this.name, STREAM[this.direction], SND_PCM_NONBLOCK);
    } catch (error) {
      if (!(error instanceof AlsaError)) throw error;
      const errno = error.code === -XEN_EBUSY ? XEN_EBUSY : XEN_ENODEV;
      throw new PcmError(
        `cannot open ${this.#what()}: ${error.message}; \`aplay -L\` lists this host's`,
        errno,
      );
    }
  }

  #closeProbe(): void {
    const pcm = this.#probe;
    this.#probe = undefined;
    if (pcm !== undefined) this.#closing = pcm[Symbol.asyncDispose]();
  }
}

let warm: Promise<void> | undefined;

async function queryNull(): Promise<void> {
  const device = new AlsaDevice("null", "playback");
  const param = new HwParam();
  param.formatsLow = formatsToMask([XENSND_PCM_FORMAT_S16_LE]);
  Object.assign(param.rates, { min: 8000, max: 48000 });
  Object.assign(param.channels, { min: 1, max: 2 });
  try {
    await device.refine(param);
  } catch (error) {
    getLogger(["xsnd", "alsa"]).warn("ALSA cannot be used: {reason}", { reason: (error as Error).message });
  } finally {
    await device.dispose();
  }
}

/** Of ALSA's error numbers those that the guest's kernel knows too; libasound has some of its own, from 500000 on. */
function xenErrno({ code }: AlsaError): number {
  return -code < SND_ERROR_BEGIN ? -code : XEN_EIO;
}

const STREAM = { playback: SND_PCM_STREAM.PLAYBACK, capture: SND_PCM_STREAM.CAPTURE } as const;

/** Leaves of `param`'s formats, rates and channels what `pcm` can do. Sizes are the engine's affair, not the card's. */
function refineWith(pcm: SndPcm, param: HwParam): void {
  using space = pcm.hwParams();
  space.setAccess(SND_PCM_ACCESS.RW_INTERLEAVED);
  narrowTo(space, param);
  const possible = maskToFormats(param.formatsLow).filter(({ alsaFormat }) => space.testFormat(alsaFormat));
  if (possible.length === 0) {
    throw new PcmError("the card has none of the formats that the guest asks for", XEN_EINVAL);
  }
  param.formatsLow = formatsToMask(possible.map(({ code }) => code));
  param.rates.min = space.min("rate");
  param.rates.max = space.max("rate");
  param.channels.min = space.min("channels");
  param.channels.max = space.max("channels");
}

function narrowTo(space: HwParams, param: HwParam): void {
  space.setMin("rate", param.rates.min);
  space.setMax("rate", param.rates.max);
  space.setMin("channels", param.channels.min);
  space.setMax("channels", param.channels.max);
  const formats = maskToFormats(param.formatsLow);
  if (formats.length === 1) space.setFormat(formats[0].alsaFormat);
}

/** Sets `pcm` up for `request`, so that it starts and stops only when told to; what that came to is for the engine. */
async function setUp(pcm: SndPcm, direction: Direction, request: PcmRequest): Promise<AlsaDescriptor> {
  const { rate, channels, format, frameBytes } = request;
  using hw = pcm.hwParams();
  hw.setAccess(SND_PCM_ACCESS.RW_INTERLEAVED);
  hw.setFormat(FORMATS[format].alsaFormat);
  hw.set("channels", channels);
  hw.set("rate", rate);
  const isCard = pcm.type === "HW";
  // The buffer first: a card that has few sizes would otherwise let the period, which matters less, choose it.
  const bufferFrames = hw.setNear("buffer_size", request.bufferFrames);
  const setPeriod = hw.setNear("period_size", cardPeriodFrames(request));
  const periodFrames = isCard ? setPeriod : cardPeriodFrames(request);
  await pcm.setHwParams(hw);

  using sw = pcm.swParams();
  sw.set("start_threshold", sw.boundary);
  sw.set("stop_threshold", sw.boundary);
  const silencesItself = isCard && direction === "playback";
  if (silencesItself) sw.set("silence_size", sw.boundary);
  if (isCard) sw.setPeriodEvent(true);
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
