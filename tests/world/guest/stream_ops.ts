// SPDX-License-Identifier: MIT
/**
 * One stream of snd_xen_front (sound/xen/xen_snd_front_alsa.c, `struct xen_snd_front_pcm_stream_info`): what the driver does for
 * each call of the ALSA core, and its pointer. It writes the account: frames get their numbers here, as they are copied into the
 * shared buffer.
 */
import { ERRNO } from "../../../ffi/libc/errno.ts";
import type { Direction } from "../../../lib/pcm/pcm.ts";
import {
  encodeCloseRequest,
  encodeHwParamQuery,
  encodeOpenRequest,
  encodeRwRequest,
  encodeTriggerRequest,
  type EventIdBehaviour,
  type HwParam,
  XENSND_OP_CLOSE,
  XENSND_OP_HW_PARAM_QUERY,
  XENSND_OP_OPEN,
  XENSND_OP_READ,
  XENSND_OP_TRIGGER,
  XENSND_OP_TRIGGER_PAUSE,
  XENSND_OP_TRIGGER_RESUME,
  XENSND_OP_TRIGGER_START,
  XENSND_OP_TRIGGER_STOP,
  XENSND_OP_WRITE,
} from "../../../lib/sndif/mod.ts";
import type { StreamParams } from "../../../lib/vsnd/model/card.ts";
import type { GuestDomain } from "../xen/guest_domain.ts";
import { type SegmentCause, type StreamAccount, wordRuns } from "./account.ts";
import { Substream } from "./alsa_core.ts";
import type { ChannelPair } from "./channels.ts";
import { frameBytesOf, type PcmConfig, refine, spaceOf } from "./hw_params.ts";
import type { CardOfSubstream, PcmOps, Trigger } from "./pcm_ops.ts";
import { COUNTABLE, SharedBuffer } from "./shared_buffer.ts";
import { type Blocking, Mutex, Oops, type Tasks } from "./tasks.ts";

const TRIGGERS: Readonly<Record<Trigger, number>> = {
  start: XENSND_OP_TRIGGER_START,
  stop: XENSND_OP_TRIGGER_STOP,
  suspend: XENSND_OP_TRIGGER_PAUSE,
  pause: XENSND_OP_TRIGGER_PAUSE,
  resume: XENSND_OP_TRIGGER_RESUME,
};

export class XenStream implements PcmOps {
  readonly substream: Substream;
  #buffer: SharedBuffer | undefined;
  /** Whether OPEN was answered with 0 (`is_open`). */
  #isOpen = false;
  /** The driver's pointer: `be_cur_frame`, `hw_ptr` within the buffer, `out_frames`. */
  #beCurFrame = 0;
  #hwPtr = 0;
  #outFrames = 0;
  #config: PcmConfig | undefined;
  /** Why the card is gone (`device_del`), and the stream's memory with it. */
  #freed: { readonly cause: string; readonly isBackends: boolean } | undefined;
  /** A copy and its request go together: {@link control} passes values through the same buffer. */
  readonly #copyLock: Mutex;

  constructor(
    private readonly tasks: Tasks,
    private readonly domain: GuestDomain,
    private readonly backendDomid: number,
    private readonly pair: ChannelPair,
    private readonly generation: EventIdBehaviour,
    /** The place in the card: PCM/STREAM. */
    readonly place: string,
    readonly direction: Direction,
    readonly params: StreamParams,
    card: CardOfSubstream,
  ) {
    this.#copyLock = new Mutex(tasks);
    this.substream = new Substream(
      tasks,
      direction,
      generation,
      this,
      card,
      (kind, text) => this.account.incident(tasks.clock.now, kind, text),
    );
  }

  get account(): StreamAccount {
    return this.pair.account;
  }

  /** What a program finds as it opens the PCM. */
  space(): HwParam {
    return spaceOf(this.params);
  }

  /** The last position that the driver has accepted, in frames since OPEN. */
  get position(): number {
    return this.#beCurFrame;
  }

