// SPDX-License-Identifier: MIT
/** One text of a card's list: `STREAM, unique-id=mic, type=c, sample-rates=8000;16000`. */
import type { DocumentPath } from "../model/finding.ts";
import type { ItemNotes, Place } from "./xl_findings.ts";
import type { XlText } from "./syntax.ts";
import { fromLibxlFormat, isMisspeltByLibxl, markedText, XL_FORMATS } from "./xl_spelling.ts";

type Level = "CARD" | "PCM" | "STREAM";
type Fields = Record<string, unknown>;

/** A piece of a text, and where it begins in it. */
interface Piece {
  readonly text: string;
  readonly at: number;
}

const PARAMS = ["sample-rates", "sample-formats", "channels-min", "channels-max", "buffer-size"];

const KEYS: Readonly<Record<Level, readonly string[]>> = {
  CARD: ["backend", "short-name", "long-name", ...PARAMS],
  PCM: ["name", ...PARAMS],
  STREAM: ["unique-id", "type", ...PARAMS],
};

const TYPES: Readonly<Record<string, string>> = { p: "playback", c: "capture" };

/** What a comment of ours may say of an item. */
const MARKED: Readonly<Record<Level, readonly string[]>> = {
  CARD: ["backend"],
  PCM: [],
  STREAM: ["device", "denied"],
};

/** Puts a card together, item by item. */
export class ItemReader {
  readonly card: Fields & { pcms: (Fields & { streams: Fields[] })[] } = { pcms: [] };
  backend: string | undefined;

  constructor(
    private readonly reading: ItemNotes,
    private readonly path: DocumentPath,
    private readonly cardPlace: Place,
  ) {}

  read(item: XlText, index: number): void {
    const place = { offset: item.offset, path: [...this.cardPlace.path, index] };
    const [word, ...params] = pieces(item.text, ",").map(withoutLeadingSpace);
    if (word === undefined) return;
    const level = word.text.toUpperCase();
    if (level !== "CARD" && level !== "PCM" && level !== "STREAM") {
      const instead = "begin with CARD, PCM or STREAM and a comma, without a space between";
      return this.reading.find(place, `${quote(word.text)} is no item`, "xl refuses the file", instead);
    }
    const [fields, path] = this.#begin(level, place);
    for (const param of params) this.#param(level, fields, path, item, param, place);
    this.#comment(level, fields, item.comment, place);
    if (level === "STREAM" && fields.device === undefined) {
      fields.device = this.reading.defaults.device;
      this.reading.deviceless++;
    }
  }

