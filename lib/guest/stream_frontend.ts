// SPDX-License-Identifier: MIT
/**
 * One stream as `snd_xen_front` drives it (`xen_snd_front.c`, `xen_snd_front_evtchnl.c`, `xen_snd_front_alsa_handle_cur_pos`): sends
 * one request at a time and waits for its response; takes positions from events. Synchronous: it blocks its thread.
 */
import { POLL } from "../../ffi/libc/libc.ts";
import { PollSet } from "../../ffi/libc/poll_set.ts";
import { Exit, XsndError } from "../base/error.ts";
import {
  encodeCloseRequest,
  encodeHwParamQuery,
  encodeOpenRequest,
  encodeRwRequest,
  encodeTriggerRequest,
  type EventIdBehaviour,
  EventPageConsumer,
  EventView,
  FrontRing,
  type HwParam,
  initSharedRing,
  type OpenRequest,
  PACKET_SIZE,
  ResponseView,
  Taken,
  XENSND_EVT_CUR_POS,
  XENSND_OP_READ,
  XENSND_OP_WRITE,
} from "../sndif/mod.ts";
import type { EventChannels, GrantSharer, SharedPages } from "../xen/ports.ts";
import { errnoName } from "../../ffi/libc/errno.ts";

/** VSND_WAIT_BACK_MS of xen_snd_front.h. */
const WAIT_BACK_MS = 3000;

/** A request that the backend refused. */
export class RequestError extends XsndError {
  override name = "RequestError";
  constructor(what: string, readonly status: number) {
    super(`the backend refuses ${what}: ${errnoName(-status) || status}`);
  }
}

export interface StreamFrontendOptions {
  readonly behaviour: EventIdBehaviour;
  /** A descriptor that becomes readable when the session shall end: waits then throw {@link XsndError}, exit 130. */
  readonly stopFd: number;
}

export class StreamFrontend implements Disposable {
  readonly requestPort: number;
  readonly eventPort: number;
  readonly #ringPage: SharedPages;
  readonly #eventPage: SharedPages;
  readonly #ring: FrontRing;
  readonly #events: EventPageConsumer;
  readonly #response = new ResponseView();
  readonly #event = new EventView();
  readonly #poll = new PollSet(2);
  #nextId = 0;
  /** The last position from the backend, in octets since OPEN. */
  positionBytes = 0;
  /** Called for each XENSND_EVT_CUR_POS with the expected id, after {@link positionBytes} is set. */
  onPosition: () => void = () => {};
  /** Called at the response to a READ or WRITE, with the ms since the request. */
  onRoundTrip: (ms: number) => void = () => {};
  events = 0;

