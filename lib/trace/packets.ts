// SPDX-License-Identifier: MIT
/** Decodes the packets of a trace, and finds the request of each response. */
import { EventView, type PacketView, RequestView, ResponseView } from "../sndif/mod.ts";
import { isPacket, RecordKind, type TraceRecord } from "./trace_format.ts";

/** Fills `view` with the packet of a record, and returns `view`. */
export function viewPacket<V extends PacketView>(view: V, { body }: TraceRecord): V {
  // The copy is aligned to words.
  view.copyFrom(new Int32Array(body.slice().buffer), 0);
  return view;
}

/** A record, with its packet decoded. */
export type Decoded =
  | { readonly record: TraceRecord; readonly kind: "request"; readonly request: RequestView }
  | {
    readonly record: TraceRecord;
    readonly kind: "response";
    readonly response: ResponseView;
    /** The request; undefined if it came before the trace, or was lost. */
    readonly asked?: { readonly record: TraceRecord; readonly request: RequestView };
  }
  | { readonly record: TraceRecord; readonly kind: "event"; readonly event: EventView }
  | { readonly record: TraceRecord; readonly kind: "other" };

/**
 * Decodes the records of a trace in their order.
 *
 * @example
 * ```ts
 * import { encodeTriggerRequest, PACKET_SIZE, XENSND_OP_TRIGGER_START } from "@xsnd/xsnd/sndif";
 * import { Decoder, RecordKind } from "@xsnd/xsnd/trace";
 * import assert from "node:assert/strict";
 *
 * const body = new Uint8Array(PACKET_SIZE);
 * encodeTriggerRequest(new DataView(body.buffer), 0, 7, XENSND_OP_TRIGGER_START);
 * const record = { kind: RecordKind.request, time: 1500, body };
 * const decoded = new Decoder().next(record);
 * assert(decoded.kind === "request");
 * assert.equal(decoded.request.id, 7);
 * ```
 */
export class Decoder {
  /** Requests without a response so far, by id. */
  readonly #asked = new Map<number, { record: TraceRecord; request: RequestView }>();

  /** Decodes the next record of the trace. */
  next(record: TraceRecord): Decoded {
    // A new connection begins its ids anew.
    if (record.kind === RecordKind.connected) this.#asked.clear();
    if (!isPacket(record)) return { record, kind: "other" };
    if (record.kind === RecordKind.event) {
      return { record, kind: "event", event: viewPacket(new EventView(), record) };
    }
    if (record.kind === RecordKind.request) {
      const request = viewPacket(new RequestView(), record);
      this.#asked.set(request.id, { record, request });
      return { record, kind: "request", request };
    }
    const response = viewPacket(new ResponseView(), record);
    const asked = this.#asked.get(response.id);
    this.#asked.delete(response.id);
    return { record, kind: "response", response, asked };
  }
}
