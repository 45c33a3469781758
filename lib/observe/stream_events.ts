// SPDX-License-Identifier: MIT
/** What has happened to streams between two looks, in sentences for people. */
import type { StreamReport } from "../control/protocol.ts";
import { nameByNumber } from "../stream/stream_name.ts";
import { muteText } from "./stream_columns.ts";

/** Something that has happened to a stream. */
export interface StreamEvent {
  readonly stream: string;
  readonly text: string;
}

/** The events between two looks, stream by stream; `before` is undefined at the first look, which tells all streams. */
export function eventsBetween(
  before: readonly StreamReport[] | undefined,
  now: readonly StreamReport[],
): StreamEvent[] {
  // A domain's name may change, and its number does not.
  const former = new Map(before?.map((report) => [nameByNumber(report), report]));
  const events: StreamEvent[] = [];
  for (const report of now) {
    const was = former.get(nameByNumber(report));
    const texts = was === undefined ? [appeared(report)] : changes(was, report);
    events.push(...texts.map((text) => ({ stream: report.stream, text })));
    former.delete(nameByNumber(report));
  }
  for (const { stream } of former.values()) events.push({ stream, text: "is served no more" });
  return events;
}

function appeared({ type, device, state, denied, hold, muted }: StreamReport): string {
  const notes = [
    denied ? "denied" : "",
    hold === "none" ? "" : `${hold} by an operator`,
    muted ? "muted" : "",
  ].filter((note) => note !== "");
  return [`is served, ${type} on ${device}: ${state}`, ...notes].join(", ");
}

function changes(was: StreamReport, now: StreamReport): string[] {
  const texts: string[] = [];
  if (was.stream !== now.stream) texts.push(`was called ${was.stream}, its domain has another name`);
  if (was.denied !== now.denied) texts.push(now.denied ? "is denied: silence" : "is denied no more");
  if (was.device !== now.device) texts.push(`its device is ${now.device} from now on`);
  if (was.state !== now.state) texts.push(stateText(was, now));
  if (was.recording !== now.recording) {
    texts.push(now.recording ? `its guest records ${now.device}` : "its guest records no more");
  }
  if (was.hold !== now.hold) {
    texts.push(now.hold === "none" ? "an operator lets it go on" : `is ${now.hold} by an operator`);
  }
  if (was.muted !== now.muted || was.mutedUntil !== now.mutedUntil) {
    texts.push(now.muted ? `is ${muteText(now.mutedUntil)}` : "is muted no more");
  }
  if (was.volume !== now.volume) texts.push(`its volume is ${now.volume} dB`);
  if (now.cardLost !== undefined) {
    const before = deviceText(was), after = deviceText(now);
    if (before !== after) texts.push(`${now.device} ${after}`);
  }
  const xruns = now.xruns - was.xruns;
  if (xruns > 0) texts.push(xrunText(xruns, now.hostXruns - was.hostXruns, now.type));
  if (now.protocolErrors > was.protocolErrors) {
    texts.push("its guest breaks the protocol, or asks for what cannot be");
  }
  return texts;
}

function deviceText({ cardLost, cardStalled }: StreamReport): string {
  if (cardStalled) return "stands still: silence";
  return cardLost ? "is lost or busy: silence" : "is there again";
}

function stateText(
  was: StreamReport,
  { state, rate, format, channels, bufferFrames, periodFrames }: StreamReport,
): string {
  switch (state) {
    case "detached":
      return "its guest has disconnected";
    case "closed":
      return was.state === "detached" ? "its guest has connected" : "is closed";
    case "opening":
      return "is being opened";
    case "prepared":
      if (was.state === "running" || was.state === "paused") return "is stopped";
      return `is opened: ${rate} Hz, ${format}, ${channels} channels, buffer ${bufferFrames}, period ${periodFrames} frames`;
    case "running":
      return "runs";
    case "paused":
      return "is paused by its guest";
  }
}

function xrunText(xruns: number, hosts: number, type: StreamReport["type"]): string {
  const kind = type === "playback" ? "underrun" : "overrun";
  const doing = hosts === 0
    ? "its guest"
    : hosts === xruns
    ? "this host"
    : `its guest, ${hosts} by this host`;
  return `${xruns} ${kind}${xruns === 1 ? "" : "s"} by ${doing}`;
}