  constructor(
    readonly name: string,
    private readonly channels: EventChannels,
    sharer: GrantSharer,
    backendDomid: number,
    private readonly options: StreamFrontendOptions,
    /** All streams of the card, by their event channels: whoever waits takes the events of all. */
    private readonly byEventPort: Map<number, StreamFrontend>,
  ) {
    this.#ringPage = sharer.share(backendDomid, 1, "write");
    this.#eventPage = sharer.share(backendDomid, 1, "write");
    initSharedRing(this.#ringPage.buffer);
    this.#ring = new FrontRing(this.#ringPage.buffer);
    this.#events = new EventPageConsumer(this.#eventPage.buffer, 0, options.behaviour);
    this.requestPort = channels.bindUnbound(backendDomid);
    this.eventPort = channels.bindUnbound(backendDomid);
    byEventPort.set(this.eventPort, this);
    this.#poll.add(channels.fd, POLL.IN);
    this.#poll.add(options.stopFd, POLL.IN);
  }

  get ringRef(): number {
    return this.#ringPage.grefs[0]!; // one page was shared
  }

  get eventRingRef(): number {
    return this.#eventPage.grefs[0]!;
  }

  /** Events that were dropped because of their id. */
  get droppedEvents(): number {
    return this.#events.dropped;
  }

  /** Call it when the PCM is opened, before {@link open}. */
  pcmOpened(): void {
    this.positionBytes = 0;
    this.#events.pcmOpened();
  }

  /** Narrows `param` to what the backend offers. */
  query(param: HwParam): void {
    encodeHwParamQuery(this.#ring.view, this.#reserve(), this.#takeId(), param);
    this.#call("the parameters");
    this.#response.readHwParam(param);
  }

  open(open: OpenRequest): void {
    encodeOpenRequest(this.#ring.view, this.#reserve(), this.#takeId(), open);
    this.positionBytes = 0;
    this.#call("to open the stream");
  }

  close(): void {
    encodeCloseRequest(this.#ring.view, this.#reserve(), this.#takeId());
    this.#call("to close the stream");
  }

  write(offset: number, length: number): void {
    encodeRwRequest(this.#ring.view, this.#reserve(), this.#takeId(), XENSND_OP_WRITE, offset, length);
    this.#timed("a write");
  }

  read(offset: number, length: number): void {
    encodeRwRequest(this.#ring.view, this.#reserve(), this.#takeId(), XENSND_OP_READ, offset, length);
    this.#timed("a read");
  }

  /** `XENSND_OP_TRIGGER_*`. */
  trigger(type: number): void {
    encodeTriggerRequest(this.#ring.view, this.#reserve(), this.#takeId(), type);
    this.#call("a trigger");
  }

  /** Sends `packet` with an id of its own; returns the status of the response. */
  exchange(packet: Uint8Array): number {
    const { view } = this.#ring;
    const at = this.#reserve();
    new Uint8Array(view.buffer, view.byteOffset + at, PACKET_SIZE).set(packet);
    view.setUint16(at, this.#takeId(), true);
    return this.#push("a request");
  }

  /** Takes the events of all streams of the card, and waits for them up to `timeoutMs`. Returns whether any was this stream's. */
  waitForEvents(timeoutMs: number): boolean {
    const before = this.events;
    this.#wait(timeoutMs);
    return this.events !== before;
  }

  #timed(what: string): void {
    const start = performance.now();
    this.#call(what);
    this.onRoundTrip(performance.now() - start);
  }

  #takeId(): number {
    const id = this.#nextId;
    this.#nextId = id + 1 & 0xffff;
    return id;
  }

  #reserve(): number {
    const at = this.#ring.reserve();
    if (at < 0) {
      throw new Error(`${this.name}: the request ring is full, though only one is under way at a time`);
    }
    return at;
  }

  /** Pushes the encoded request. Throws {@link RequestError} if the backend refuses it. */
  #call(what: string): void {
    const status = this.#push(what);
    if (status < 0) throw new RequestError(what, status);
  }

  /** Pushes the encoded request, waits for its response and returns the status, as `be_stream_do_io` and `be_stream_wait_io` do. */
  #push(what: string): number {
    const id = this.#nextId - 1 & 0xffff;
    if (this.#ring.pushRequests()) this.channels.notify(this.requestPort);
    const deadline = performance.now() + WAIT_BACK_MS;
    for (;;) {
      let taken = this.#ring.take(this.#response);
      while (taken === Taken.one && this.#response.id !== id) taken = this.#ring.take(this.#response);
      if (taken === Taken.broken) throw new XsndError(`the backend of ${this.name} broke the ring`);
      if (taken === Taken.one) break;
      if (this.#ring.finalCheckForResponses()) continue;
      const left = deadline - performance.now();
      if (left <= 0) {
        throw new XsndError(
          `the backend of ${this.name} did not answer ${what} within 3 s; is \`xsnd serve\` alive?`,
          Exit.timedOut,
        );
      }
      this.#wait(Math.ceil(left));
    }
    // A kernel takes the events that came before the answer before its caller goes on.
    this.#takeEvents();
    return this.#response.status;
  }

  #wait(timeoutMs: number): void {
    if (this.#poll.wait(timeoutMs) <= 0) return;
    if (this.#poll.revents(1) !== 0) throw new XsndError("interrupted", Exit.interrupted);
    for (let port = this.channels.pending(); port >= 0; port = this.channels.pending()) {
      const stream = this.byEventPort.get(port);
      if (stream !== undefined) stream.#takeEvents();
      this.channels.unmask(port);
    }
  }

  #takeEvents(): void {
    for (;;) {
      const taken = this.#events.take(this.#event);
      if (taken === Taken.broken) throw new XsndError(`the backend of ${this.name} broke the event page`);
      if (taken === Taken.none) return;
      if (this.#event.type !== XENSND_EVT_CUR_POS) continue;
      this.events++;
      this.positionBytes = this.#event.position;
      this.onPosition();
    }
  }

  [Symbol.dispose](): void {
    this.byEventPort.delete(this.eventPort);
    this.channels.unbind(this.requestPort);
    this.channels.unbind(this.eventPort);
    this.#ringPage[Symbol.dispose]();
    this.#eventPage[Symbol.dispose]();
  }
}
