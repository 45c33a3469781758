// SPDX-License-Identifier: MIT
/** Records a trace: writes each part as the daemon sends it, so that a file that is cut short can still be read. */
import type { ControlClient } from "./control_client.ts";
import type { TraceChunk } from "./protocol.ts";
import { Exit, XsndError } from "../base/error.ts";
import { unlessAborted } from "../base/signals.ts";
import { ResponseView, XENSND_OP_CLOSE } from "../sndif/mod.ts";
import { viewPacket } from "../trace/packets.ts";
import {
  decodeRecords,
  encodeHead,
  encodeRecords,
  endRecord,
  isPacket,
  RecordKind,
  type TraceHead,
  type TraceRecord,
} from "../trace/trace_format.ts";
import { Summarizer, type Summary } from "../trace/summary.ts";
import { Judge, type Verdict } from "../trace/verdict.ts";

export interface RecorderOptions {
  readonly stream: string;
  /** How long the daemon may take to serve the stream. */
  readonly waitMs: number;
  /** Whether the trace ends when the guest closes the stream, or disconnects. */
  readonly untilClosed: boolean;
  readonly seconds?: number;
  /** What the flight recorder has of the last seconds, instead of what comes. */
  readonly lastSeconds?: number;
}

/** What was recorded. */
export interface Recorded {
  readonly summary: Summary;
  readonly verdict: Verdict;
}

/**
 * Records until `signal` is aborted or until `options` say. Calls `open` when the first octets are there; it returns what writes
 * them. Throws {@link XsndError}; exit 130 if `signal` is aborted before.
 */
export async function record(
  daemon: ControlClient,
  open: (head: TraceHead) => (octets: Uint8Array) => void,
  options: RecorderOptions,
  signal: AbortSignal,
): Promise<Recorded> {
  const { stream, waitMs, lastSeconds } = options;
  const parts = daemon.parts({ command: "trace", stream, waitMs, lastSeconds });
  const head = await unlessAborted(parts.next(), signal);
  if (head.done) throw new XsndError("the daemon hung up without an answer; see its log", Exit.noDaemon);
  const { type } = head.value as TraceHead;
  const write = open(head.value as TraceHead);
  write(encodeHead(head.value as TraceHead));
  const enough = () => void daemon.enough();
  signal.addEventListener("abort", enough);
  if (signal.aborted) enough();
  const timer = options.seconds === undefined ? undefined : setTimeout(enough, options.seconds * 1000);
  const [summarizer, judge] = [new Summarizer(), new Judge(type)];
  const add = (record: TraceRecord) => {
    summarizer.add(record);
    judge.add(record);
  };
  try {
    let last: TraceRecord | undefined;
    for await (const part of parts) {
      const octets = Uint8Array.fromBase64((part as TraceChunk).records);
      write(octets);
      const { records } = decodeRecords(octets);
      for (const record of records) add(last = record);
      if (last?.kind === RecordKind.end) break;
      if (options.untilClosed && records.some(isStreamsEnd)) enough();
    }
    if (last?.kind !== RecordKind.end) {
      const end = endRecord(last?.time ?? 0, "the daemon hung up");
      write(encodeRecords([end]));
      add(end);
    }
    return { summary: summarizer.summary(), verdict: judge.verdict() };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", enough);
  }
}

/** Whether the guest has closed the stream, or has disconnected. */
function isStreamsEnd(record: TraceRecord): boolean {
  if (record.kind === RecordKind.disconnected) return true;
  if (record.kind !== RecordKind.response || !isPacket(record)) return false;
  return viewPacket(new ResponseView(), record).operation === XENSND_OP_CLOSE;
}
