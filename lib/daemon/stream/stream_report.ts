// SPDX-License-Identifier: MIT
/** What `status` and the metrics say of a stream. */
import type { StreamReport } from "../../control/protocol.ts";
import { formatByCode } from "../../sndif/mod.ts";
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
  const snapshot = stream.snapshot();
  return {
    ...names,
    volume: volume / 1000,
    muted,
    ...stream.engineUse,
    ...snapshot,
    format: formatOf(snapshot),
  };
}

/** The sample format by its name in sndif.h; undefined until the guest's first OPEN, when a row has no rate. */
function formatOf(snapshot: { readonly rate?: number; readonly format?: number }): string | undefined {
  const { rate = 0, format } = snapshot;
  return rate === 0 || format === undefined ? undefined : formatByCode(format)?.name;
}
