// SPDX-License-Identifier: MIT
/**
 * A stream's request ring and event page, as the driver keeps them (sound/xen/xen_snd_front_evtchnl.c, `struct
 * xen_snd_front_evtchnl_pair`), and its requests (xen_snd_front.c, `be_stream_*`).
 *
 * The driver trusts its backend, and does not look whether the ring has room. That is why {@link FrontRing} of lib/sndif, which
 * looks, does not stand here.
 */
import {
  type EventIdBehaviour,
  eventSlotOffset,
  EventView,
  HwParam,
  initSharedRing,
  PACKET_SIZE,
  ResponseView,
  RING_HEADER_SIZE,
  RING_SIZE,
  XENSND_EVT_CUR_POS,
  XENSND_IN_RING_LEN,
  XENSND_OP_CLOSE,
  XENSND_OP_HW_PARAM_QUERY,
  XENSND_OP_OPEN,
  XENSND_OP_READ,
  XENSND_OP_TRIGGER,
  XENSND_OP_WRITE,
} from "../../../lib/sndif/mod.ts";
import { ERRNO } from "../../../ffi/libc/errno.ts";
import type { GuestDomain, SharedRam } from "../xen/guest_domain.ts";
import type { RequestRecord, StreamAccount } from "./account.ts";
import { type Blocking, Completion, Mutex, type Tasks, WaitQueue } from "./tasks.ts";

/** VSND_WAIT_BACK_MS of xen_snd_front.h, µs. */
export const WAIT_BACK = 3_000_000;

/** Word indices of the ring's header, and of the event page's. */
const REQ_PROD = 0;
const REQ_EVENT = 1;
const RSP_PROD = 2;
const RSP_EVENT = 3;
const IN_CONS = 0;
const IN_PROD = 1;

/** Requests that a ring remembers, to compare the answers with: more than fit on the ring. */
const SENT = 2 * RING_SIZE;

/** Writes a request with `id` to the slot at octet `at`. */
export type Encode = (view: DataView, at: number, id: number) => void;

/** A response whose operation no driver knows is logged and dropped (`evtchnl_interrupt_req`). */
const KNOWN_OPERATIONS = new Set<number>([
  XENSND_OP_OPEN,
  XENSND_OP_CLOSE,
  XENSND_OP_READ,
  XENSND_OP_WRITE,
  XENSND_OP_TRIGGER,
  XENSND_OP_HW_PARAM_QUERY,
]);

export class ChannelPair {
  readonly requestPort: number;
  readonly eventPort: number;
  readonly #ringPage: SharedRam;
  readonly #eventPage: SharedRam;
  readonly #view: DataView;
  readonly #ring: Int32Array;
  readonly #page: Int32Array;
  readonly #response = new ResponseView();
  readonly #event = new EventView();
  readonly #ringNumber: number;
  /** The domain's id as the ports were bound. */
  readonly #domid: number;
  /** The latest requests on this ring: the request of index `i` at `i % SENT`. */
  readonly #sent: RequestRecord[] = [];
  #requests = 0;

  #reqProdPvt = 0;
  #rspCons = 0;
  #nextId = 0;
  /** The id of the request whose answer is awaited, and that of the next event. */
  #requestId = 0;
  #eventId = 0;
  #status = 0;
  /** EVTCHNL_STATE_CONNECTED. */
  #isRequestConnected = false;
  #isEventConnected = false;
  #isFreed = false;
  #answersAtEnd: number | undefined;
  #endedAt: number | undefined;
  readonly #answered: Completion;
  /** `req_io_lock`: one request at a time. */
  readonly #requestLock: Mutex;
  /** `ring_io_lock` of the event channel. */
  readonly #eventLock: Mutex;
  /** The interrupt's thread sleeps here. */
  readonly #interrupt = new WaitQueue();
  #isInterrupted = false;
  /** The answer to HW_PARAM_QUERY. */
  readonly hwParam = new HwParam();
  /** Called with each position that the driver accepts. May sleep. */
  onPosition: ((position: number) => Blocking<void>) | undefined;
  /** The record of the request that {@link call} has returned from; undefined if the request was never put on the ring. */
  last: RequestRecord | undefined;
  /** Operations beyond those that the stock driver sends; another guest's driver may. */
  isForeign = false;

