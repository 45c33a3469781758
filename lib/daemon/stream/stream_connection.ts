// SPDX-License-Identifier: MIT
/** One connection of a stream to its frontend: a slot at the engine, and everything of the guest's that is mapped or bound for it. */
import type { Logger } from "@logtape/logtape";
import type { EngineCommand } from "../../bridge/messages.ts";
import type { StatusRow } from "../../bridge/stream_status.ts";
import type { TraceRing } from "../../bridge/trace_ring.ts";
import type { Mapping } from "../../xen/ports.ts";
import type { EngineClient, SlotEvent } from "../engines/engine_client.ts";
import type { Seat } from "../engines/engines.ts";
import { FrontendLink, type LinkServices } from "../link/frontend_link.ts";
import type { StreamTransport } from "../link/published.ts";
import { XrunLog } from "./xrun_log.ts";

/** What the engine is told of a stream that it is to serve, besides the link. */
export type ConnectionTerms = Omit<
  EngineCommand & { op: "attach" },
  "op" | "slot" | "domid" | "ring" | "eventPage" | "requestPort" | "eventPort" | "trace"
>;

export class StreamConnection {
  #buffer: Mapping | undefined;
  #xrunLog: XrunLog | undefined;
  /** The engine writes to its memory until it has let go: the reference keeps the memory in place. */
  #trace: TraceRing | undefined;

  private constructor(
    private readonly domid: number,
    readonly engine: EngineClient,
    readonly slot: number,
    private readonly link: FrontendLink,
  ) {}

  /**
   * Maps ring and event page, binds both channels and takes a slot, whose events go to `handle`. Throws GrantError,
   * EventChannelError, LimitError or RangeError, with nothing left mapped or bound.
   */
  static open(
    domid: number,
    transport: StreamTransport,
    { engine, channels }: Seat,
    services: LinkServices,
    handle: (event: SlotEvent, connection: StreamConnection) => void,
  ): StreamConnection {
    using stack = new DisposableStack();
    const link = stack.use(FrontendLink.open(domid, transport, services, channels));
    const slot = engine.takeSlot((event) => handle(event, connection));
    if (slot === undefined) throw new RangeError("the daemon serves as many streams as it can");
    const connection = new StreamConnection(domid, engine, slot, link);
    stack.move();
    return connection;
  }

  /** Hands the stream to the engine. */
  begin(terms: ConnectionTerms, trace: TraceRing): void {
    const { link: { ring, eventPage, requestPort, eventPort }, domid, slot } = this;
    this.#trace = trace;
    this.engine.post({
      op: "attach",
      slot,
      domid,
      ring: String(ring.address),
      eventPage: String(eventPage.address),
      requestPort,
      eventPort,
      trace: trace.address,
      ...terms,
    });
  }

  /** The stream's numbers, until the engine has let go. */
  get row(): StatusRow {
    return this.engine.status(this.slot);
  }

  /** The guest has opened the stream with `buffer`. */
  setBuffer(buffer: Mapping): void {
    this.#buffer = buffer;
  }

  /** To be called when the engine uses the buffer no more. */
  unmapBuffer(): void {
    this.#buffer?.[Symbol.dispose]();
    this.#buffer = undefined;
  }

  /** Logs xruns until {@link endXrunLog}, and calls `told` then. */
  logXruns(log: Logger, type: "playback" | "capture", told: () => void): void {
    this.#xrunLog = new XrunLog(log, this.row, type, told);
  }

  /** To be called when the engine has closed the stream, before the row is cleared. */
  endXrunLog(): void {
    this.#xrunLog?.[Symbol.dispose]();
    this.#xrunLog = undefined;
  }

  /** Unmaps and unbinds everything. To be called when the engine has let go. */
  release(): void {
    this.link[Symbol.dispose]();
    this.unmapBuffer();
  }
}
