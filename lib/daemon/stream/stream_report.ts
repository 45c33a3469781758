// SPDX-License-Identifier: MIT
/** What `status` and the metrics say of a stream. */
import type { StreamReport } from "../../control/protocol.ts";
import { formatByCode } from "../../sndif/mod.ts";
import type { StatusSnapshot } from "../../bridge/stream_status.ts";
import type { StreamControl } from "./stream_control.ts";

/** What the daemon tells of a stream. */
export function reportStream(stream: StreamControl): StreamReport {
  const { type, device, denied = false, uniqueId } = stream.policy;
  const { volume, muted } = stream.settings;
  const { mutedUntil } = stream.operator;
  const names = {
    stream: stream.name,
    domid: stream.domid,
    type,
    device,
    denied,
    uniqueId,
    recording: stream.counters.isRecording,
  };
  const snapshot = stream.counters.snapshot();
  const { rate = 0, format = 0 }: Partial<StatusSnapshot> = snapshot;
  return {
    ...names,
    volume: volume / 1000,
    muted,
    ...(mutedUntil !== undefined && { mutedUntil }),
    ...stream.engineUse,
    ...snapshot,
    // Until the guest's first OPEN the row is all zeros, and would read as s8.
    format: rate === 0 ? undefined : formatByCode(format)?.name,
  };
}
