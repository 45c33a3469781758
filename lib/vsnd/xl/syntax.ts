// SPDX-License-Identifier: MIT
/**
 * The syntax of xl's configuration files, as libxlutil has it (libxlu_cfg_l.l, libxlu_cfg_y.y): assignments of strings,
 * numbers and lists. It looks like Python and is not: no negative numbers, no names as values, no juxtaposed strings.
 */
import { brief } from "../../base/text.ts";
import type { LocatedFinding } from "../model/finding.ts";

/** A string or a number as it is written; libxlutil makes no difference. */
export interface XlText {
  readonly kind: "text";
  readonly text: string;
  /** Where the value begins in the file. */
  readonly offset: number;
  /** Where each character of {@link text} comes from. */
  readonly offsets: readonly number[];
  /** What the comment says that follows on the same line, after a comma if need be. */
  comment?: string;
}

export interface XlList {
  readonly kind: "list";
  readonly items: XlValue[];
  readonly offset: number;
}

export type XlValue = XlText | XlList;

/** An assignment that a later one of the same name makes void; where the two begin in the file. */
export interface XlReplaced {
  readonly name: string;
  readonly offset: number;
  readonly byOffset: number;
}

export interface XlFile {
  /** By name; of several assignments the last one counts, and `+=` adds to the one before. */
  readonly settings: ReadonlyMap<string, XlValue>;
  readonly replaced: readonly XlReplaced[];
  /** Comments outside of lists. */
  readonly comments: readonly string[];
}

/** Why a text is no such file, and where. */
export class XlSyntaxError extends Error {
  override name = "XlSyntaxError";
  constructor(message: string, readonly offset: number, readonly instead?: string) {
    super(message);
  }
}

/** Line and column of an offset, both from 1. */
export function positionOf(text: string, offset: number): Pick<LocatedFinding, "line" | "column"> {
  const before = text.slice(0, offset);
  return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
}

/** The text without the byte order mark that some editors write. */
export function withoutMark(text: string): string {
  return text.startsWith("\ufeff") ? text.slice(1) : text;
}

