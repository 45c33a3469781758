/** What is wrong with a configuration file: where, what, and what to write instead. */
import type { z } from "zod";
import { Limits, LINUX_RATES } from "./card.ts";
import { KEYS } from "./schema.ts";

/** Keys and indices from the root of the document to a value. */
export type DocumentPath = readonly (string | number)[];

export interface Finding {
  readonly path: DocumentPath;
  readonly message: string;
}

/** `domains.domU.cards[0].pcms[0].streams[1].type`. */
export function formatPath(path: DocumentPath): string {
  return path.map((part, index) =>
    typeof part === "number"
      ? `[${part}]`
      : /^[\w-]+$/.test(part)
      ? (index === 0 ? part : `.${part}`)
      : `[${JSON.stringify(part)}]`
  ).join("");
}

/** What to write, by key; a key that is none of ours is a domain's name. */
const WRITE: Readonly<Record<string, string>> = {
  "": "a map with the key domains",
  domains: "a map from domain names to their cards",
  backend: "the name or number of the domain that serves the cards, such as Domain-0",
  cards: `a list of 1 to ${Limits.cardsPerDomain} cards`,
  pcms: `a list of 1 to ${Limits.pcmsPerCard} PCMs`,
  streams: `a list of 1 to ${Limits.streamsPerPcm} streams`,
  type: "playback or capture",
  device: 'an ALSA PCM name such as "hw:0,0", or "dummy:FILE"',
  "unique-id": `a text of at most ${Limits.textOctets} octets, without a comma`,
  "short-name": `a text of at most ${Limits.shortNameOctets} octets, without a comma`,
  "long-name": `a text of at most ${Limits.longNameOctets} octets, without a comma`,
  name: `a text of at most ${Limits.longNameOctets} octets, without a comma`,
  "buffer-size": `a number of octets from ${
    Limits.periodsMin * Limits.periodBytesMin
  } to ${Limits.bufferSizeBytes}`,
  "sample-rates": `a list of the rates that the Linux frontend knows: ${LINUX_RATES.join(", ")}`,
  "sample-formats": "a list of sndif.h's names of uncompressed formats, such as [s16_le, s32_le, float_le]",
  "channels-min": `a number from 1 to ${Limits.channels}`,
  "channels-max": `a number from 1 to ${Limits.channels}`,
};

const DOMAIN = "a map with the key cards";

/** The value, short enough for a line. */
function quote(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  return json.length > 48 ? `${json.slice(0, 47)}…` : json;
}

function valueAt(document: unknown, path: DocumentPath): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, part)
        ? (value as Record<string | number, unknown>)[part]
        : undefined,
    document,
  );
}

/** The findings that one of zod's issues with `document` amounts to. */
export function findingsOf(issue: z.core.$ZodIssue, document: unknown): Finding[] {
  const path = issue.path as DocumentPath;
  const key = path.findLast((part) => typeof part === "string") ?? "";
  const isDomain = path.length === 2;
  if (issue.code === "unrecognized_keys") {
    const known = KEYS[isDomain ? "domains" : key].join(", ");
    return issue.keys.map((unknown) => ({
      path: [...path, unknown],
      message: `unknown key; write one of ${known}`,
    }));
  }
  if (issue.code === "invalid_key") {
    return [{
      path,
      message: "cannot be a domain; write its name or number, at most 255 letters and no slash",
    }];
  }
  const value = valueAt(document, path);
  const what = value === undefined
    ? "missing"
    : value === null
    ? "empty"
    : issue.code === "custom"
    ? `${quote(value)} ${issue.message}`
    : Array.isArray(value)
    ? `a list of ${value.length} will not do`
    : `${quote(value)} will not do`;
  return [{ path, message: `${what}; write ${isDomain ? DOMAIN : elementOf(path, WRITE[key])}` }];
}

/** What to write for an element of a list, given what to write for the list. */
function elementOf(path: DocumentPath, list: string): string {
  if (typeof path.at(-1) !== "number") return list;
  const key = path.at(-2) as string;
  return KEYS[key] === undefined
    ? list.replace(/^a list of/, "one of")
    : `a map with ${KEYS[key].join(", ")}`;
}
