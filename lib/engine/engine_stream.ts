// SPDX-License-Identifier: MIT
/**
 * One stream in the engine: takes requests off its ring, answers what is quick, passes the rest on to the main
 * thread, and knows what guest and operator want of the card.
 */
import { SND_ERROR_BEGIN } from "../../ffi/alsa/libasound.ts";
import { MicrosClock } from "../../ffi/libc/libc.ts";
import { mappedBuffer } from "../../ffi/libc/memory.ts";
import { stackOf } from "../base/error.ts";
import type { Pcm } from "../pcm/pcm.ts";
import type { RefinerDescriptor } from "../pcm/refiner.ts";
import {
  BackRing,
  encodeHwParamResponse,
  encodeResponse,
  EventPageProducer,
  type OpenRequest,
  RequestView,
  Taken,
  XEN_EINVAL,
  XEN_EIO,
  XEN_EOPNOTSUPP,
  XENSND_EVENT_PAGE_SIZE,
  XENSND_OP_CLOSE,
  XENSND_OP_GET_VOLUME,
  XENSND_OP_HW_PARAM_QUERY,
  XENSND_OP_MUTE,
  XENSND_OP_OPEN,
  XENSND_OP_READ,
  XENSND_OP_SET_VOLUME,
  XENSND_OP_TRIGGER,
  XENSND_OP_UNMUTE,
  XENSND_OP_WRITE,
} from "../sndif/mod.ts";
import { RecordKind } from "../trace/trace_format.ts";
import {
  type GuestBudget,
  INTERRUPT_COST,
  mainThreadCost,
  QUERY_COST,
  TRIGGER_COST,
} from "./guest_budget.ts";
import type { Address, EngineCommand, StreamCommand } from "../bridge/messages.ts";
import type { Connection, EngineServices } from "./connection.ts";
import { OpenStream } from "./open_stream.ts";
import type { OperatorSettings } from "../stream/operator_settings.ts";
import { Queries } from "./queries.ts";
import { afterTrigger } from "../stream/stream_state.ts";
import type { Hold, StreamState } from "../stream/stream_state.ts";
import type { StatusRow } from "../bridge/stream_status.ts";
import { StreamTrace } from "./stream_trace.ts";
import { serveVolume } from "./volume_request.ts";

/** Requests that one stream may have served before the others get their turn: a ring's worth. */
const REQUESTS_A_TURN = 32;

export class EngineStream {
  readonly slot: number;
  readonly requestPort: number;
  readonly eventPort: number;
  readonly #queries: Queries;
  readonly #services: EngineServices;
  readonly #status: StatusRow;
  readonly #pages: ArrayBuffer[];
  readonly #ring: BackRing;
  readonly #trace: StreamTrace;
  readonly #connection: Connection;
  readonly #request = new RequestView();
  #state: StreamState = "closed";
  #hold: Hold;
  #settings: OperatorSettings;
  /** Operation and id of the request that the main thread is working on; -1: none. */
  #pendingOperation = -1;
  #pendingId = 0;
  /** When the engine woke up for the requests that are being answered, by {@link #clock}. */
  #arrival = 0;
  /** From OPEN to CLOSE. */
  #open: OpenStream | undefined;
  readonly #clock = new MicrosClock();
  /** Whether its channels are masked, until its guest may be served again. */
  isMasked = false;
  /** What it has cost since the engine last asked, in µs. */
  #cost = 0;
  /** Requests taken off its ring, for comparison. */
  taken = 0;
  #broken = false;

