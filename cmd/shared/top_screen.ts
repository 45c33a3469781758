// SPDX-License-Identifier: MIT
/** `xsnd top` on a terminal: draws the list, and does what keys ask for. */
import { ControlClient } from "../../lib/control/control_client.ts";
import type { ControlRequest, StreamReport } from "../../lib/control/protocol.ts";
import type { Screen } from "../../lib/observe/screen.ts";
import { TopList } from "../../lib/observe/top_list.ts";
import { TOP_COLUMNS, type TopView } from "../../lib/observe/top_view.ts";
import { printable } from "./output.ts";
import { streamLines } from "./stream_table.ts";

/** How long the daemon may take for what a key asks for. */
const ACTION_MS = 500;
/** The volume that a key adds or takes away, in dB, and its bounds. */
const [STEP, SOFTEST, LOUDEST] = [1, -120, 12];

const HELP = [
  "up, down, page-up, page-down, home, end   select a stream",
  "m       mute it, or end the mute",
  "p       pause it, or let it go on",
  "+ -     its volume, in steps of 1 dB",
  "s       sort by name, CPU%, XRUNS, LAT",
  "/       show only streams whose name or device has a text; Esc shows all",
  "?       this help; any key ends it",
  "q       end top",
];
/** What the last line says of the keys, as far as the line has room, the most useful ones first. */
const HINTS = ["? help", "q quit", "s sort", "/ filter", "m mute", "p pause", "+ - volume"];

/** What a key has the daemon do about a stream. */
function requestFor(key: string, { stream, hold, muted, volume }: StreamReport): ControlRequest | undefined {
  const to = { stream, waitMs: ACTION_MS };
  const set = (volume: number) =>
    ({ ...to, command: "volume", volume: Math.min(Math.max(volume, SOFTEST), LOUDEST) }) as const;
  switch (key) {
    case "m":
      return { ...to, command: "volume", muted: !muted };
    case "p":
      return { ...to, command: "trigger", trigger: hold === "none" ? "pause" : "resume" };
    case "+":
      return set(volume + STEP);
    case "-":
      return set(volume - STEP);
  }
}

export class TopScreen {
  readonly #list = new TopList();
  #view: TopView | undefined;
  /** What the last line says in the place of the hint. */
  #message = "";
  #showsHelp = false;
  #edits = false;

  constructor(private readonly screen: Screen) {}

  /** Shows a view for `ms`, or until `signal` is aborted. Returns whether the user goes on. */
  async show(view: TopView, ms: number, signal: AbortSignal): Promise<boolean> {
    this.#view = view;
    this.#list.show(view.streams);
    const end = performance.now() + ms;
    for (;;) {
      this.#draw();
      const key = await this.screen.pause(end - performance.now(), signal);
      if (key === "") return true;
      if (key === "resize") continue;
      this.#message = "";
      if (this.#showsHelp) this.#showsHelp = false;
      else if (this.#edits) this.#edit(key);
      else if (key === "q") return false;
      else if (await this.#act(key)) return true;
    }
  }

  /** Does what `key` asks for. Returns whether the view is out of date now. */
  async #act(key: string): Promise<boolean> {
    const list = this.#list;
    const rows = this.#rows;
    const moves: Readonly<Record<string, number>> = {
      up: -1,
      down: 1,
      "page-up": -rows,
      "page-down": rows,
      home: -Infinity,
      end: Infinity,
    };
    if (key in moves) list.move(moves[key]!);
    else if (key === "s") list.sortByNext();
    else if (key === "/") this.#edits = true;
    else if (key === "?") this.#showsHelp = true;
    else if (key === "escape") list.filter = "";
    else {
      const report = list.selected?.report;
      const request = report && requestFor(key, report);
      if (request === undefined) return false;
      await this.#ask(request);
      return true;
    }
    return false;
  }

  async #ask(request: ControlRequest): Promise<void> {
    try {
      using client = await ControlClient.connect(ACTION_MS);
      await client.call(request);
    } catch (error) {
      this.#message = (error as Error).message;
    }
  }

  /** A key while the user types a filter. */
  #edit(key: string): void {
    const list = this.#list;
    if (key === "enter") this.#edits = false;
    else if (key === "escape") {
      this.#edits = false;
      list.filter = "";
    } else if (key === "backspace") list.filter = [...list.filter].slice(0, -1).join("");
    else if ([...key].length === 1) list.filter += key;
  }

  /** Lines that the streams have on the screen: all but those of the header, an empty one, the titles and the last one. */
  get #rows(): number {
    return Math.max(1, this.screen.size.rows - this.#view!.header.length - 3);
  }

  #draw(): void {
    const { header } = this.#view!;
    const { columns, rows } = this.screen.size;
    const top = [...header.map(printable), ""];
    if (this.#showsHelp) return this.screen.draw([...top, ...HELP].slice(0, rows));
    const page = this.#list.page(this.#rows);
    const table = streamLines(page.streams, TOP_COLUMNS, { gap: 1, width: columns });
    const lines = [...top, ...table];
    while (lines.length < rows - 1) lines.push("");
    lines.push(this.#lastLine(page.above, page.below));
    const selected = page.selected < 0 ? -1 : top.length + 1 + page.selected;
    this.screen.draw(lines, top.length, selected);
  }

  /** What a user types, or what went wrong; otherwise what is not on the screen, and the keys. */
  #lastLine(above: number, below: number): string {
    const { sort, filter } = this.#list;
    if (this.#edits) return printable(`/${filter}_`);
    if (this.#message !== "") return printable(this.#message);
    const parts = [
      above > 0 ? `${above} more above` : "",
      below > 0 ? `${below} more below` : "",
      sort === "name" ? "" : `by ${sort}`,
      filter === "" ? "" : printable(`/${filter}`),
    ].filter((part) => part !== "");
    let line = parts.join("  ");
    for (const hint of HINTS) {
      const longer = line === "" ? hint : `${line}  ${hint}`;
      if ([...longer].length > this.screen.size.columns) break;
      line = longer;
    }
    return line;
  }
}
