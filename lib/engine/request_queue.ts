// SPDX-License-Identifier: MIT
/**
 * One stream's requests and their answers. The queue takes requests off the ring one at a time, puts the answers on the ring in
 * the order of the requests, and publishes them. Nothing is taken while the main thread works on a request.
 */
import { MicrosClock } from "../../ffi/libc/micros_clock.ts";
import {
  BackRing,
  encodeHwParamResponse,
  encodeResponse,
  type HwParam,
  RequestView,
  Taken,
} from "../sndif/mod.ts";
import type { Connection } from "./connection.ts";

/** Nothing here allocates. */
export class RequestQueue {
  /** The request that was taken last. */
  readonly request = new RequestView();
  readonly #ring: BackRing;
  readonly #connection: Connection;
  /** Operation and id of the request that the main thread works on; -1: of none. */
  #deferredOperation = -1;
  #deferredId = 0;
  /** When the engine woke up for the requests that are being answered, by {@link #clock}. */
  #arrival = 0;
  readonly #clock = new MicrosClock();

  /** @param page the ring's; the ring may be in use, see {@link BackRing.attach} */
  constructor(page: ArrayBuffer, connection: Connection) {
    this.#ring = BackRing.attach(page);
    this.#connection = connection;
  }

  /** The operation of the request that the main thread works on; -1 if the main thread works on none. */
  get deferredOperation(): number {
    return this.#deferredOperation;
  }

  /** @param arrival when the engine woke up for the requests that are taken from now on, by its {@link MicrosClock} */
  begin(arrival = this.#clock.now()): void {
    if (this.#deferredOperation < 0) this.#arrival = arrival;
  }

  /** Takes the next request into {@link request}; returns one of {@link Taken}. After "none" the guest notifies of the next. */
  take(): number {
    this.#assertNoneDeferred();
    for (;;) {
      const taken = this.#ring.take(this.request);
      if (taken === Taken.one) this.#connection.trace.request(this.request);
      if (taken !== Taken.none || !this.#ring.finalCheckForRequests()) return taken;
    }
  }

  /** Answers {@link request} with 0 or -XEN_E*. */
  respond(status: number): void {
    this.#assertNoneDeferred();
    if (status < 0) this.#connection.status.add("protocolErrors", 1);
    this.#respond(this.request.id, this.request.operation, status);
  }

  /** Answers {@link request}, a HW_PARAM_QUERY, with `param`. */
  respondHwParam(param: HwParam): void {
    this.#assertNoneDeferred();
    const { id } = this.request;
    encodeHwParamResponse(this.#ring.view, this.#reserve(), id, param);
    this.#connection.trace.hwParamResponse(id, param);
  }

  /** Leaves {@link request} to the main thread. */
  defer(): void {
    this.#deferredOperation = this.request.operation;
    this.#deferredId = this.request.id;
  }

  /** The engine answers the deferred request after all: {@link request} is that one still. */
  resume(): void {
    this.#deferredOperation = -1;
  }

  /** Answers the deferred request with 0 or -XEN_E*. */
  respondDeferred(status: number): void {
    const operation = this.#deferredOperation;
    if (operation < 0) throw new Error("the main thread's answer, without a request");
    this.#deferredOperation = -1;
    this.#respond(this.#deferredId, operation, status);
  }

  /**
   * Publishes the answers that are ready, and notifies the guest of them, whether `rsp_event` asks for it or not. snd_xen_front
   * ignores interrupts while its PCM is closed (evtchnl_interrupt_req). An answer that comes that late, from a daemon that was
   * started again, leaves `rsp_event` behind, and going by it the guest would never be notified again.
   */
  push(): void {
    const answers = this.#ring.unpublished;
    if (answers === 0) return;
    const { requestPort, services, status } = this.#connection;
    this.#ring.pushResponses();
    services.channels.notify(requestPort);
    status.requestTimes.add(this.#clock.now() - this.#arrival | 0, answers);
  }

  #respond(id: number, operation: number, status: number): void {
    encodeResponse(this.#ring.view, this.#reserve(), id, operation, status);
    this.#connection.trace.response(id, operation, status);
  }

  #assertNoneDeferred(): void {
    if (this.#deferredOperation < 0) return;
    throw new Error("a request is taken or answered before the one that the main thread works on");
  }

  /** Octet offset of the next answer on the ring. */
  #reserve(): number {
    const offset = this.#ring.reserve();
    if (offset < 0) throw new Error("an answer without a request");
    return offset;
  }
}