  /** What the item's parameters are about: the card, a new PCM, or a new stream of the last PCM. */
  #begin(level: Level, place: Place): [Fields, DocumentPath] {
    if (level === "CARD") return [this.card, this.path];
    const { pcms } = this.card;
    // as xl does: a stream before any PCM begins one
    if (level === "PCM" || pcms.length === 0) {
      this.reading.place([...this.path, "pcms", pcms.length], place);
      pcms.push({ streams: [] });
    }
    const pcm = pcms[pcms.length - 1];
    const path = [...this.path, "pcms", pcms.length - 1];
    if (level === "PCM") return [pcm, path];
    const stream: Fields = {};
    const streamPath = [...path, "streams", pcm.streams.length];
    this.reading.place(streamPath, place);
    pcm.streams.push(stream);
    return [stream, streamPath];
  }

  #param(level: Level, fields: Fields, path: DocumentPath, item: XlText, piece: Piece, at: Place): void {
    const equals = piece.text.indexOf("=");
    const key = equals < 0 ? piece.text : piece.text.slice(0, equals);
    const value = { text: piece.text.slice(equals + 1), at: piece.at + equals + 1 };
    const place = { offset: item.offsets[piece.at] ?? at.offset, path: [...at.path, key.trim()] };
    if (equals < 0 || !KEYS[level].includes(key)) {
      const known = KEYS[level].includes(key.trim())
        ? `${key.trim()}= without a space before the =`
        : key === "id"
        ? "unique-id=; the manual of xl has id in its example, and xl refuses it"
        : `one of ${KEYS[level].join("=, ")}=`;
      const what = `${quote(piece.text)} is no parameter of ${level}`;
      return this.reading.find(place, what, "xl refuses the file", `write ${known}`);
    }
    this.reading.place([...path, key], place);
    const own = this.#value(key, value, item, place, path);
    if (key === "backend") this.backend = own as string;
    else if (own !== undefined) fields[key] = own;
  }

  #value(key: string, value: Piece, item: XlText, place: Place, path: DocumentPath): unknown {
    const each = <T>(read: (text: string, at: Place) => T | undefined): T[] => {
      const found: T[] = [];
      for (const { text, at } of pieces(value.text, ";")) {
        const here = { offset: item.offsets[value.at + at], path: [...place.path, found.length] };
        this.reading.place([...path, key, found.length], here);
        const one = read(text, { ...here, path: place.path });
        if (one !== undefined) found.push(one);
      }
      return found;
    };
    switch (key) {
      case "sample-rates":
        return each((text, at) => this.#number(text, at));
      case "sample-formats":
        return each((text, at) => this.#format(text, at));
      case "channels-min":
      case "channels-max":
      case "buffer-size":
        // to libxl 0 is as good as nothing
        return this.#number(value.text, place) || undefined;
      case "type":
        return this.#type(value.text, place);
      default:
        return value.text;
    }
  }

  #type(text: string, place: Place): string | undefined {
    const type = TYPES[text.toLowerCase()];
    if (type === undefined) {
      this.reading.find(place, `${quote(text)} will not do`, "xl refuses the file", "write type=p or type=c");
    }
    return type;
  }

  #format(name: string, place: Place): string | undefined {
    const format = fromLibxlFormat(name);
    if (format === undefined) {
      const instead = `write one of ${XL_FORMATS.join(", ")}`;
      this.reading.find(place, `${quote(name)} is no format`, "xl refuses the file", instead);
    } else if (isMisspeltByLibxl(format)) {
      this.reading.hazards.push({
        ...place,
        what: `libxl writes ${name.toLowerCase()} into XenStore`,
        why: `the Linux frontend knows that format as ${format}, and drops it without a word`,
        instead: "leave it out, or let `xsnd import` and `xsnd provision` make the card",
      });
    }
    return format;
  }

  /** A number as strtoul(3) reads it with base 0, which is what xl does. */
  #number(text: string, place: Place): number {
    const digits = /^[ \t]*\+?(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)/i.exec(text);
    const octal = digits !== null && /^0[0-7]/.test(digits[1]);
    const value = digits === null ? 0 : octal ? parseInt(digits[1], 8) : Number(digits[1]);
    if (digits?.[0] !== text || octal) {
      this.reading.find(
        place,
        `${quote(text)} is ${value} to xl`,
        octal
          ? "a number that begins with 0 is octal"
          : "it reads as far as there are digits, and says nothing",
        "write a decimal number and nothing else",
      );
    }
    return value;
  }

  #comment(level: Level, fields: Fields, comment: string | undefined, place: Place): void {
    const text = markedText(comment);
    if (text === undefined) return;
    const said = fieldsOf(text);
    const unknown = said && Object.keys(said).find((key) => !MARKED[level].includes(key));
    if (said === undefined || unknown !== undefined) {
      const known = MARKED[level].map((key) => `"${key}"`).join(" and ") || "nothing";
      const instead = `write a JSON object with ${known}, as \`xsnd export\` does`;
      const why = "what xl has no words for would be lost";
      return this.reading.find(place, "its comment that begins with xsnd: is not understood", why, instead);
    }
    const { backend, ...rest } = said;
    if (typeof backend === "string") this.backend = backend;
    Object.assign(fields, rest);
  }
}

function fieldsOf(json: string): Fields | undefined {
  try {
    const value = JSON.parse(json);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The pieces between separators, of which several in a row are as one: strtok(3). */
function pieces(text: string, separator: string): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const piece of text.split(separator)) {
    if (piece !== "") found.push({ text: piece, at });
    at += piece.length + 1;
  }
  return found;
}

function withoutLeadingSpace({ text, at }: Piece): Piece {
  const rest = text.replace(/^ +/, "");
  return { text: rest, at: at + text.length - rest.length };
}

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
