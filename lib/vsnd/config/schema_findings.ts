// SPDX-License-Identifier: MIT
/** What a finding says of a value that the schema refuses: what is wrong, why it matters, what to write instead. */
import type { z } from "zod";
import { Limits, LINUX_RATES } from "../model/card.ts";
import type { DocumentPath, Finding } from "../model/finding.ts";
import { type ConfigKey, KEYS } from "./schema.ts";

/** What to write, by key; the document itself has none. */
const WRITE: Readonly<Record<ConfigKey | "", string>> = {
  "": "a map with the key domains",
  domains: "a map from domain names to their cards",
  backend: "the name or number of the domain that serves the cards, such as Domain-0",
  cards: `a list of 1 to ${Limits.cardsPerDomain} cards`,
  pcms: `a list of 1 to ${Limits.pcmsPerCard} PCMs`,
  streams: `a list of 1 to ${Limits.streamsPerPcm} streams`,
  type: "playback or capture",
  device: 'an ALSA PCM name such as "hw:0,0", or "dummy:FILE"',
  denied: "true or false",
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

/** Why it matters, by key: mostly what a guest or its toolstack would make of it without a word. */
const WHY: Readonly<Partial<Record<ConfigKey | "", string>>> = {
  backend: "it says which domain's daemon the guest's driver talks to",
  cards: "a guest's kernel has room for so many cards, and one without any needs no entry",
  pcms: "the Linux frontend looks at so many PCMs of a card, and drops the rest without a word",
  streams: "the Linux frontend looks at so many streams of a PCM, and drops the rest without a word",
  type: "the Linux frontend refuses the whole card if one stream has no type that it knows",
  device: "the daemon takes the device from here and nowhere else: a guest must not choose it",
  denied: "it keeps a device from a guest, so there must be no doubt about it",
  "unique-id": "it names the stream in logs and in xl.cfg, where a comma ends it",
  "short-name": "sndif.h has 32 octets for it with its end, and a comma ends it in xl.cfg",
  "long-name": "sndif.h has 80 octets for it with its end, and a comma ends it in xl.cfg",
  name: "sndif.h has 80 octets for it with its end, and a comma ends it in xl.cfg",
  "buffer-size": "the guest's driver needs room for two periods, and the host pins what the guest shares",
  "sample-rates": "the Linux frontend drops every other rate without a word",
  "sample-formats":
    "the Linux frontend drops names that it does not know, and a position in compressed sound " +
    "cannot be counted in frames",
  "channels-min": "sndif.h has one octet for it",
  "channels-max": "sndif.h has one octet for it",
};

const WHY_UNKNOWN = "a misspelt key would otherwise do nothing, and nobody would notice";

/** What YAML 1.1 and people write for truth values; to YAML 1.2 each is a text. */
const TRUTHS: Readonly<Record<string, "true" | "false">> = {
  yes: "true",
  y: "true",
  on: "true",
  true: "true",
  no: "false",
  n: "false",
  off: "false",
  false: "false",
};

/** The truth value that a text stands for, as people mean it. */
function truthOf(value: unknown): "true" | "false" | undefined {
  if (typeof value !== "string") return undefined;
  const word = value.toLowerCase();
  return Object.hasOwn(TRUTHS, word) ? TRUTHS[word] : undefined;
}

/** The value, short enough for a line. */
function quote(value: unknown): string {
  const json = typeof value === "number" ? numeral(value) : JSON.stringify(value) ?? "nothing";
  return json.length > 48 ? `${json.slice(0, 47)}…` : json;
}

/** A number as YAML has it: of these JSON says null. */
function numeral(value: number): string {
  return Number.isNaN(value) ? ".nan" : String(value).replace("Infinity", ".inf");
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
  const isDomain = path.length === 2;
  // below a domain, whose name can be any, there are only keys of the schema
  const key = (path.findLast((part) => typeof part === "string") ?? "") as ConfigKey | "";
  if (issue.code === "unrecognized_keys") {
    const known = KEYS[isDomain ? "domains" : key].join(", ");
    return issue.keys.map((unknown) => ({
      path: [...path, unknown],
      what: "unknown key",
      why: WHY_UNKNOWN,
      instead: `write one of ${known}`,
    }));
  }
  if (issue.code === "invalid_key") {
    return [{
      path,
      what: "cannot be a domain",
      why: "XenStore has no such path",
      instead: "write its name or number, at most 255 letters and no slash",
    }];
  }
  const value = valueAt(document, path);
  const why = isDomain ? undefined : WHY[key];
  const truth = key === "denied" ? truthOf(value) : undefined;
  if (truth !== undefined) {
    return [{
      path,
      what: `${quote(value)} is a text in YAML 1.2`,
      why,
      instead: `write ${truth}, without quotes`,
    }];
  }
  const what = value === undefined
    ? "missing"
    : value === null
    ? "empty"
    : issue.code === "custom"
    ? `${quote(value)} ${issue.message}`
    : Array.isArray(value)
    ? `a list of ${value.length} will not do`
    : `${quote(value)} will not do`;
  return [{
    path,
    what,
    ...(why !== undefined && { why }),
    instead: `write ${isDomain ? DOMAIN : elementOf(path, WRITE[key])}`,
  }];
}

/** What to write for an element of a list, given what to write for the list. */
function elementOf(path: DocumentPath, list: string): string {
  if (typeof path.at(-1) !== "number") return list;
  const key = path.at(-2) as string;
  return KEYS[key] === undefined
    ? list.replace(/^a list of/, "one of")
    : `a map with ${KEYS[key].join(", ")}`;
}
