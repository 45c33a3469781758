// SPDX-License-Identifier: MIT
/** A trace's packets through the codecs of the protocol, and the requests that responses answer. */
import { EventView, type PacketView, RequestView, ResponseView } from "../sndif/mod.ts";
import { isPacket, RecordKind, type TraceRecord } from "./trace_format.ts";

/** Fills `view` with a record's packet, and returns it. */
export function viewPacket<V extends PacketView>(view: V, { body }: TraceRecord): V {
  // A copy is aligned to words.
  view.copyFrom(new Int32Array(body.slice().buffer), 0);
  return view;
}

/** A record with what is known of it. */
export type Decoded =
  | { readonly record: TraceRecord; readonly kind: "request"; readonly request: RequestView }
  | {
    readonly record: TraceRecord;
    readonly kind: "response";
    readonly response: ResponseView;
    /** What it answers; undefined if that came before the trace, or was lost. */
    readonly asked?: { readonly record: TraceRecord; readonly request: RequestView };
  }
  | { readonly record: TraceRecord; readonly kind: "event"; readonly event: EventView }
  | { readonly record: TraceRecord; readonly kind: "other" };

/**
 * Decodes one record after the other.
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
  /** Requests that wait for their response, by id. */
  readonly #asked = new Map<number, { record: TraceRecord; request: RequestView }>();

  /** Decodes the next record of the trace. */
  next(record: TraceRecord): Decoded {
    // What a new connection asks has ids of its own.
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
