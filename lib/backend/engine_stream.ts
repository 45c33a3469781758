/**
 * One stream in the engine: takes requests off its ring, answers what is quick, passes the rest on to the main
 * thread, keeps the card in the state that guest and operator want, and tells the guest the card's position.
 */
import { ERRNO, errnoName } from "../../ffi/errno.ts";
import { SND_ERROR_BEGIN } from "../../ffi/libasound.ts";
import { MicrosClock, POLL } from "../../ffi/libc.ts";
import { mappedBuffer, Memory } from "../../ffi/memory.ts";
import { openPcm } from "../pcm/descriptor.ts";
import { DummyPcm } from "../pcm/dummy.ts";
import type { Pcm } from "../pcm/pcm.ts";
import type { RefinerDescriptor } from "../pcm/refiner.ts";
import {
  BackRing,
  encodeHwParamResponse,
  encodeResponse,
  EventPageProducer,
  type OpenRequest,
  positionHigh,
  positionLow,
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
import { RecordKind } from "../trace/format.ts";
import type { EventChannels } from "../xen/ports.ts";
import { Capture } from "./capture.ts";
import { GuestBuffer } from "./guest_buffer.ts";
import type { Address, EngineCommand, EngineEvent } from "./messages.ts";
import type { OperatorSettings } from "./operator_settings.ts";
import { Playback } from "./playback.ts";
import { Queries } from "./queries.ts";
import { afterOperatorTrigger, afterTrigger, type Hold, HOLDS, STREAM_STATES } from "./stream_state.ts";
import type { OperatorTrigger, StreamState } from "./stream_state.ts";
import { PositionReporter } from "./position_reporter.ts";
import type { StatusRow } from "./stream_status.ts";
import { TraceWriter } from "./trace_ring.ts";
import type { Transfer } from "./transfer.ts";
import { serveVolume } from "./volume_request.ts";
import { WakeBudget } from "./wake_budget.ts";

/** Requests that one stream may have served before the others get their turn: a ring's worth. */
const REQUESTS_A_TURN = 32;
/** Positions that one stream may publish in a turn; it takes more than one only after a stall longer than its buffer. */
const EVENTS_A_TURN = 8;
/** What poll(2) says of a card that is not there any more. */
const POLL_FAILED = POLL.ERR | POLL.HUP | POLL.NVAL;

/** What a stream needs of the engine around it. */
export interface EngineServices {
  readonly channels: EventChannels;
  post(event: EngineEvent): void;
  /** The set of file descriptors to poll has changed. */
  pollSetChanged(): void;
}

export class EngineStream {
  readonly slot: number;
  readonly requestPort: number;
  readonly eventPort: number;
  readonly #direction: "playback" | "capture";
  readonly #queries: Queries;
  readonly #services: EngineServices;
  readonly #status: StatusRow;
  readonly #pages: ArrayBuffer[];
  readonly #ring: BackRing;
  readonly #events: EventPageProducer;
  readonly #request = new RequestView();
  #state: StreamState = "closed";
  #hold: Hold;
  #settings: OperatorSettings;
  /** Operation and id of the request that the main thread is working on; -1: none. */
  #pendingOperation = -1;
  #pendingId = 0;
  /** When the engine woke up for the requests that are being answered, by {@link #clock}. */
  #arrival = 0;
  #buffer: GuestBuffer | undefined;
  #transfer: Transfer | undefined;
  #reporter: PositionReporter | undefined;
  /** What the card does, as against what {@link #state} and {@link #hold} want of it. */
  #card: "stopped" | "running" | "held" = "stopped";
  /** Whether the transfer's card is a stand-in for one that was lost. */
  #isLost = false;
  /** Whether not even a stand-in could be had: the pointer stands, and the guest times out. */
  #isDead = false;
  readonly #clock = new MicrosClock();
  /** What it is charged for each time that its guest wakes the engine. */
  readonly budget: WakeBudget;
  /** Requests taken off its ring, for comparison. */
  taken = 0;
  /** While somebody traces. */
  #trace: TraceWriter | undefined;
  #broken = false;

  constructor(command: EngineCommand & { op: "attach" }, services: EngineServices, status: StatusRow) {
    this.slot = command.slot;
    this.requestPort = command.requestPort;
    this.eventPort = command.eventPort;
    this.#direction = command.direction;
    this.#queries = new Queries(command.allowed);
    this.budget = new WakeBudget(command.requests);
    this.#services = services;
    this.#status = status;
    this.#pages = [
      mappedBuffer(command.ring, XENSND_EVENT_PAGE_SIZE),
      mappedBuffer(command.eventPage, XENSND_EVENT_PAGE_SIZE),
    ];
    this.#ring = BackRing.attach(this.#pages[0]);
    this.#events = new EventPageProducer(this.#pages[1]);
    this.#hold = command.hold;
    this.#settings = command.settings;
    this.#trace = traceWriter(command.trace);
    this.#trace?.mark(RecordKind.connected);
    this.#setState("closed");
  }

  /** The card, while one is open. */
  get pcm(): Pcm | undefined {
    return this.#isDead ? undefined : this.#transfer?.pcm;
  }

  /**
   * Serves what is on the ring, up to a turn's worth. Returns true if there may be more. A stream that waits for the
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
      this.#trace?.request(this.#request);
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
      this.budget.chargeRequests(arrival, served);
      this.#status.add("requests", served);
      this.#pushResponses();
      // After the answer: what was written stays in the guest's buffer until the card has room for it. A card that stands
      // has it in advance: a sound server that is started in the moment that it gets its first samples stumbles.
      if (this.#transfer !== undefined) this.#pump(this.#transfer);
    }
    return more;
  }

  #serve(): void {
    const request = this.#request;
    switch (request.operation) {
      case XENSND_OP_WRITE:
        return this.#respond(this.#direction === "playback" ? this.#move() : -XEN_EINVAL);
      case XENSND_OP_READ:
        return this.#respond(this.#direction === "capture" ? this.#move() : -XEN_EINVAL);
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
        return this.#respond(this.#transfer === undefined ? -XEN_EIO : serveVolume(request, this.#transfer));
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

  #reply(id: number, operation: number, status: number): void {
    encodeResponse(this.#ring.view, this.#ring.reserve(), id, operation, status);
    this.#trace?.response(id, operation, status);
  }

  #query(): void {
    this.#status.add("queries", 1);
    const status = this.#queries.answer(this.#request);
    if (this.#queries.isSpent(status)) this.forget(this.#queries.loan);
    if (status < 0) return this.#respond(status);
    encodeHwParamResponse(this.#ring.view, this.#ring.reserve(), this.#request.id, this.#queries.param);
    this.#trace?.hwParamResponse(this.#request.id, this.#queries.param);
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
    if (this.#transfer === undefined) return -XEN_EIO;
    return this.#transfer.request(this.#request.offset, this.#request.length);
  }

  #trigger(type: number): number {
    const next = afterTrigger(this.#state, type);
    if (next === undefined || this.#transfer === undefined) return -XEN_EINVAL;
    const before = this.#state;
    if (next === "prepared" && before !== "prepared") this.#stop(this.#transfer);
    this.#setState(next);
    const status = this.#runCard();
    if (status >= 0) return 0;
    // What the guest is told has failed has not happened. ALSA has errors of its own, which are none to a guest.
    this.#setState(before);
    return -status < SND_ERROR_BEGIN ? status : -XEN_EIO;
  }

  /** The guest's STOP. Its position is put right before the answer, while its driver still listens. */
  #stop(transfer: Transfer): void {
    this.#reportNow(transfer);
    this.#publish(transfer, transfer.restart());
    this.#card = "stopped";
  }

  /** Makes the card do what guest and operator want together. Returns 0 or -errno. */
  #runCard(): number {
    const transfer = this.#transfer;
    if (transfer === undefined) return 0;
    const run = this.#state === "running" && this.#hold === "none";
    let status = 0;
    if (run && this.#card !== "running") {
      status = this.#card === "held" ? transfer.unhold() : transfer.start();
      // The host has slept since the card was prepared.
      if (status < 0 && !isLoss(status)) status = transfer.startAnew();
      if (isLoss(status) && this.#lose(transfer, status)) status = transfer.start();
      if (status >= 0) this.#card = "running";
    } else if (!run && this.#card === "running") {
      this.#reportNow(transfer);
      transfer.hold(this.#hold === "stopped");
      this.#card = "held";
    } else if (this.#card === "held" && this.#hold === "stopped") {
      transfer.hold(true);
    }
    transfer.report();
    return Math.min(0, status);
  }

  /** Called when the card's descriptor was ready, for `revents`. */
  servePcm(revents: number): void {
    const transfer = this.#transfer;
    if (transfer === undefined) return;
    if ((revents & POLL_FAILED) !== 0) return this.#recover(transfer, -ERRNO.ENODEV);
    transfer.pcm.acknowledge();
    if (this.#card !== "running") return;
    const told = transfer.reportedFrames;
    const start = this.#clock.now();
    const age = transfer.pcm.interruptAge(start);
    this.#pump(transfer);
    if (this.#trace !== undefined) this.#sample(this.#trace, start);
    // From the card's interrupt to the event that tells the guest of it, if one does.
    if (age < 0 || transfer.reportedFrames === told) return;
    this.#status.eventDelays.add(age + (this.#clock.now() - start | 0));
  }

  #pump(transfer: Transfer): void {
    transfer.pump();
    if (transfer.error !== 0) this.#recover(transfer, transfer.error);
    this.#report(transfer);
  }

  /** A card that stopped is started again; one that is lost gives way to a stand-in. */
  #recover(transfer: Transfer, error: number): void {
    if (!isLoss(error)) {
      transfer.error = 0;
      // One that stands is prepared anew before it runs.
      if (this.#card !== "running" || transfer.recover() === 0) return;
    }
    this.#lose(transfer, error);
  }

  /**
   * The card is not there any more, and the stream goes on without: into silence, by the clock, until the main thread has found
   * it again. Returns false if there is nothing to go on with.
   */
  #lose(transfer: Transfer, error: number): boolean {
    transfer.error = 0;
    if (this.#isDead) return false;
    const { params, staging } = transfer.pcm;
    try {
      const standIn = new DummyPcm({ kind: "dummy", params, fd: -1 }, undefined, staging);
      this.#replaceCard(transfer, standIn);
    } catch (failure) {
      this.#card = "stopped";
      this.#isDead = true;
      this.#services.pollSetChanged();
      const text = `the card has failed (${errnoName(error)}), and so has its stand-in: ${failure}`;
      this.#services.post({ op: "log", slot: this.slot, level: "error", text });
      return false;
    }
    this.#isLost = true;
    this.#queries.standIn(params);
    this.#status.set("cardLost", 1);
    this.#status.add("losses", 1);
    this.#services.post({ op: "lost", slot: this.slot, errno: -error });
    return true;
  }

  /** The main thread has opened the card that was lost. If the guest has closed the stream meanwhile it is of no use. */
  replaced(command: EngineCommand & { op: "replaced" }): void {
    const transfer = this.#transfer;
    if (transfer === undefined || !this.#isLost) return;
    let pcm: Pcm;
    try {
      pcm = openPcm(command.pcm, transfer.pcm.staging);
    } catch (error) {
      const text = `the card is there again, and cannot be used: ${error}`;
      this.#services.post({ op: "log", slot: this.slot, level: "error", text });
      return this.#services.post({ op: "lost", slot: this.slot, errno: XEN_EIO });
    }
    this.#isLost = false;
    this.#queries.end();
    this.#status.set("cardLost", 0);
    const status = this.#replaceCard(transfer, pcm);
    if (status < 0) this.#recover(transfer, status);
  }

  #replaceCard(transfer: Transfer, pcm: Pcm): number {
    const status = transfer.replaceCard(pcm, this.#card === "running");
    this.#status.set("cardBufferFrames", pcm.params.bufferFrames);
    this.#status.set("cardPeriodFrames", pcm.params.periodFrames);
    this.#services.pollSetChanged();
    return status;
  }

  #reportNow(transfer: Transfer): void {
    transfer.position();
    this.#report(transfer);
  }

  /** Tells the guest the position that {@link Transfer.pump} found, if it is time to. */
  #report(transfer: Transfer): void {
    if (this.#card === "running" && this.#reporter === undefined) {
      // A guest that wants no events has been told nothing, but the round of its buffer goes on.
      transfer.reportedFrames = transfer.reportable();
    } else if (this.#card === "running" && this.#reporter !== undefined) {
      for (let i = 0; i < EVENTS_A_TURN; i++) {
        const position = this.#reporter.next(transfer.reportedFrames, transfer.reportable());
        if (position < 0 || !this.#publish(transfer, position)) break;
      }
      this.#status.set("periods", this.#reporter.periods);
    }
    transfer.report();
  }

  #publish(transfer: Transfer, frames: number): boolean {
    if (this.#reporter === undefined || frames === transfer.reportedFrames) {
      transfer.reportedFrames = frames;
      return false;
    }
    const bytes = frames * transfer.pcm.params.frameBytes;
    const low = positionLow(bytes);
    const high = positionHigh(bytes);
    if (!this.#events.publishCurPos(low, high)) return false;
    if (this.#trace !== undefined) this.#tracePosition(this.#trace, low, high);
    this.#reporter.published(frames - transfer.reportedFrames);
    transfer.reportedFrames = frames;
    this.#status.add("events", 1);
    this.#services.channels.notify(this.eventPort);
    return true;
  }

  /** OPEN, CLOSE and HW_PARAM_QUERY can take long: the main thread answers them, through {@link answer}. */
  #passOn(): void {
    const { id, operation } = this.#request;
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
    let pcm: Pcm | undefined;
    try {
      pcm = openPcm(command.pcm);
      this.#prepare(command, pcm);
    } catch (error) {
      if (this.#transfer === undefined) pcm?.release();
      this.#release();
      return this.#services.post({ op: "openFailed", slot: this.slot, reason: String(error) });
    }
    this.answer(0);
  }

  #prepare(command: EngineCommand & { op: "opened" }, pcm: Pcm): void {
    const { params } = pcm;
    const { bufferSz, periodSz } = command.open;
    if (bufferSz > command.mappedBytes) {
      throw new RangeError(`a buffer of ${bufferSz} octets in a smaller mapping`);
    }
    const buffer = this.#buffer = new GuestBuffer(
      Memory.mapped(BigInt(command.buffer), bufferSz),
      pcm.staging,
    );
    const transfer = new (this.#direction === "playback" ? Playback : Capture)(pcm, buffer, this.#status);
    const periodFrames = periodSz / params.frameBytes;
    this.#transfer = transfer;
    this.operatorSettings(this.#settings);
    this.#reporter = periodFrames > 0 ? new PositionReporter(periodFrames, transfer.bufferFrames) : undefined;
    this.#card = "stopped";
    this.#events.opened();
    this.#status.set("positionFrames", 0);
    this.#status.set("rate", params.rate);
    this.#status.set("channels", params.channels);
    this.#status.set("format", params.format);
    this.#status.set("bufferFrames", transfer.bufferFrames);
    this.#status.set("periodFrames", periodFrames);
    this.#status.set("cardBufferFrames", params.bufferFrames);
    this.#status.set("cardPeriodFrames", params.periodFrames);
    transfer.report();
    // Now that the row says nothing of the former use any more: a trace takes a sample of it.
    this.#setState("prepared");
    this.#services.pollSetChanged();
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
  operatorTrigger(trigger: OperatorTrigger): void {
    this.#hold = afterOperatorTrigger(trigger);
    this.#status.set("hold", HOLDS.indexOf(this.#hold));
    this.#runCard();
    if (this.#trace !== undefined) this.#sample(this.#trace);
  }

  /** `xsnd trace`: what passes is written at `ring` from now on, or, with null, nowhere. */
  trace(ring: Address | null): void {
    this.#trace = traceWriter(ring);
    if (this.#trace !== undefined) this.#sample(this.#trace);
  }

  /** Where the card is, or was when it was asked at `time`. */
  #sample(trace: TraceWriter, time = this.#clock.now()): void {
    const pcm = this.pcm;
    trace.sample(this.#status, pcm === undefined ? time : time - pcm.pointerAge(time) | 0);
  }

  /** The event, or the two of them ({@link EventPageProducer}), that was published last. */
  #tracePosition(trace: TraceWriter, low: number, high: number): void {
    const last = this.#events.inProd - 1;
    const { base } = this.#events;
    if ((base & 0xffff) === 0) return trace.position(last, low, high);
    trace.position(last - 1, low, high);
    trace.position(last - base, low, high);
  }

  /** `xsnd volume`, `mute` and `unmute`. */
  operatorSettings(settings: OperatorSettings): void {
    this.#settings = settings;
    const volume = this.#transfer?.volume;
    volume?.setOperators(settings.volume, settings.muted);
    volume?.changed();
    if (volume === undefined || volume.isPossible || settings.volume === 0) return;
    const text = "the operator's volume has no effect: the guest's sample format can only be muted";
    this.#services.post({ op: "log", slot: this.slot, level: "warn", text });
  }

  /** Lets go of card and buffer, if the stream is open. */
  #release(): void {
    const transfer = this.#transfer;
    if (transfer !== undefined) {
      if (this.#card === "running") this.#reportNow(transfer);
      transfer.pcm.drop();
      transfer.report();
      transfer.pcm.release();
      this.#services.pollSetChanged();
    }
    this.#buffer?.detach();
    this.#buffer = this.#transfer = this.#reporter = undefined;
    this.#queries.end();
    this.#card = "stopped";
    this.#isLost = this.#isDead = false;
    this.#status.set("cardLost", 0);
    this.#setState("closed");
  }

  /** Lets go of everything; after this nothing of the stream touches memory that the main thread may unmap. */
  detach(): void {
    this.#release();
    this.#trace?.mark(RecordKind.disconnected);
    this.#trace = undefined;
    for (const page of this.#pages) page.transfer(0);
    this.#broken = true;
    this.#setState("detached");
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
    this.#status.set("state", STREAM_STATES.indexOf(state));
    this.#status.set("hold", HOLDS.indexOf(this.#hold));
    if (this.#trace !== undefined) this.#sample(this.#trace);
  }
}

function traceWriter(ring: Address | null): TraceWriter | undefined {
  return ring === null ? undefined : TraceWriter.at(ring);
}

/** Whether a card's error means that it will not do any more, and not just that it has stopped (xrun, suspend). */
function isLoss(error: number): boolean {
  return error < 0 && error !== -ERRNO.EPIPE && error !== -ERRNO.ESTRPIPE;
}
