// SPDX-License-Identifier: MIT
/** Prints a manual page in the man macros of roff, for man(1). */
import { VERSION } from "../../lib/base/version.ts";
import { type Block, type Page, parseReference, type Part, SECTIONS, type Term } from "./page.ts";

/** The page's source. `date` is the day of the release, as `2026-11-24`. */
export function roffOf(page: Page, date: string): string {
  const { name, section, summary, parts } = page;
  return [
    `.TH ${escape(name.toUpperCase())} ${section} ${date} "xsnd ${VERSION}" "${SECTIONS[section]}"`,
    ".SH NAME",
    running(`${name} - ${summary}`),
    ...parts.flatMap((part) => partOf(part, ".SH")),
    "",
  ].join("\n");
}

function partOf({ title, blocks, parts = [] }: Part, macro: ".SH" | ".SS"): string[] {
  return [
    `${macro} ${escape(macro === ".SH" ? title.toUpperCase() : title)}`,
    ...blocksOf(blocks),
    ...parts.flatMap((part) => partOf(part, ".SS")),
  ];
}

/** Blocks below each other; the first needs no macro that begins a paragraph. */
function blocksOf(blocks: readonly Block[]): string[] {
  return blocks.flatMap((block, i) => blockOf(block, i === 0));
}

function blockOf(block: Block, isFirst: boolean): string[] {
  if (typeof block === "string") return [...(isFirst ? [] : [".PP"]), running(block)];
  if ("code" in block) {
    const lines = block.code.trimEnd().split("\n");
    return [
      ...(isFirst ? [] : [".PP"]),
      ".RS 4",
      ".EX",
      ...lines.map((line) => literal(escape(line))),
      ".EE",
      ".RE",
    ];
  }
  if ("terms" in block) return block.terms.flatMap(termOf);
  if ("synopsis" in block) {
    return block.synopsis.flatMap((line, i) => [...(i === 0 ? [] : [".br"]), synopsisOf(line)]);
  }
  return block.references.map((reference, i) => {
    const { name, section } = parseReference(reference);
    return `.BR ${escape(name)} (${section})${i < block.references.length - 1 ? "," : ""}`;
  });
}

function termOf({ term, blocks: [first, ...rest] }: Term): string[] {
  const head = [".TP", bold(term)];
  if (typeof first !== "string") throw new Error(`${term}: its first block is not a paragraph`);
  return [
    ...head,
    running(first),
    ...(rest.length === 0 ? [] : [".RS", ...rest.flatMap((block) => blockOf(block, false)), ".RE"]),
  ];
}

/** The words of the command in bold, what stands for something in italics: `xsnd play [options] <file>`. */
function synopsisOf(line: string): string {
  const words = line.split(" ").map((word) =>
    /^[a-z-]+$/.test(word) ? bold(word) : `\\fI${escape(word)}\\fR`
  );
  return words.join(" ");
}

function bold(words: string): string {
  return `\\fB${escape(words)}\\fR`;
}

/** Running text: a sentence begins a line, and a line has at most 78 octets of text. */
function running(words: string): string {
  const lines: string[] = [];
  for (const sentence of inline(words).split(/(?<=[.;:]) (?=\S)/)) {
    let line = "";
    for (const word of sentence.split(" ")) {
      if (line !== "" && line.length + 1 + word.length > 78) {
        lines.push(line);
        line = "";
      }
      line += line === "" ? word : ` ${word}`;
    }
    lines.push(line);
  }
  return lines.map(literal).join("\n");
}

/** A line that roff does not take for a request. */
function literal(line: string): string {
  return line.replace(/^(?=[.'])/, "\\&");
}

/** Text with what stands between backticks in bold. */
function inline(words: string): string {
  return escape(words).replace(/\\`(.+?)\\`/g, "\\fB$1\\fR");
}

function escape(words: string): string {
  return words.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("`", "\\`").replaceAll("'", "\\(aq")
    .replaceAll("~", "\\(ti").replaceAll("^", "\\(ha").replaceAll('"', "\\(dq");
}