  constructor(
    private readonly tasks: Tasks,
    private readonly domain: GuestDomain,
    backendDomid: number,
    readonly account: StreamAccount,
    private readonly generation: EventIdBehaviour,
  ) {
    this.#ringNumber = ++account.rings;
    account.timeouts = 0;
    this.#domid = domain.domid;
    this.#ringPage = domain.share(1, backendDomid);
    this.#eventPage = domain.share(1, backendDomid);
    account.ringRef = this.ringRef;
    initSharedRing(this.#ringPage.buffer);
    this.#view = new DataView(this.#ringPage.buffer);
    this.#ring = new Int32Array(this.#ringPage.buffer);
    this.#page = new Int32Array(this.#eventPage.buffer);
    this.#answered = new Completion(tasks);
    this.#requestLock = new Mutex(tasks);
    this.#eventLock = new Mutex(tasks);
    this.requestPort = domain.bindUnbound(backendDomid, () => this.#requestInterrupt());
    this.eventPort = domain.bindUnbound(backendDomid, () => this.#eventInterrupt());
    account.answersOnRing = () => ({
      ring: this.#ringNumber,
      count: this.#answers,
      ...(this.#endedAt !== undefined && { endedAt: this.#endedAt }),
    });
    tasks.spawn(`irq/${account.name}`, false, () => this.#handleEvents());
  }

  get ringRef(): number {
    return this.#ringPage.grefs[0]!;
  }

  get eventRingRef(): number {
    return this.#eventPage.grefs[0]!;
  }

  /** Whether a restore has taken the ring's grants and ports away. */
  get isLost(): boolean {
    return this.domain.domid !== this.#domid;
  }

  /** How many responses the backend has put on the ring, while the driver had it. */
  get #answers(): number {
    return this.#answersAtEnd ?? Atomics.load(this.#ring, RSP_PROD) >>> 0;
  }

  /** The event page's producer index. */
  get nextEvent(): number {
    return this.#isFreed ? 0 : Atomics.load(this.#page, IN_PROD) >>> 0;
  }

  get isFreed(): boolean {
    return this.#isFreed;
  }

  /** `xen_snd_front_evtchnl_set_connected`, for the request channel. */
  connectRequests(isConnected: boolean): void {
    this.#isRequestConnected = isConnected;
  }

  /** `xen_snd_front_evtchnl_set_connected`, for the event channel: waits for the interrupt's thread. */
  *connectEvents(isConnected: boolean): Blocking<void> {
    yield* this.#eventLock.lock();
    this.#isEventConnected = isConnected;
    this.#eventLock.unlock();
  }

  /** `xen_snd_front_evtchnl_pair_clear`. The older driver clears a field of the event channel that it never reads. */
  *clear(): Blocking<void> {
    this.#nextId = 0;
    if (this.generation === "linux-6.1") return;
    yield* this.#eventLock.lock();
    this.#eventId = 0;
    if (!this.#isFreed) this.#page[IN_CONS] = this.#page[IN_PROD]!;
    this.#eventLock.unlock();
  }

  /**
   * `xen_snd_front_stream_*`: puts a request on the ring, and waits for the answer. Returns the answer's status, -EIO or
   * -ETIMEDOUT. `argument` and `length` are for the account.
   */
  *call(operation: number, encode: Encode, argument = 0, length = 0): Blocking<number> {
    yield* this.#requestLock.lock();
    const status = yield* this.#call(operation, encode, argument, length);
    this.#requestLock.unlock();
    return status;
  }

  *#call(operation: number, encode: Encode, argument: number, length: number): Blocking<number> {
    this.last = undefined;
    if (this.#isFreed) return -ERRNO.EIO;
    // be_stream_prepare_req
    const id = this.#nextId;
    this.#nextId = id + 1 & 0xffff;
    this.#requestId = id;
    encode(this.#view, this.#slot(this.#reqProdPvt), id);
    // be_stream_do_io
    if (!this.#isRequestConnected) return -ERRNO.EIO;
    this.#answered.reinit();
    const record = this.#record(id, operation, argument, length);
    this.#flush();
    // be_stream_wait_io
    if (yield* this.#answered.wait(WAIT_BACK)) {
      record.outcome = this.#isFreed && record.answered === undefined ? "aborted" : "answered";
    } else {
      record.outcome = "timedOut";
      this.account.timeouts++;
      this.#status = -ERRNO.ETIMEDOUT;
    }
    record.over = this.tasks.clock.now;
    this.last = record;
    return this.#status;
  }

  #record(id: number, operation: number, argument: number, length: number): RequestRecord {
    const sent = this.tasks.clock.now;
    const index = this.#requests++;
    const record: RequestRecord = {
      ring: this.#ringNumber,
      index,
      id,
      operation,
      argument,
      length,
      sent,
      outcome: "waits",
    };
    this.#sent[index % SENT] = record;
    this.account.requests.push(record);
    if (index - (this.#rspCons >>> 0) >= RING_SIZE) {
      this.account.incident(sent, "full ring", `request ${index} overwrites one that nobody has answered`);
    }
    return record;
  }

  #slot(index: number): number {
    return RING_HEADER_SIZE + (index & RING_SIZE - 1) * PACKET_SIZE;
  }

  /** `xen_snd_front_evtchnl_flush`. */
  #flush(): void {
    const old = this.#reqProdPvt;
    const now = this.#reqProdPvt = old + 1 | 0;
    Atomics.store(this.#ring, REQ_PROD, now);
    const event = Atomics.load(this.#ring, REQ_EVENT);
    if ((now - event) >>> 0 < (now - old) >>> 0) this.domain.notify(this.requestPort);
  }

  /** `evtchnl_interrupt_req`. */
  #requestInterrupt(): void {
    if (this.#isFreed) return;
    // One upcall has the interrupts of both channels, and a position that was told before an answer is not overtaken by that.
    if (this.#page[IN_CONS] !== Atomics.load(this.#page, IN_PROD)) this.#eventInterrupt();
    if (!this.#isRequestConnected) return;
    for (;;) {
      const rspProd = Atomics.load(this.#ring, RSP_PROD);
      if ((rspProd - this.#rspCons) >>> 0 > (this.#reqProdPvt - this.#rspCons) >>> 0) {
        const text = `rsp_prod ${rspProd >>> 0}, after ${this.#reqProdPvt >>> 0} requests`;
        this.account.incident(this.tasks.clock.now, "broken ring", text);
        return;
      }
      for (; this.#rspCons !== rspProd; this.#rspCons = this.#rspCons + 1 | 0) this.#take();
      if (this.#rspCons !== this.#reqProdPvt) {
        // RING_FINAL_CHECK_FOR_RESPONSES
        Atomics.store(this.#ring, RSP_EVENT, this.#rspCons + 1 | 0);
        if (Atomics.load(this.#ring, RSP_PROD) !== this.#rspCons) continue;
      } else Atomics.store(this.#ring, RSP_EVENT, this.#rspCons + 1 | 0);
      return;
    }
  }

  #take(): void {
    const response = this.#response;
    const index = this.#rspCons >>> 0;
    response.copyFrom(this.#ring, this.#slot(index) >> 2);
    const { id, operation } = response;
    const time = this.tasks.clock.now;
    const request = this.#sent[index % SENT];
    if (
      request?.index === index && request.id === id && request.operation === operation &&
      request.answered === undefined
    ) {
      request.answered = time;
      request.status = response.status;
    } else this.account.strays.push({ ring: this.#ringNumber, index, id, operation, time });
    if (id !== this.#requestId) return;
    if (!this.isForeign && !KNOWN_OPERATIONS.has(operation)) return;
    this.#status = response.status;
    if (operation === XENSND_OP_HW_PARAM_QUERY) response.readHwParam(this.hwParam);
    this.#answered.complete();
  }

  #eventInterrupt(): void {
    this.#isInterrupted = true;
    this.#interrupt.wakeOne();
  }

  /** The interrupt's thread (`request_threaded_irq`). */
  *#handleEvents(): Blocking<void> {
    while (!this.#isFreed) {
      if (this.#isInterrupted) {
        this.#isInterrupted = false;
        if (this.#isEventConnected) yield* this.#takeEvents();
      } else yield* this.tasks.sleep(this.#interrupt, Infinity, false);
    }
  }

  /** `evtchnl_interrupt_evt`. The newer driver looks at the channel's state once more under the lock. */
  *#takeEvents(): Blocking<void> {
    yield* this.#eventLock.lock();
    if (!this.#isFreed && (this.generation === "linux-6.1" || this.#isEventConnected)) {
      const prod = Atomics.load(this.#page, IN_PROD);
      let cons = this.#page[IN_CONS]!;
      if ((prod - cons) >>> 0 > XENSND_IN_RING_LEN) {
        const text = `in_prod ${prod >>> 0}, in_cons ${cons >>> 0}`;
        this.account.incident(this.tasks.clock.now, "broken event page", text);
        cons = prod - XENSND_IN_RING_LEN | 0;
      }
      for (; cons !== prod && !this.#isFreed; cons = cons + 1 | 0) yield* this.#takeEvent(cons);
      if (!this.#isFreed) Atomics.store(this.#page, IN_CONS, prod);
    }
    this.#eventLock.unlock();
  }

  *#takeEvent(index: number): Blocking<void> {
    const event = this.#event;
    event.copyFrom(this.#page, eventSlotOffset(index) >> 2);
    const { id, type, position } = event;
    const expected = this.#eventId;
    this.#eventId = expected + 1 & 0xffff;
    const isAccepted = id === expected;
    const { account } = this;
    account.events.push({
      ring: this.#ringNumber,
      index: index >>> 0,
      id,
      expected,
      isAccepted,
      position,
      open: account.opens.at(-1)?.number ?? 0,
      isOpen: account.open !== undefined,
      time: this.tasks.clock.now,
    });
    if (isAccepted && type === XENSND_EVT_CUR_POS && this.onPosition !== undefined) {
      yield* this.onPosition(position);
    }
  }

  /** `evtchnl_free` of both channels. `unbind_from_irqhandler` waits for the interrupt's thread. */
  *free(): Blocking<void> {
    if (this.#isFreed) return;
    this.#isRequestConnected = this.#isEventConnected = false;
    this.#status = -ERRNO.EIO;
    yield* this.#eventLock.lock();
    this.#answersAtEnd = this.#answers;
    this.#endedAt = this.tasks.clock.now;
    this.#isFreed = true;
    this.#answered.completeAll();
    this.#eventLock.unlock();
    this.#interrupt.wakeAll();
    // A restore has closed the ports already, and their numbers are others' by now.
    if (!this.isLost) {
      for (const port of [this.requestPort, this.eventPort]) this.domain.closePort(port);
    }
    this.#ringPage.revoke();
    this.#eventPage.revoke();
  }
}
