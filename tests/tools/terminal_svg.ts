// SPDX-License-Identifier: MIT
/** Draws a terminal's screen as SVG: a window with a dark screen, which is legible on light and dark pages. */
import type { Colour, Run } from "./terminal.ts";

const CELL = { width: 8.4, height: 18 };
const MARGIN = 16;
const TITLE_HEIGHT = 34;
const FONT_SIZE = 14;
/** The baseline's distance from the top of a line. */
const BASELINE = 13.5;

const THEME = {
  background: "#16181d",
  frame: "#23262e",
  border: "#4b5160",
  foreground: "#d8dce4",
  title: "#9aa2b1",
};

/** The first 16 colours of a terminal, for this background. */
// deno-fmt-ignore
const PALETTE = [
  "#3b4048", "#e8707c", "#8fcf7d", "#e5c07b", "#6cb2f2", "#cf8ee0", "#5fc4cf", "#c5cad3",
  "#6b7280", "#ff8b95", "#a9e297", "#f2d28f", "#8ac6ff", "#e0a8ee", "#7fdce6", "#ffffff",
];

export function terminalSvg(
  lines: readonly (readonly Run[])[],
  { title, columns }: { title: string; columns: number },
): string {
  const width = Math.ceil(columns * CELL.width + 2 * MARGIN);
  const height = Math.ceil(TITLE_HEIGHT + lines.length * CELL.height + 1.5 * MARGIN);
  const body = lines.flatMap((runs, row) =>
    runs.map((run) => drawRun(run, TITLE_HEIGHT + MARGIN / 2 + row * CELL.height))
  );
  return `${
    [
      `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"` +
      ` xml:space="preserve"` +
      ` role="img" aria-label="${escaped(title)}">`,
      "<style>",
      `text { font: ${FONT_SIZE}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;` +
      ` white-space: pre }`,
      ".bold { font-weight: bold }",
      "</style>",
      `<rect x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="9" fill="${THEME.background}"` +
      ` stroke="${THEME.border}"/>`,
      `<path d="M1 ${TITLE_HEIGHT}V9a8 8 0 0 1 8-8H${
        width - 9
      }a8 8 0 0 1 8 8V${TITLE_HEIGHT}z" fill="${THEME.frame}"/>`,
      ...["#e8707c", "#e5c07b", "#8fcf7d"].map((fill, i) =>
        `<circle cx="${20 + 20 * i}" cy="17" r="6" fill="${fill}"/>`
      ),
      `<text x="${width / 2}" y="22" text-anchor="middle" fill="${THEME.title}">${escaped(title)}</text>`,
      ...body,
      "</svg>",
    ].join("\n")
  }\n`;
}

/** Draws a run. The text is stretched to its cells, so that columns line up in any font. */
function drawRun(run: Run, top: number): string {
  const { text, background, bold, dim, underline } = run;
  const x = (column: number) => round(MARGIN + column * CELL.width);
  const box = background === "default"
    ? ""
    : `<rect x="${x(run.column)}" y="${round(top)}" width="${
      round(run.columns * CELL.width)
    }" height="${CELL.height}" fill="${colour(background)}"/>`;
  const shown = text.trim();
  if (shown === "") return box;
  const before = text.length - text.trimStart().length;
  const columns = run.columns - (text.length - shown.length);
  const attributes = [
    `x="${x(run.column + before)}"`,
    `y="${round(top + BASELINE)}"`,
    `textLength="${round(columns * CELL.width)}"`,
    'lengthAdjust="spacingAndGlyphs"',
    `fill="${colour(run.foreground)}"`,
    ...(bold ? ['class="bold"'] : []),
    ...(dim ? ['opacity=".6"'] : []),
    ...(underline ? ['text-decoration="underline"'] : []),
  ];
  return `${box}<text ${attributes.join(" ")}>${escaped(shown)}</text>`;
}

function colour(colour: Colour): string {
  if (typeof colour === "number") return colour < 16 ? PALETTE[colour]! : extended(colour);
  if (colour === "default" || colour === "foreground") return THEME.foreground;
  return colour === "background" ? THEME.background : colour;
}

/** A colour of xterm's palette above the first 16: a cube with 6 levels a side, then a ramp of greys. */
function extended(number: number): string {
  const hex = (level: number) => level.toString(16).padStart(2, "0");
  if (number >= 232) return `#${hex(8 + 10 * (number - 232)).repeat(3)}`;
  const level = (index: number) => hex(index === 0 ? 0 : 55 + 40 * index);
  const cube = number - 16;
  return `#${level(Math.floor(cube / 36))}${level(Math.floor(cube / 6) % 6)}${level(cube % 6)}`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
