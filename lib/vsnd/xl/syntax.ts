// SPDX-License-Identifier: MIT
/**
 * A parser for xl's configuration files by the grammar of libxlutil (libxlu_cfg_l.l, libxlu_cfg_y.y): assignments of strings,
 * numbers and lists. The syntax resembles Python's, without negative numbers, names as values and juxtaposed strings.
 */
import { brief } from "../../base/text.ts";
import type { LocatedFinding } from "../model/finding.ts";

/** A string or a number as written; libxlutil does not distinguish them. */
export interface XlText {
  readonly kind: "text";
  readonly text: string;
  /** The offset of the value in the file. */
  readonly offset: number;
  /** The offset in the file of each character of {@link text}. */
  readonly offsets: readonly number[];
  /** The comment that follows on the same line, if any; a comma may stand before it. */
  comment?: string;
}

export interface XlList {
  readonly kind: "list";
  readonly items: XlValue[];
  readonly offset: number;
}

export type XlValue = XlText | XlList;

/** An assignment that a later one of the same name replaces, with the offsets of both. */
export interface XlReplaced {
  readonly name: string;
  readonly offset: number;
  readonly byOffset: number;
}

export interface XlFile {
  /** By name. The last of several assignments counts; `+=` adds to the value before. */
  readonly settings: ReadonlyMap<string, XlValue>;
  readonly replaced: readonly XlReplaced[];
  /** Comments outside of lists. */
  readonly comments: readonly string[];
}

/** A text is not in xl's syntax; `offset` is the place of the error, `instead` the advice. */
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

/** Whether a text looks like an xl configuration: its first line besides comments is an assignment. */
export function looksLikeXl(text: string): boolean {
  return /^\ufeff?(?:[ \t;]*(?:#.*)?\r?\n)*[ \t;]*[A-Za-z_][\w.]*[ \t]*\+?=/.test(text);
}

/** Parses an xl configuration. Throws {@link XlSyntaxError}. */
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
/** The most tokens, enough for any guest. The bound matters because each `+=` copies all values before. */
const MAX_TOKENS = 32_768;

class Parser {
  readonly #settings = new Map<string, XlValue>();
  /** By name, the offset of the assignment that made the present value, or the value that `+=` adds to. */
  readonly #begun = new Map<string, number>();
  readonly #replaced: XlReplaced[] = [];
  readonly #comments: string[] = [];
  #at = 0;
  #token: Token;
  #depth = 0;
  #tokens = 0;
  /** The last text of a list on this line, which a comment on the line is about. */
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
        "put vsnd into a file of its own",
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
        "a carriage return, which xl does not take",
        offset,
        "end lines with LF alone, as dos2unix does",
      );
    }
    if (character === '"' || character === "'") {
      throw new XlSyntaxError(`the string is not closed on its line`, offset, `close it with ${character}`);
    }
    throw new XlSyntaxError(
      `${JSON.stringify(character)} has no meaning to xl`,
      offset,
      "remove or quote it",
    );
  }

  #comment(text: string): void {
    // In libxlutil a comment must end with a newline.
    if (this.#at === this.text.length) {
      throw new XlSyntaxError(
        "a comment at the end of the file without a newline, which xl does not take",
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
    "+= cannot add a list to a text, or a text to a list",
    offset,
    "write = instead of +=",
  );
}

/** All escapes that xl knows. xl refuses `\x41` and drops `\101`. */
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
    const escaped = source.charAt(++i);
    const meant = ESCAPES[escaped];
    if (meant === undefined) {
      const what = `xl does not know the escape \\${escaped}, or drops it`;
      throw new XlSyntaxError(what, offset + i - 1, "write the character itself");
    }
    text += meant;
  }
  return { kind: "text", text, offset, offsets };
}