  /** @param budget its guest's, which all of its streams share */
  constructor(
    private readonly command: EngineCommand & { op: "attach" },
    services: EngineServices,
    status: StatusRow,
    readonly budget: GuestBudget,
  ) {
    this.slot = command.slot;
    this.requestPort = command.requestPort;
    this.eventPort = command.eventPort;
    this.#queries = new Queries(command.allowed);
    this.#services = services;
    this.#status = status;
    this.#pages = [
      mappedBuffer(command.ring, XENSND_EVENT_PAGE_SIZE),
      mappedBuffer(command.eventPage, XENSND_EVENT_PAGE_SIZE),
    ];
    this.#ring = BackRing.attach(this.#pages[0]);
    this.#hold = command.hold;
    this.#settings = command.settings;
    this.#trace = new StreamTrace(status, command.trace);
    this.#connection = {
      slot: command.slot,
      eventPort: command.eventPort,
      direction: command.direction,
      events: new EventPageProducer(this.#pages[1]),
      queries: this.#queries,
      status,
      trace: this.#trace,
      services,
    };
    this.#trace.mark(RecordKind.connected);
    status.set("connections", 1);
    this.#setState("closed");
  }

  /** The card, while one is open. */
  get pcm(): Pcm | undefined {
    return this.#open?.pcm;
  }

  /** Whether there are samples left that could be moved at once: the last turn was too long. */
  get hasMore(): boolean {
    return this.#open?.transfer.hasMore ?? false;
  }

  /** What it has cost since this was last asked, in µs. */
  takeCost(): number {
    const moved = this.#open?.transfer.takeMoved() ?? 0;
    const cost = this.#cost + this.budget.costOf(moved);
    this.#cost = 0;
    return cost;
  }

  /**
   * Serves what is on the ring, up to a turn's worth, and moves samples. Returns true if there may be more. A stream that waits for the
   * main thread takes nothing: its requests are answered in their order. `arrival` is when the engine woke up for them, by
   * its {@link MicrosClock}.
   */
  serveRing(arrival = this.#clock.now()): boolean {
    if (this.#broken) return false;
    if (this.#pendingOperation < 0) this.#arrival = arrival;
    let served = 0;
    let more = false;
    while (this.#pendingOperation < 0) {
      if (served === REQUESTS_A_TURN) {
        more = true;
        break;
      }
      const taken = this.#ring.take(this.#request);
      if (taken === Taken.broken) return this.#break("its request producer index is more than a ring ahead");
      if (taken === Taken.none) {
        if (this.#ring.finalCheckForRequests()) continue;
        break;
      }
      served++;
      this.#cost += this.budget.requestCost;
      this.#trace.request(this.#request);
      this.#serve();
      const { operation } = this.#request;
      if (operation === XENSND_OP_HW_PARAM_QUERY || operation === XENSND_OP_TRIGGER) {
        // It takes as long as many others.
        more = true;
        break;
      }
    }
    if (served > 0) {
      this.taken = this.taken + served | 0;
      this.#status.add("requests", served);
      this.#pushResponses();
    }
    // After the answer: what was written stays in the guest's buffer until the card has room for it. A card that stands
    // has it in advance: a sound server that is started in the moment that it gets its first samples stumbles.
    if (served > 0 || this.hasMore) this.#open?.pump();
    return more || this.hasMore;
  }

  #serve(): void {
    const request = this.#request;
    switch (request.operation) {
      case XENSND_OP_WRITE:
        return this.#respond(this.#connection.direction === "playback" ? this.#move() : -XEN_EINVAL);
      case XENSND_OP_READ:
        return this.#respond(this.#connection.direction === "capture" ? this.#move() : -XEN_EINVAL);
      case XENSND_OP_TRIGGER:
        return this.#respond(this.#trigger(request.triggerType));
      case XENSND_OP_HW_PARAM_QUERY:
        return this.#queries.canAnswer ? this.#query() : this.#passOn();
      case XENSND_OP_OPEN:
      case XENSND_OP_CLOSE:
        return this.#passOn();
      case XENSND_OP_SET_VOLUME:
      case XENSND_OP_GET_VOLUME:
      case XENSND_OP_MUTE:
      case XENSND_OP_UNMUTE:
        return this.#respond(this.#open === undefined ? -XEN_EIO : serveVolume(request, this.#open.transfer));
      default:
        return this.#respond(-XEN_EOPNOTSUPP);
    }
  }

  /**
   * Publishes the answers that are ready. The guest is told whether it asks for that or not: while its PCM is closed
   * snd_xen_front takes no notice of interrupts (evtchnl_interrupt_req), so an answer that comes so late, from a daemon that
   * was started again, leaves its rsp_event behind, and going by that it would be told of no answer ever after.
   */
  #pushResponses(): void {
    const answers = this.#ring.unpublished;
    if (answers === 0) return;
    this.#ring.pushResponses();
    this.#services.channels.notify(this.requestPort);
    this.#status.requestTimes.add(this.#clock.now() - this.#arrival | 0, answers);
  }

  #respond(status: number): void {
    if (status < 0) this.#status.add("protocolErrors", 1);
    this.#reply(this.#request.id, this.#request.operation, status);
  }

  /** Octet offset of the next answer on the ring. Throws if each request has been answered: there is none to answer. */
  #reserve(): number {
    const offset = this.#ring.reserve();
    if (offset < 0) throw new Error("an answer without a request");
    return offset;
  }

  #reply(id: number, operation: number, status: number): void {
    encodeResponse(this.#ring.view, this.#reserve(), id, operation, status);
    this.#trace.response(id, operation, status);
  }

  #query(): void {
    this.#cost += QUERY_COST;
    this.#status.add("queries", 1);
    const status = this.#queries.answer(this.#request);
    if (this.#queries.isSpent(status)) this.forget(this.#queries.loan);
    if (status < 0) return this.#respond(status);
    encodeHwParamResponse(this.#ring.view, this.#reserve(), this.#request.id, this.#queries.param);
    this.#trace.hwParamResponse(this.#request.id, this.#queries.param);
  }

  /** Does as the main thread says. */
  execute(command: StreamCommand): void {
    if (this.#broken) return;
    switch (command.op) {
      case "opened":
        return this.opened(command);
      case "respond":
        return this.answer(command.status);
      case "refiner":
        return this.lend(command.refiner, command.loan);
      case "forget":
        return this.forget(command.loan);
      case "replaced":
        return this.replaced(command);
      case "giveBackCard":
        return this.giveBackCard();
      case "settings":
        return this.operatorSettings(command.settings);
      case "hold":
        return this.setHold(command.hold);
      case "trace":
        return this.trace(command.ring);
    }
  }

  /** The main thread lends what answers queries, the one that waits and those after it. */
  lend(refiner: RefinerDescriptor, loan: number): void {
    if (this.#pendingOperation !== XENSND_OP_HW_PARAM_QUERY) return;
    this.#pendingOperation = -1;
    this.#queries.lend(refiner, loan);
    this.#query();
    this.#pushResponses();
  }

  /** Gives back what {@link lend} brought, unless it has been given back already. */
  forget(loan: number): void {
    if (loan !== this.#queries.loan) return;
    this.#queries.end();
    this.#services.post({ op: "forgotten", slot: this.slot, loan });
  }

  /** WRITE or READ. */
  #move(): number {
    if (this.#open === undefined) return -XEN_EIO;
    return this.#open.transfer.request(this.#request.offset, this.#request.length);
  }

  #trigger(type: number): number {
    this.#cost += TRIGGER_COST;
    const next = afterTrigger(this.#state, type);
    if (next === undefined || this.#open === undefined) return -XEN_EINVAL;
    const before = this.#state;
    if (next === "prepared" && before !== "prepared") this.#open.stop();
    if (next === "running" && before === "prepared") this.#open.transfer.started();
    this.#setState(next);
    const status = this.#runCard();
    if (status >= 0) return 0;
    // What the guest is told has failed has not happened. ALSA has errors of its own, which are none to a guest.
    this.#setState(before);
    return -status < SND_ERROR_BEGIN ? status : -XEN_EIO;
  }

  /** Makes the card do what guest and operator want together. Returns 0 or -errno. */
  #runCard(): number {
    const runs = this.#state === "running" && this.#hold === "none";
    return this.#open?.run(runs, this.#hold === "stopped") ?? 0;
  }

  /** Called when the card's descriptor was ready, for `revents`. */
  servePcm(revents: number): void {
    this.#cost += INTERRUPT_COST;
    this.#open?.servePcm(revents);
  }

  /** The main thread has opened the card that was lost. If the guest has closed the stream meanwhile it is of no use. */
  replaced(command: EngineCommand & { op: "replaced" }): void {
    this.#open?.replaced(command);
  }

  /** The main thread wants the card back, under a guest that goes on. */
  giveBackCard(): void {
    this.#open?.giveBackCard();
  }

  /** OPEN, CLOSE and HW_PARAM_QUERY can take long: the main thread answers them, through {@link answer}. */
  #passOn(): void {
    const { id, operation } = this.#request;
    const mapped = operation === XENSND_OP_OPEN ? this.#request.bufferSz : 0;
    this.#cost += mainThreadCost(Math.min(mapped, this.command.allowed.bufferSizeBytes));
    this.#pendingOperation = operation;
    this.#pendingId = id;
    if (operation === XENSND_OP_HW_PARAM_QUERY) {
      return this.#services.post({ op: "query", slot: this.slot });
    }
    this.#release();
    if (operation === XENSND_OP_CLOSE) return this.#services.post({ op: "close", slot: this.slot });
    const { pcmRate, pcmFormat, pcmChannels, bufferSz, grefDirectory, periodSz } = this.#request;
    this.#setState("opening");
    const open: OpenRequest = { pcmRate, pcmFormat, pcmChannels, bufferSz, grefDirectory, periodSz };
    this.#services.post({ op: "open", slot: this.slot, open });
  }

  /** The main thread has opened the card and mapped the buffer. If they cannot be used here, it is to give them up again. */
  opened(command: EngineCommand & { op: "opened" }): void {
    if (this.#pendingOperation !== XENSND_OP_OPEN) return;
    try {
      this.#open = OpenStream.open(command, this.#connection);
    } catch (error) {
      this.#release();
      return this.#services.post({ op: "openFailed", slot: this.slot, reason: String(error) });
    }
    this.operatorSettings(this.#settings);
    // Now that the row says nothing of the former use any more: a trace takes a sample of it.
    this.#setState("prepared");
    this.answer(0);
  }

  /** Answers the request that was passed on, and goes on with those behind it. */
  answer(status: number): void {
    const operation = this.#pendingOperation;
    if (operation < 0) return;
    if (operation === XENSND_OP_OPEN && status < 0) this.#setState("closed");
    this.#reply(this.#pendingId, operation, status);
    this.#pendingOperation = -1;
    this.#pushResponses();
  }

  /** `xsnd trigger`: see {@link Hold}. */
  setHold(hold: Hold): void {
    this.#hold = hold;
    this.#status.setState(this.#state, this.#hold);
    this.#runCard();
    this.#trace.sample(this.pcm);
  }

  /** `xsnd trace`: what passes is written at `ring` from now on, or, with null, nowhere. */
  trace(ring: Address | null): void {
    this.#trace.writeTo(ring);
    this.#trace.sample(this.pcm);
  }

  /** `xsnd volume`, `mute` and `unmute`. */
  operatorSettings(settings: OperatorSettings): void {
    this.#settings = settings;
    const volume = this.#open?.transfer.volume;
    volume?.setOperators(settings.volume, settings.muted);
    volume?.changed();
    if (volume === undefined || volume.isPossible || settings.volume === 0) return;
    const text = "the operator's volume has no effect: the guest's sample format can only be muted";
    this.#services.post({ op: "log", slot: this.slot, level: "warn", text });
  }

  /** Lets go of card and buffer, if the stream is open. */
  #release(): void {
    const open = this.#open;
    this.#open = undefined;
    open?.release();
    this.#queries.end();
    this.#setState("closed");
  }

  /**
   * Lets go of everything; after this nothing of the stream touches memory that the main thread may unmap, even if an exception
   * comes out of it.
   */
  detach(): void {
    try {
      this.#release();
      this.#trace.mark(RecordKind.disconnected);
    } finally {
      this.#broken = true;
      this.#trace.writeTo(null);
      for (const page of this.#pages) page.transfer(0);
      this.#setState("detached");
    }
  }

  /** The stream has thrown `error`: it is served no more. */
  fail(error: unknown): void {
    this.#broken = true;
    let reason = stackOf(error);
    try {
      this.#release();
    } catch (another) {
      reason += `, and then ${stackOf(another)}`;
    }
    this.#services.post({ op: "defect", slot: this.slot, reason });
  }

  #break(reason: string): boolean {
    this.#broken = true;
    this.#status.add("protocolErrors", 1);
    this.#release();
    this.#services.post({ op: "broken", slot: this.slot, reason });
    return false;
  }

  #setState(state: StreamState): void {
    this.#state = state;
    this.#status.setState(state, this.#hold);
    this.#trace.sample(this.pcm);
  }
}
