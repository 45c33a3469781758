// SPDX-License-Identifier: MIT
/** What `status` and the metrics say of a stream. */
import type { StreamReport } from "../../control/protocol.ts";
import type { StreamHost } from "./stream_control.ts";

/** What the daemon tells of a stream. */
export function reportStream(stream: StreamHost): StreamReport {
  const { type, device, denied = false, uniqueId } = stream.policy;
  const { volume, muted } = stream.settings;
  const names = {
    stream: stream.name,
    domid: stream.domid,
    type,
    device,
    denied,
    uniqueId,
    recording: stream.isRecording,
  };
  return { ...names, volume: volume / 1000, muted, ...stream.engineUse, ...stream.snapshot() };
}