  /** `alsa_open`. The newer driver listens to events after OPEN alone. */
  *open(): Blocking<number> {
    this.pair.onPosition = (position) => this.#handleCurPos(position);
    yield* this.#clear();
    this.pair.connectRequests(true);
    if (this.generation === "linux-6.1") yield* this.pair.connectEvents(true);
    return 0;
  }

  /** The end of the card: what the driver has allocated for the stream goes, whether a program has the PCM open or not. */
  freeMemory(cause: string, isBackends: boolean): void {
    this.#freed = { cause, isBackends: isBackends && !this.pair.isLost };
  }

  /** The driver looks at the stream's memory. */
  #look(): void {
    if (this.#freed === undefined) return;
    const { cause, isBackends } = this.#freed;
    const text = `the card has gone while a program has its PCM open: ${cause}`;
    this.account.incident(this.tasks.clock.now, "use after free", text, isBackends);
    throw new Oops(text);
  }

  /** `alsa_close`. */
  *close(): Blocking<void> {
    this.pair.connectRequests(false);
    yield* this.pair.connectEvents(false);
  }

  /** `stream_clear`. */
  *#clear(): Blocking<void> {
    this.#isOpen = false;
    this.#beCurFrame = this.#hwPtr = this.#outFrames = 0;
    yield* this.pair.clear();
  }

  /** `stream_free`. */
  *#free(): Blocking<void> {
    this.#buffer?.free();
    this.#buffer = undefined;
    yield* this.#clear();
  }

  refine(space: HwParam): Blocking<number> {
    return refine(space, (wanted, answer) => this.#query(wanted, answer));
  }

  /** `xen_snd_front_stream_query_hw_param`. */
  *#query(space: HwParam, answer: HwParam): Blocking<number> {
    const status = yield* this.pair.call(
      XENSND_OP_HW_PARAM_QUERY,
      (view, at, id) => encodeHwParamQuery(view, at, id, space),
    );
    if (status < 0) return status;
    copyParam(this.pair.hwParam, answer);
    return 0;
  }

  /** `alsa_hw_params`. A stream that is open stays so for the backend: the next OPEN is its implicit close. */
  *hwParams(config: PcmConfig): Blocking<number> {
    yield* this.#free();
    const frameBytes = frameBytesOf(config);
    const bytes = config.bufferFrames * frameBytes;
    try {
      this.#buffer = new SharedBuffer(this.domain, this.backendDomid, bytes, frameBytes);
    } catch (error) {
      this.account.incident(this.tasks.clock.now, "no memory", String(error));
      yield* this.#free();
      return -ERRNO.ENOMEM;
    }
    this.#config = config;
    return 0;
  }

  /** `alsa_hw_free`: CLOSE, even of a stream that was never opened. */
  *hwFree(): Blocking<number> {
    this.#look();
    if (this.generation !== "linux-6.1") yield* this.pair.connectEvents(false);
    const { account, substream } = this;
    const { open } = account;
    const close = {
      request: undefined,
      position: this.#beCurFrame,
      hwPtr: substream.hwPtr,
      applPtr: substream.applPtr,
    };
    this.#endSegment("close");
    const status = yield* this.pair.call(XENSND_OP_CLOSE, encodeCloseRequest);
    if (open !== undefined) open.close = { ...close, request: this.pair.last };
    yield* this.#free();
    return status;
  }

  /** `alsa_prepare`: OPEN the first time, and nothing later. */
  *prepare(): Blocking<number> {
    const config = this.#config;
    if (config === undefined) return -ERRNO.EBADFD;
    if (!this.#isOpen) {
      const status = yield* this.#sendOpen(config);
      if (status < 0) return status;
      this.#isOpen = true;
      if (this.generation !== "linux-6.1") yield* this.pair.connectEvents(true);
    }
    const { account } = this;
    const open = account.open?.number ?? 0;
    const former = account.segments.at(-1);
    account.segments.push({
      open,
      began: this.tasks.clock.now,
      from: this.#beCurFrame,
      isAfterSuspend: former?.open === open && former.end?.cause === "suspend",
      writes: [],
      reads: [],
      starts: [],
    });
    return 0;
  }

  *#sendOpen(config: PcmConfig): Blocking<number> {
    const { account } = this;
    const { rate, channels, format, bufferFrames, periodFrames } = config;
    const frameBytes = frameBytesOf(config);
    const request = {
      pcmRate: rate,
      pcmFormat: format,
      pcmChannels: channels,
      bufferSz: bufferFrames * frameBytes,
      grefDirectory: this.#buffer!.directoryRef,
      periodSz: periodFrames * frameBytes,
    };
    // The backend takes an OPEN without a CLOSE before it for both.
    const former = account.open;
    if (former !== undefined) {
      former.close = { request: undefined, position: this.#beCurFrame, hwPtr: 0, applPtr: 0 };
    }
    const status = yield* this.pair.call(
      XENSND_OP_OPEN,
      (view, at, id) => encodeOpenRequest(view, at, id, request),
      request.bufferSz,
      request.periodSz,
    );
    const record = this.pair.last;
    if (status < 0 || record === undefined) return status;
    const number = (account.opens.at(-1)?.number ?? 0) + 1;
    account.opens.push({
      number,
      request: record,
      rate,
      channels,
      format,
      frameBytes,
      bufferFrames,
      periodFrames,
      firstEvent: this.pair.nextEvent,
    });
    return status;
  }

  /** `alsa_trigger`. */
  *trigger(trigger: Trigger, cause: SegmentCause): Blocking<number> {
    const type = TRIGGERS[trigger];
    if (trigger === "stop" || trigger === "suspend") this.#endSegment(cause);
    const status = yield* this.pair.call(
      XENSND_OP_TRIGGER,
      (view, at, id) => encodeTriggerRequest(view, at, id, type),
      type,
    );
    const { segment } = this.account;
    if (trigger === "start" && status === 0 && segment !== undefined) {
      segment.starts.push(this.tasks.clock.now);
      segment.start ??= this.pair.last;
    }
    if (cause === "xrun") this.account.xruns++;
    return status;
  }

  abandoned(cause: SegmentCause): void {
    this.#endSegment(cause);
  }

  #endSegment(cause: SegmentCause): void {
    const { segment } = this.account;
    if (segment === undefined) return;
    const { hwPtr, applPtr } = this.substream;
    segment.end = { time: this.tasks.clock.now, cause, hwPtr, applPtr, position: this.#beCurFrame };
  }

  /** `alsa_pointer`. */
  pointer(): number {
    return this.#hwPtr;
  }

  /** `alsa_pb_copy` and `alsa_cap_copy`. */
  *copy(offset: number, frames: number, at: number): Blocking<number> {
    yield* this.#copyLock.lock();
    const status = this.direction === "playback"
      ? yield* this.#write(offset, frames, at)
      : yield* this.#read(offset, frames, at);
    this.#copyLock.unlock();
    return status;
  }

  *#write(offset: number, frames: number, at: number): Blocking<number> {
    const { account } = this;
    // An xrun may end the segment meanwhile.
    const { segment } = account;
    const frameBytes = frameBytesOf(this.#config!);
    const first = account.nextFrame;
    account.nextFrame = first + frames;
    this.#buffer!.fill(offset, frames, first, account.tag);
    const [bytes, length] = [offset * frameBytes, frames * frameBytes];
    const status = yield* this.pair.call(
      XENSND_OP_WRITE,
      (view, slot, id) => encodeRwRequest(view, slot, id, XENSND_OP_WRITE, bytes, length),
      bytes,
      length,
    );
    const request = this.pair.last;
    if (request !== undefined) segment?.writes.push({ request, at, first, frames });
    if (status === 0) account.accepted += frames;
    else account.refused += frames;
    return status;
  }

  *#read(offset: number, frames: number, at: number): Blocking<number> {
    const { account } = this;
    const { segment } = account;
    const frameBytes = frameBytesOf(this.#config!);
    const [bytes, length] = [offset * frameBytes, frames * frameBytes];
    const status = yield* this.pair.call(
      XENSND_OP_READ,
      (view, slot, id) => encodeRwRequest(view, slot, id, XENSND_OP_READ, bytes, length),
      bytes,
      length,
    );
    if (status < 0) return status;
    const request = this.pair.last;
    const words = frameBytes === COUNTABLE
      ? wordRuns(this.#buffer!.words.subarray(offset, offset + frames))
      : [];
    if (request !== undefined) segment?.reads.push({ request, at, frames, words });
    account.read += frames;
    return status;
  }

  /**
   * A request that no driver of Linux sends: SET_VOLUME, GET_VOLUME, MUTE or UNMUTE. Its values pass through the buffer, in the
   * room that the program has not filled. Returns the answer's status, -EBADFD on a stream that is not open, -EAGAIN without room.
   */
  *control(operation: number, values: Uint8Array): Blocking<number> {
    // The room as of now: the program may have filled all that the core knew of.
    if (this.substream.isOpened) yield* this.substream.hwSync();
    yield* this.#copyLock.lock();
    const status = yield* this.#control(operation, values);
    this.#copyLock.unlock();
    return status;
  }

  *#control(operation: number, values: Uint8Array): Blocking<number> {
    const { avail, applPtr, bufferFrames, frameBytes, isPlayback } = this.substream;
    if (!this.#isOpen || this.#buffer === undefined) return -ERRNO.EBADFD;
    const place = isPlayback ? applPtr % bufferFrames : 0;
    const room = isPlayback ? Math.min(avail, bufferFrames - place) : bufferFrames;
    if (room * frameBytes < values.length) return -ERRNO.EAGAIN;
    const offset = place * frameBytes;
    this.#buffer.octets.set(values, offset);
    this.pair.isForeign = true;
    return yield* this.pair.call(
      operation,
      (view, slot, id) => encodeRwRequest(view, slot, id, operation, offset, values.length),
      offset,
      values.length,
    );
  }

  /** `xen_snd_front_alsa_handle_cur_pos`. */
  *#handleCurPos(bytes: number): Blocking<void> {
    this.#look();
    const { bufferFrames, periodFrames, frameBytes } = this.substream;
    if (bufferFrames === 0 || periodFrames === 0) {
      if (this.generation !== "linux-6.1") return;
      const text = `a position of ${bytes} octets, and the PCM has no parameters`;
      this.account.incident(this.tasks.clock.now, "divide error", text);
      // The channel's lock stays held: whoever takes it next waits for ever.
      throw new Oops(text);
    }
    const frame = Math.floor(bytes / frameBytes);
    const delta = frame - this.#beCurFrame;
    this.#beCurFrame = frame;
    this.#hwPtr = wrapped(this.#hwPtr, delta, bufferFrames);
    this.#outFrames = (this.#outFrames + delta) % 2 ** 32;
    if (this.#outFrames < 0) this.#outFrames += 2 ** 32;
    if (this.#outFrames > periodFrames) {
      this.#outFrames %= periodFrames;
      yield* this.substream.periodElapsed();
    }
  }
}

/** `(pointer + delta) % frames` in the driver's 64 bits, which have no sign. */
function wrapped(pointer: number, delta: number, frames: number): number {
  if (pointer + delta >= 0) return (pointer + delta) % frames;
  return Number(BigInt.asUintN(64, BigInt(pointer + delta)) % BigInt(frames));
}

function copyParam(from: HwParam, to: HwParam): void {
  to.formatsLow = from.formatsLow;
  to.formatsHigh = from.formatsHigh;
  for (const key of ["rates", "channels", "buffer", "period"] as const) {
    to[key].min = from[key].min;
    to[key].max = from[key].max;
  }
}