/** Whether a text looks like an xl configuration: its first line that says something assigns something. */
export function looksLikeXl(text: string): boolean {
  return /^\ufeff?(?:[ \t;]*(?:#.*)?\r?\n)*[ \t;]*[A-Za-z_][\w.]*[ \t]*\+?=/.test(text);
}

/** Throws {@link XlSyntaxError}. */
export function parseXl(text: string): XlFile {
  return new Parser(text).file();
}

type TokenKind = "ident" | "value" | "newline" | "end" | "," | "[" | "]" | "=" | "+=" | ";";

interface Token {
  readonly kind: TokenKind;
  readonly offset: number;
  readonly text: string;
  readonly value?: XlText;
}

const PATTERNS: readonly (readonly [TokenKind | "space" | "comment", RegExp])[] = [
  ["space", /[ \t]+/y],
  ["comment", /#[^\n]*/y],
  ["newline", /\n/y],
  ["ident", /[a-z][_0-9a-z]*/y],
  ["value", /[0-9][0-9a-fx]*/y],
  ["value", /'(?:[^'\\\n]|\\[^\n])*'/y],
  ["value", /"(?:[^"\\\n]|\\[^\n])*"/y],
  ["+=", /\+=/y],
  ["=", /=/y],
  [",", /,/y],
  ["[", /\[/y],
  ["]", /\]/y],
  [";", /;/y],
];

/** `vsnd` nests three deep. */
const MAX_LISTS_DEEP = 16;
/** Enough for any guest; each `+=` costs as much as all before. */
const MAX_TOKENS = 32_768;

class Parser {
  readonly #settings = new Map<string, XlValue>();
  /** Where the assignment begins that made a name's present value, or what `+=` adds to. */
  readonly #begun = new Map<string, number>();
  readonly #replaced: XlReplaced[] = [];
  readonly #comments: string[] = [];
  #at = 0;
  #token: Token;
  #depth = 0;
  #tokens = 0;
  /** The last text of a list on this line: a comment may be about it. */
  #last: XlText | undefined;

  constructor(private readonly text: string) {
    this.#token = this.#next();
  }

  file(): XlFile {
    for (;;) {
      if (this.#token.kind === "ident") this.#assignment();
      const { kind } = this.#token;
      if (kind === "end") break;
      if (kind !== "newline" && kind !== ";") this.#unexpected("the end of the line");
      this.#advance();
    }
    return { settings: this.#settings, replaced: this.#replaced, comments: this.#comments };
  }

  #assignment(): void {
    const { text: name, offset: byOffset } = this.#advance();
    const adds = this.#token.kind === "+=";
    if (!adds) this.#expect("=", `"=" after ${brief(name, 40)}`);
    else this.#advance();
    const offset = this.#token.offset;
    const value = this.#value();
    const replaced = this.#begun.get(name);
    if (!adds && replaced !== undefined) this.#replaced.push({ name, offset: replaced, byOffset });
    if (!adds || replaced === undefined) this.#begun.set(name, byOffset);
    const before = adds ? this.#settings.get(name) : undefined;
    this.#settings.set(name, before === undefined ? value : sum(before, value, offset));
  }

  #value(): XlValue {
    const { kind, value } = this.#token;
    if (kind === "[") return this.#list();
    if (kind !== "value") return this.#unexpected('a "text", a number or a [list] on the same line');
    this.#advance();
    return value!;
  }

  #list(): XlList {
    const { offset } = this.#token;
    if (++this.#depth > MAX_LISTS_DEEP) {
      throw new XlSyntaxError(
        `lists are nested deeper than ${MAX_LISTS_DEEP} levels`,
        offset,
        "look for brackets that are not closed",
      );
    }
    this.#advance();
    const items: XlValue[] = [];
    this.#skipLines();
    while (this.#token.kind !== "]") {
      const value = this.#value();
      items.push(value);
      this.#skipLines();
      if (this.#token.kind !== ",") break;
      this.#advance();
      this.#skipLines();
    }
    this.#depth--;
    this.#expect("]", `"," or "]" in the list`);
    return { kind: "list", items, offset };
  }

  #skipLines(): void {
    while (this.#token.kind === "newline") this.#advance();
  }

  #expect(kind: TokenKind, what: string): void {
    if (this.#token.kind !== kind) this.#unexpected(what);
    this.#advance();
  }

  #unexpected(wanted: string): never {
    const { kind, text, offset } = this.#token;
    const found = kind === "end"
      ? "the end of the file"
      : kind === "newline"
      ? "the end of the line"
      : brief(text, 40);
    throw new XlSyntaxError(`${found} is not expected here`, offset, `write ${wanted}`);
  }

  #advance(): Token {
    const token = this.#token;
    this.#token = this.#next();
    return token;
  }

  #next(): Token {
    if (++this.#tokens > MAX_TOKENS) {
      throw new XlSyntaxError(
        `the file has more than ${MAX_TOKENS} words and signs`,
        this.#at,
        "put vsnd alone into a file",
      );
    }
    for (;;) {
      const offset = this.#at;
      if (offset === this.text.length) return { kind: "end", offset, text: "" };
      const [kind, text] = this.#match();
      this.#at += text.length;
      if (kind === "space") continue;
      if (kind === "comment") {
        this.#comment(text);
        continue;
      }
      if (kind === "newline") this.#last = undefined;
      if (kind !== "value") return { kind, offset, text };
      const value = valueOf(text, offset);
      if (this.#depth > 0) this.#last = value;
      return { kind, offset, text, value };
    }
  }

  #match(): [TokenKind | "space" | "comment", string] {
    for (const [kind, pattern] of PATTERNS) {
      pattern.lastIndex = this.#at;
      const text = pattern.exec(this.text)?.[0];
      if (text !== undefined) return [kind, text];
    }
    const offset = this.#at;
    const character = String.fromCodePoint(this.text.codePointAt(offset)!);
    if (character === "\r") {
      throw new XlSyntaxError(
        "xl takes no carriage return",
        offset,
        "end lines with LF alone, as dos2unix does",
      );
    }
    if (character === '"' || character === "'") {
      throw new XlSyntaxError(`the string is not closed on its line`, offset, `close it with ${character}`);
    }
    throw new XlSyntaxError(
      `${JSON.stringify(character)} means nothing to xl`,
      offset,
      "leave it out, or quote it",
    );
  }

  #comment(text: string): void {
    // libxlutil's comments end with a newline, and nothing else will do
    if (this.#at === this.text.length) {
      throw new XlSyntaxError(
        "xl takes no comment without an end of its line",
        this.#at - text.length,
        "end the file with a newline",
      );
    }
    const said = text.slice(1).trim();
    if (this.#last !== undefined) this.#last.comment = said;
    else if (this.#depth === 0) this.#comments.push(said);
  }
}

function sum(before: XlValue, added: XlValue, offset: number): XlValue {
  if (before.kind === "list" && added.kind === "list") {
    return { ...before, items: [...before.items, ...added.items] };
  }
  if (before.kind === "text" && added.kind === "text") {
    return { ...added, text: before.text + added.text, offsets: [...before.offsets, ...added.offsets] };
  }
  throw new XlSyntaxError(
    "a list cannot be added to a text, nor a text to a list",
    offset,
    "write = instead of +=",
  );
}

/** xl knows no others: it refuses `\x41` and swallows `\101`. */
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  "\\": "\\",
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

function valueOf(source: string, offset: number): XlText {
  const quoted = source[0] === "'" || source[0] === '"';
  let text = "";
  const offsets: number[] = [];
  for (let i = quoted ? 1 : 0; i < source.length - (quoted ? 1 : 0); i++) {
    offsets.push(offset + i);
    if (source[i] !== "\\") {
      text += source[i];
      continue;
    }
    const meant = ESCAPES[source[++i]];
    if (meant === undefined) {
      const what = `xl does not know \\${source[i]}, or makes nothing of it`;
      throw new XlSyntaxError(what, offset + i - 1, "write the character itself");
    }
    text += meant;
  }
  return { kind: "text", text, offset, offsets };
}
