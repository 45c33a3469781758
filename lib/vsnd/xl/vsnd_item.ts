// SPDX-License-Identifier: MIT
/** Reading one item of a card in xl's syntax: `STREAM, unique-id=mic, type=c, sample-rates=8000;16000`. */
import type { DocumentPath } from "../model/finding.ts";
import type { ItemNotes, Place } from "./xl_findings.ts";
import type { XlText } from "./syntax.ts";
import { fromLibxlFormat, isMisspeltByLibxl, markedText, XL_FORMATS } from "./xl_spelling.ts";

type Level = "CARD" | "PCM" | "STREAM";
type Fields = Record<string, unknown>;

/** A piece of a text, with its index in the text. */
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

/** The fields that a marked comment may give an item. */
const MARKED: Readonly<Record<Level, readonly string[]>> = {
  CARD: ["backend"],
  PCM: [],
  STREAM: ["device", "denied", "volume", "muted"],
};

/** Builds the YAML value of a card, item by item. */
export class ItemReader {
  readonly card: Fields & { pcms: (Fields & { streams: Fields[] })[] } = { pcms: [] };
  backend: string | undefined;

  constructor(
    private readonly reading: ItemNotes,
    private readonly path: DocumentPath,
    private readonly cardPlace: Place,
  ) {}

  /** Adds an item to the card; `index` is the item's place in the card's list. */
  read(item: XlText, index: number): void {
    const place = { offset: item.offset, path: [...this.cardPlace.path, index] };
    const [word, ...params] = pieces(item.text, ",").map(withoutLeadingSpace);
    if (word === undefined) return;
    const level = word.text.toUpperCase();
    if (level !== "CARD" && level !== "PCM" && level !== "STREAM") {
      const instead = "begin the text with CARD, PCM or STREAM and a comma, without a space between";
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

  /** The map that gets the item's parameters, with its path: the card, a new PCM, or a new stream of the last PCM. */
  #begin(level: Level, place: Place): [Fields, DocumentPath] {
    if (level === "CARD") return [this.card, this.path];
    const { pcms } = this.card;
    let pcm = pcms.at(-1);
    // A stream before any PCM begins a PCM, as in xl.
    if (level === "PCM" || pcm === undefined) {
      this.reading.place([...this.path, "pcms", pcms.length], place);
      pcm = { streams: [] };
      pcms.push(pcm);
    }
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
        ? "unique-id=; xl.cfg(5) has id= in its example, and xl refuses id="
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
        const here = {
          offset: item.offsets[value.at + at] ?? item.offset,
          path: [...place.path, found.length],
        };
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
        // For libxl, 0 means that the parameter is not set.
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
      this.reading.find(
        place,
        `${quote(text)} is not allowed`,
        "xl refuses the file",
        "write type=p or type=c",
      );
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
        why: `the Linux frontend calls that format ${format}, and ignores libxl's name silently`,
        instead: "leave the format out, or let `xsnd import` and `xsnd provision` make the card",
      });
    }
    return format;
  }

  /** A number as xl reads it: with strtoul(3) and base 0. */
  #number(text: string, place: Place): number {
    const [read, digits = "0"] = /^[ \t]*\+?(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)/i.exec(text) ?? [];
    const octal = /^0[0-7]/.test(digits);
    const value = octal ? parseInt(digits, 8) : Number(digits);
    if (read !== text || octal) {
      this.reading.find(
        place,
        `xl reads ${quote(text)} as ${value}`,
        octal
          ? "a number that begins with 0 is octal"
          : "xl reads up to the first character that is no digit, and ignores the rest silently",
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
      const why = "xl's syntax cannot express what the comment says, and it would be lost";
      return this.reading.find(
        place,
        "the item's comment begins with xsnd: and is not understood",
        why,
        instead,
      );
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

/** Splits like strtok(3): several separators in a row count as one. */
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
