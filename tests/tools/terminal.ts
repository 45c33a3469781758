// SPDX-License-Identifier: MIT
/** Captures a terminal's screen: a command runs in a pseudo-terminal, and xterm.js interprets its output. */
import xterm from "@xterm/headless";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** A stretch of a line whose characters have the same colours and style. */
export interface Run {
  readonly column: number;
  readonly columns: number;
  readonly text: string;
  readonly foreground: Colour;
  readonly background: Colour;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly underline: boolean;
}

/** A number of the terminal's palette of 256, its default, or `#rrggbb`. */
export type Colour = number | "default" | string;

export interface CaptureOptions extends Size {
  /** The command line that the picture shows. */
  readonly typed: string;
  /** The script that sh runs. */
  readonly run: string;
  /** For a command that does not end by itself: when to capture the screen. */
  readonly afterSeconds?: number;
}

/** Runs a command in a pseudo-terminal. Returns the lines on the screen at the command's end, or after `afterSeconds`. */
export async function capture({ columns, rows, typed, run, afterSeconds }: CaptureOptions): Promise<Run[][]> {
  const screen = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true });
  const show = (data: string | Uint8Array) => new Promise<void>((resolve) => screen.write(data, resolve));
  await show(`\x1b[1;32m$\x1b[0m ${typed}\r\n`);
  // script(1) makes the pseudo-terminal. It has no size at first.
  const child = new Deno.Command("script", {
    args: ["-qec", `stty cols ${columns} rows ${rows}; ${run}`, "/dev/null"],
    env: { TERM: "xterm-256color" },
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const ended = (async () => {
    for await (const octets of child.stdout) await show(octets);
    return "ended" as const;
  })();
  const time = Promise.withResolvers<"time">();
  const timer = afterSeconds === undefined
    ? undefined
    : setTimeout(() => time.resolve("time"), afterSeconds * 1000);
  await Promise.race([ended, time.promise]);
  clearTimeout(timer);
  const lines = linesOf(screen);
  if (afterSeconds !== undefined) child.kill("SIGTERM");
  await ended;
  const { success } = await child.status;
  if (!success && afterSeconds === undefined) throw new Error(`${run} failed:\n${textOf(lines)}`);
  screen.dispose();
  return lines;
}

function textOf(lines: readonly Run[][]): string {
  return lines.map((runs) => runs.map(({ text }) => text).join("")).join("\n");
}

type Terminal = InstanceType<typeof xterm.Terminal>;
type Cell = NonNullable<
  ReturnType<NonNullable<ReturnType<Terminal["buffer"]["active"]["getLine"]>>["getCell"]>
>;

/** The lines on the screen, without empty lines at the end. */
function linesOf({ buffer: { active }, rows, cols }: Terminal): Run[][] {
  const lines = Array.from({ length: rows }, (_, row) => {
    const line = active.getLine(active.viewportY + row);
    const cells = Array.from({ length: cols }, (_, column) => line?.getCell(column));
    return runsOf(cells);
  });
  return lines.slice(0, lines.findLastIndex((runs) => runs.length > 0) + 1);
}

function runsOf(cells: readonly (Cell | undefined)[]): Run[] {
  const runs: Run[] = [];
  for (const [column, cell] of cells.entries()) {
    if (cell === undefined || cell.getWidth() === 0) continue; // the right half of a wide character
    const look = lookOf(cell);
    const last = runs.at(-1);
    const text = cell.getChars() || " ";
    if (last !== undefined && last.column + last.columns === column && sameLook(last, look)) {
      runs[runs.length - 1] = { ...last, text: last.text + text, columns: last.columns + cell.getWidth() };
    } else runs.push({ column, columns: cell.getWidth(), text, ...look });
  }
  return runs.filter(({ text, background }) => text.trim() !== "" || background !== "default");
}

type Look = Omit<Run, "column" | "columns" | "text">;

function lookOf(cell: Cell): Look {
  const foreground = colour(cell.isFgDefault(), cell.isFgRGB(), cell.getFgColor());
  const background = colour(cell.isBgDefault(), cell.isBgRGB(), cell.getBgColor());
  const inverse = cell.isInverse() !== 0;
  return {
    foreground: inverse ? (background === "default" ? "background" : background) : foreground,
    background: inverse ? (foreground === "default" ? "foreground" : foreground) : background,
    bold: cell.isBold() !== 0,
    dim: cell.isDim() !== 0,
    underline: cell.isUnderline() !== 0,
  };
}

function colour(isDefault: boolean, isRgb: boolean, value: number): Colour {
  return isDefault ? "default" : isRgb ? `#${value.toString(16).padStart(6, "0")}` : value;
}

function sameLook(a: Look, b: Look): boolean {
  return a.foreground === b.foreground && a.background === b.background && a.bold === b.bold &&
    a.dim === b.dim &&
    a.underline === b.underline;
}
