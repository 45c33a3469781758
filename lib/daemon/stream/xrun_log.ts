// SPDX-License-Identifier: MIT
/**
 * Logs a stream's xruns. The engine only counts xruns in the stream's row, as a guest can cause as many as it likes. This looks at
 * the row once a second while the stream is open, and once when the stream is closed, and tells of each xrun when it has ended.
 */
import type { Logger } from "@logtape/logtape";
import type { StatusRow } from "../../bridge/stream_status.ts";

const LOOK_MS = 1000;

export class XrunLog implements Disposable {
  readonly #timer = setInterval(() => this.#look(), LOOK_MS);
  #counted;

  constructor(
    private readonly log: Logger,
    private readonly row: StatusRow,
    private readonly type: "playback" | "capture",
    private readonly told: () => void,
  ) {
    Deno.unrefTimer(this.#timer);
    this.#counted = this.#counts();
  }

  #counts() {
    const { row } = this;
    return { all: row.get("xruns"), host: row.get("hostXruns"), seconds: row.get("xrunSeconds") };
  }

  #look(): void {
    if (this.row.get("xrunIsOn") === 1) return;
    const [before, now] = [this.#counted, this.#counts()];
    this.#counted = now;
    const [all, host] = [now.all - before.all, now.host - before.host];
    if (all <= 0) return;
    this.told();
    this.log.warn("{what}: {ms} ms of {lost} {where} frame {frame}", {
      what: describe(this.type === "playback" ? "underrun" : "overrun", all, host),
      ms: Math.round((now.seconds - before.seconds) * 1000),
      lost: this.type === "playback" ? "silence" : "sound lost",
      where: all === 1 ? "from" : "in all, the last from",
      frame: this.row.get("xrunFrame"),
    });
  }

  /** Looks for the last time. To be called when the engine has closed the stream, before the row is cleared. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#look();
  }
}

function describe(noun: string, all: number, host: number): string {
  if (all === 1) return `${noun} of ${host === 1 ? "this host" : "its guest"}`;
  return `${all} ${noun}s, ${all - host} of its guest and ${host} of this host`;
}
