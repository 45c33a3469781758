// SPDX-License-Identifier: MIT
/**
 * One stream in the engine: answers the guest's requests, or leaves them to the main thread, and carries out the main thread's
 * commands.
 */
import { mappedBuffer } from "../../ffi/libc/memory.ts";
import { stackOf } from "../base/error.ts";
import { KEPT_BYTES, KeptStream } from "../bridge/kept_stream.ts";
import type { Address, EngineCommand, StreamCommand } from "../bridge/messages.ts";
import type { StatusRow } from "../bridge/stream_status.ts";
import type { Pcm } from "../pcm/pcm.ts";
import type { RefinerDescriptor } from "../pcm/refiner.ts";
import {
  EventPageProducer,
  type OpenRequest,
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
import type { Connection, EngineServices } from "./connection.ts";
import {
  type GuestBudget,
  INTERRUPT_COST,
  mainThreadCost,
  QUERY_COST,
  TRIGGER_COST,
} from "./guest_budget.ts";
import { Queries } from "./queries.ts";
import { RequestQueue } from "./request_queue.ts";
import { StreamLife } from "./stream_life.ts";
import { StreamTrace } from "./stream_trace.ts";
import { serveVolume } from "./volume_request.ts";

/** Requests that one stream may have served before the other streams get their turn: a ring's worth. */
const REQUESTS_A_TURN = 32;

export class EngineStream {
  readonly slot: number;
  readonly requestPort: number;
  readonly eventPort: number;
  readonly #queries: Queries;
  readonly #services: EngineServices;
  readonly #status: StatusRow;
  readonly #pages: readonly [ring: ArrayBuffer, events: ArrayBuffer, kept: ArrayBuffer];
  readonly #kept: KeptStream;
  readonly #trace: StreamTrace;
  readonly #connection: Connection;
  readonly #queue: RequestQueue;
  readonly #life: StreamLife;
  /** Whether both event channels are masked, until the guest may be served again. */
  isMasked = false;
  /** µs that the stream has cost since the engine last asked. */
  #cost = 0;
  /** How many requests were taken off the ring. The number wraps: two of them compare for equality alone. */
  taken = 0;
  /** Whether the stream is served no more. */
  #broken = false;
  /** Whether the stream takes no request yet: what a former daemon had open is being opened again. */
  #isResuming: boolean;

  /** @param budget of the guest, which all of its streams share */
  constructor(
    private readonly command: EngineCommand & { op: "attach" },
    services: EngineServices,
    status: StatusRow,
    readonly budget: GuestBudget,
  ) {
    const { slot, requestPort, eventPort, direction } = command;
    this.slot = slot;
    this.requestPort = requestPort;
    this.eventPort = eventPort;
    this.#queries = new Queries(command.allowed);
    this.#services = services;
    this.#status = status;
    const page = (address: Address) => mappedBuffer(address, XENSND_EVENT_PAGE_SIZE);
    const kept = command.kept === null ? new ArrayBuffer(KEPT_BYTES) : mappedBuffer(command.kept, KEPT_BYTES);
    this.#pages = [page(command.ring), page(command.eventPage), kept];
    this.#isResuming = command.resumes;
    this.#kept = new KeptStream(kept);
    if (command.resumes) this.#kept.freeze();
    this.#trace = new StreamTrace(status, command.trace);
    this.#connection = {
      slot,
      requestPort,
      eventPort,
      direction,
      events: new EventPageProducer(this.#pages[1]),
      queries: this.#queries,
      status,
      kept: this.#kept,
      trace: this.#trace,
      services,
    };
    this.#queue = new RequestQueue(this.#pages[0], this.#connection);
    this.#trace.mark(RecordKind.connected);
    status.set("connections", 1);
    this.#life = new StreamLife(this.#connection, command.hold, command.settings);
  }

  /**
   * Who answers each of sndif's ten requests, and where; in the order of sndif.h. Any other operation is -XEN_EOPNOTSUPP.
   * The main thread answers what can take long (lib/daemon/stream), the engine everything else at once.
   */
  // deno-fmt-ignore
  static readonly #ANSWERS: Readonly<Record<number, (stream: EngineStream) => void>> = {
    [XENSND_OP_OPEN]:           (stream) => stream.#deferOpen(),        // main thread: opens the device, maps the buffer
    [XENSND_OP_CLOSE]:          (stream) => stream.#deferClose(),       // main thread: closes and unmaps them
    [XENSND_OP_READ]:           (stream) => stream.#move("capture"),    // engine: samples/capture.ts
    [XENSND_OP_WRITE]:          (stream) => stream.#move("playback"),   // engine: samples/playback.ts
    [XENSND_OP_SET_VOLUME]:     (stream) => stream.#serveVolume(),      // engine: volume_request.ts
    [XENSND_OP_GET_VOLUME]:     (stream) => stream.#serveVolume(),      // engine: volume_request.ts
    [XENSND_OP_MUTE]:           (stream) => stream.#serveVolume(),      // engine: volume_request.ts
    [XENSND_OP_UNMUTE]:         (stream) => stream.#serveVolume(),      // engine: volume_request.ts
    [XENSND_OP_TRIGGER]:        (stream) => stream.#trigger(),          // engine: stream_life.ts
    [XENSND_OP_HW_PARAM_QUERY]: (stream) => stream.#answerQuery(),      // engine: queries.ts; the main thread lends a refiner
  };

  /** The device's PCM, while one is open. */
  get pcm(): Pcm | undefined {
    return this.#life.open?.device.pcm;
  }

  /** As of {@link DevicePlace.stopFd}. */
  get stopFd(): number {
    return this.#life.open?.device.stopFd ?? -1;
  }

  /** As of {@link DevicePlace.watchFd}. */
  get watchFd(): number {
    return this.#life.open?.device.watchFd ?? -1;
  }

  /** Whether samples are left that could be moved at once: the last turn was too long. */
  get hasMore(): boolean {
    return this.#life.open?.transfer.hasMore ?? false;
  }

  /** µs that the stream has cost since this was last asked. */
  takeCost(): number {
    this.#chargeMoved();
    const cost = this.#cost;
    this.#cost = 0;
    return cost;
  }

  /** Charges what was moved. To be called before the stream is released, too. */
  #chargeMoved(): void {
    this.#cost += this.budget.costOf(this.#life.open?.transfer.takeMoved() ?? 0);
  }

  /**
   * Serves the requests on the ring, up to a turn's worth, and moves samples. Returns true if there may be more. A stream that
   * waits for the main thread takes no request: requests are answered in their order.
   *
   * @param arrival when the engine woke up for the requests, by its `MicrosClock`
   */
  serveRing(arrival?: number): boolean {
    if (this.#broken || this.#isResuming) return false;
    const queue = this.#queue;
    queue.begin(arrival);
    let served = 0;
    let more = false;
    while (queue.deferredOperation < 0 && !more) {
      const taken = queue.take();
      if (taken === Taken.broken) return this.#break("its request producer index is more than a ring ahead");
      if (taken === Taken.none) break;
      served++;
      this.#cost += this.budget.requestCost;
      const { operation } = queue.request;
      const answer = EngineStream.#ANSWERS[operation];
      if (answer === undefined) queue.respond(-XEN_EOPNOTSUPP);
      else answer(this);
      // A query and a trigger take as long as many other requests.
      more = served === REQUESTS_A_TURN || operation === XENSND_OP_HW_PARAM_QUERY ||
        operation === XENSND_OP_TRIGGER;
    }
    if (served > 0) {
      this.taken = this.taken + served | 0;
      this.#status.add("requests", served);
      queue.push();
    }
    // After the answer: the samples of a WRITE stay in the guest's buffer until the device has room for them. A device that
    // stands gets them in advance: a sound server that is started as it gets its first samples stumbles.
    if (served > 0 || this.hasMore) this.#life.open?.pump();
    return more || this.hasMore;
  }

  /** OPEN. Releases what the stream has open: an OPEN without a CLOSE before it is an implicit close. */
  #deferOpen(): void {
    const { pcmRate, pcmFormat, pcmChannels, bufferSz, grefDirectory, periodSz } = this.#queue.request;
    this.#cost += mainThreadCost(Math.min(bufferSz, this.command.allowed.bufferSizeBytes));
    this.#queue.defer();
    this.#chargeMoved();
    this.#life.release();
    this.#life.setState("opening");
    const open: OpenRequest = { pcmRate, pcmFormat, pcmChannels, bufferSz, grefDirectory, periodSz };
    this.#services.post({ op: "open", slot: this.slot, open });
  }

  /** CLOSE. */
  #deferClose(): void {
    this.#cost += mainThreadCost();
    this.#queue.defer();
    this.#chargeMoved();
    this.#life.release();
    this.#services.post({ op: "close", slot: this.slot });
  }

  /** READ or WRITE, on a stream of that direction. */
  #move(direction: "playback" | "capture"): void {
    const { request } = this.#queue;
    let status = -XEN_EINVAL;
    if (direction === this.#connection.direction) {
      status = this.#life.open === undefined
        ? -XEN_EIO
        : this.#life.open.transfer.request(request.offset, request.length);
    }
    this.#queue.respond(status);
  }

  /** SET_VOLUME, GET_VOLUME, MUTE or UNMUTE. */
  #serveVolume(): void {
    const { request } = this.#queue;
    this.#queue.respond(
      this.#life.open === undefined ? -XEN_EIO : serveVolume(request, this.#life.open.transfer),
    );
  }

  /** TRIGGER. */
  #trigger(): void {
    this.#cost += TRIGGER_COST;
    this.#queue.respond(this.#life.trigger(this.#queue.request.triggerType));
  }

  /** HW_PARAM_QUERY. */
  #answerQuery(): void {
    if (this.#queries.canAnswer) return this.#query();
    this.#cost += mainThreadCost();
    this.#queue.defer();
    this.#services.post({ op: "query", slot: this.slot });
  }

  /** Answers a HW_PARAM_QUERY by the refiner that is there. */
  #query(): void {
    this.#cost += QUERY_COST;
    this.#status.add("queries", 1);
    const status = this.#queries.answer(this.#queue.request);
    if (this.#queries.isSpent(status)) this.forget();
    if (status < 0) this.#queue.respond(status);
    else this.#queue.respondHwParam(this.#queries.param);
  }

  /** Carries out a command of the main thread. */
  execute(command: StreamCommand): void {
    if (this.#broken) return;
    switch (command.op) {
      case "opened":
        return this.opened(command);
      case "resumed":
        return this.resumed(command);
      case "notResumed":
        return this.#beginAnew();
      case "respond":
        return this.answer(command.status);
      case "refiner":
        return this.lend(command.refiner);
      case "forget":
        return this.forget();
      case "replaced":
        // The guest may have closed the stream meanwhile.
        return this.#life.open?.device.replaced(command);
      case "giveBackDevice":
        return this.#life.open?.device.giveBack();
      case "settings":
        return this.#life.setOperators(command.settings);
      case "hold":
        return this.#life.setHold(command.hold);
    }
  }

  /** The main thread has opened the device and mapped the buffer for the OPEN that waits; `openFailed` has it undo both. */
  opened(command: EngineCommand & { op: "opened" }): void {
    if (this.#queue.deferredOperation !== XENSND_OP_OPEN) return;
    try {
      this.#life.opened(command);
    } catch (error) {
      this.#life.release();
      return this.#services.post({ op: "openFailed", slot: this.slot, reason: String(error) });
    }
    this.#life.prepared();
    this.answer(0);
  }

  /** As {@link opened}, of what a former daemon had open. */
  resumed(command: EngineCommand & { op: "resumed" }): void {
    this.#isResuming = false;
    try {
      this.#life.opened(command);
    } catch (error) {
      this.#beginAnew();
      this.#life.release();
      return this.#services.post({ op: "resumeFailed", slot: this.slot, reason: String(error) });
    }
    this.#life.resumed(command.kept);
  }

  /** Nothing is open any more, and requests are taken from now on. */
  #beginAnew(): void {
    this.#isResuming = false;
    this.#kept.thaw();
    this.#kept.setState("closed");
  }

  /** Answers the request that the main thread worked on. The caller goes on with the requests behind it. */
  answer(status: number): void {
    const operation = this.#queue.deferredOperation;
    if (operation < 0) return;
    if (operation === XENSND_OP_OPEN && status < 0) this.#life.setState("closed");
    this.#queue.respondDeferred(status);
    this.#queue.push();
  }

  /** The main thread lends a refiner, for the query that waits and those after it. */
  lend(refiner: RefinerDescriptor): void {
    if (this.#queue.deferredOperation !== XENSND_OP_HW_PARAM_QUERY) return;
    this.#queue.resume();
    this.#queries.lend(refiner);
    this.#query();
    this.#queue.push();
  }

  /** Gives back the refiner that {@link lend} brought, unless it has been given back already. */
  forget(): void {
    if (!this.#queries.isLent) return;
    this.#queries.end();
    this.#services.post({ op: "forgotten", slot: this.slot });
  }

  /** Called when the PCM's descriptor was ready, for `revents`. */
  servePcm(revents: number): void {
    this.#cost += INTERRUPT_COST;
    this.#life.open?.servePcm(revents);
  }

  /** Called when {@link stopFd} has failed. */
  deviceStopped(): void {
    this.#cost += INTERRUPT_COST;
    this.#life.open?.deviceStopped();
  }

  /** Called when {@link watchFd} was ready. */
  watchDevice(): void {
    this.#cost += INTERRUPT_COST;
    this.#life.open?.watch();
  }

  /** Lets go of everything: even if this throws, the stream touches no memory afterwards that the main thread may unmap. */
  detach(leaves = false): void {
    try {
      if (leaves) this.#life.leave();
      this.#life.release();
      this.#trace.mark(RecordKind.disconnected);
    } finally {
      this.#broken = true;
      this.#trace.end();
      for (const page of this.#pages) page.transfer(0);
      this.#life.setState("detached");
    }
  }

  /** The stream has thrown `error`, a defect of the engine's own: the stream is served no more. */
  fail(error: unknown): void {
    this.#broken = true;
    let reason = stackOf(error);
    try {
      this.#life.release();
    } catch (another) {
      reason += `, and then ${stackOf(another)}`;
    }
    this.#services.post({ op: "defect", slot: this.slot, reason });
  }

  /** The frontend has broken the protocol: the stream is served no more. */
  #break(reason: string): boolean {
    this.#broken = true;
    this.#status.add("protocolErrors", 1);
    this.#life.release();
    this.#services.post({ op: "broken", slot: this.slot, reason });
    return false;
  }
}
