// SPDX-License-Identifier: MIT
/** Turns a trace into the requests that replay it. */
import type { ReplayStep } from "./replayer.ts";
import {
  encodeOpenRequest,
  encodeTriggerRequest,
  formatByName,
  PACKET_SIZE,
  XENSND_OP_OPEN,
  XENSND_OP_TRIGGER,
  XENSND_OP_TRIGGER_START,
} from "../sndif/mod.ts";
import type { TraceFile, TraceHead } from "../trace/trace_format.ts";
import { Decoder } from "../trace/packets.ts";

/** Larger than any guest's buffer. The replay shares no larger buffer, and its OPEN is refused. */
const MAX_BUFFER_BYTES = 1 << 26;

type Step = { -readonly [K in keyof ReplayStep]: ReplayStep[K] };

/** The requests of a trace, each with its status. A trace that begins with an open stream gets an OPEN in front. */
export function stepsOf({ head, records }: TraceFile): ReplayStep[] {
  const steps: Step[] = [];
  const byRequest = new Map<unknown, Step>();
  const decoder = new Decoder();
  let start: number | undefined;
  for (const record of records) {
    const decoded = decoder.next(record);
    if (decoded.kind === "request") {
      start ??= record.time;
      const { operation, bufferSz } = decoded.request;
      const step = { time: record.time - start, operation, packet: record.body, bufferBytes: 0 };
      if (operation === XENSND_OP_OPEN && bufferSz <= MAX_BUFFER_BYTES) step.bufferBytes = bufferSz;
      byRequest.set(record, step);
      steps.push(step);
    } else if (decoded.kind === "response" && decoded.asked !== undefined) {
      const step = byRequest.get(decoded.asked.record)!;
      step.status = decoded.response.status;
      if (step.status < 0) step.bufferBytes = 0;
    }
  }
  return [...prelude(head), ...steps];
}

/** The requests that bring a closed stream to the state in which the trace begins. */
function prelude({ parameters, state }: TraceHead): ReplayStep[] {
  if (parameters === undefined) return [];
  const format = formatByName(parameters.format);
  if (format === undefined) return [];
  const frameBytes = (format.octets ?? 0) * parameters.channels;
  const bufferBytes = Math.min(MAX_BUFFER_BYTES, parameters.bufferFrames * frameBytes);
  const open = packet((view) =>
    encodeOpenRequest(view, 0, 0, {
      pcmRate: parameters.rate,
      pcmFormat: format.code,
      pcmChannels: parameters.channels,
      bufferSz: bufferBytes,
      grefDirectory: 0,
      periodSz: parameters.periodFrames * frameBytes,
    })
  );
  const start = packet((view) => encodeTriggerRequest(view, 0, 0, XENSND_OP_TRIGGER_START));
  const steps = [{ time: 0, operation: XENSND_OP_OPEN, packet: open, bufferBytes, status: 0 }];
  if (state === "prepared") return steps;
  return [...steps, { time: 0, operation: XENSND_OP_TRIGGER, packet: start, bufferBytes: 0, status: 0 }];
}

function packet(encode: (view: DataView) => void): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(PACKET_SIZE);
  encode(new DataView(octets.buffer));
  return octets;
}
