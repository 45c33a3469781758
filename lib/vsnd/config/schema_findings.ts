// SPDX-License-Identifier: MIT
/** Turning the schema's issues into findings: what is wrong with a value, why it matters, what to write instead. */
import type { z } from "zod";
import { didYouMean } from "../../base/suggest.ts";
import type { DocumentPath, Finding } from "../model/finding.ts";
import { type ConfigKey, describeKey } from "./key_table.ts";
import { MERGE } from "./merge_keys.ts";
import { KEYS } from "./schema.ts";

const WHOLE_FILE = "a map with the key domains";
const DOMAIN = "a map with the key cards";
const MERGED = "write a map behind <<, an alias of one, or a list of these";
/** A number is meant to be another that differs by that share at most. */
const NEAR = 0.1;
const WHY_UNKNOWN = "a misspelt key would have no effect, and nobody would notice";

/** The truth values of YAML 1.1 and of people. In YAML 1.2 each of these is a text, unless unquoted true or false. */
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

/** The truth value that a person means by a text. */
function truthOf(value: unknown): "true" | "false" | undefined {
  if (typeof value !== "string") return undefined;
  const word = value.toLowerCase();
  return Object.hasOwn(TRUTHS, word) ? TRUTHS[word] : undefined;
}

/** The value as JSON, shortened to fit a line. */
function quote(value: unknown): string {
  const json = typeof value === "number" ? numeral(value) : JSON.stringify(value) ?? "nothing";
  return json.length > 48 ? `${json.slice(0, 47)}…` : json;
}

/** A number as YAML spells it. JSON has no spelling for NaN and the infinities. */
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

/** The findings for one issue that zod has with `document`. */
export function findingsOf(issue: z.core.$ZodIssue, document: unknown): Finding[] {
  const path = issue.path as DocumentPath;
  const isDomain = path.length === 2 && path[0] === "domains";
  // A domain may have any name. Below a domain, all texts of a path are keys of the schema.
  const key = (path.findLast((part) => typeof part === "string") ?? "") as ConfigKey | "";
  if (issue.code === "unrecognized_keys") {
    const known = KEYS[isDomain ? "domains" : key] ?? [];
    return issue.keys.map((unknown) => ({
      path: [...path, unknown],
      what: `unknown key${didYouMean(unknown, known)}`,
      why: WHY_UNKNOWN,
      instead: unknown === MERGE ? MERGED : `write one of ${known.join(", ")}`,
    }));
  }
  if (issue.code === "invalid_key") {
    return [{
      path,
      what: "is no domain name",
      why: "XenStore cannot hold such a name",
      instead: "write the domain's name or number: at most 255 characters, no slash",
    }];
  }
  const value = valueAt(document, path);
  const { values, why } = isDomain
    ? { values: DOMAIN }
    : key === ""
    ? { values: WHOLE_FILE }
    : describeKey(key);
  const truth = key === "denied" ? truthOf(value) : undefined;
  if (truth !== undefined) {
    return [{
      path,
      what: `${quote(value)} is a text in YAML 1.2, not a truth value`,
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
    ? `a list of ${value.length} is not allowed`
    : `${quote(value)} is not allowed${meant(value, issue)}`;
  return [{
    path,
    what,
    ...(why !== undefined && { why }),
    instead: `write ${elementOf(path, values)}`,
  }];
}

/** What a wrong text or number was probably meant to be, as {@link didYouMean}. */
function meant(value: unknown, issue: z.core.$ZodIssue): string {
  if (issue.code !== "invalid_value") return "";
  if (typeof value === "string") return didYouMean(value, issue.values.map(String));
  if (typeof value !== "number") return "";
  const numbers = issue.values.map(Number);
  const nearest = numbers.reduce((a, b) => Math.abs(b - value) < Math.abs(a - value) ? b : a);
  return Math.abs(nearest - value) <= NEAR * nearest ? ` (did you mean ${nearest}?)` : "";
}

/** The allowed values of the element at `path`, given those of its list. */
function elementOf(path: DocumentPath, list: string): string {
  if (typeof path.at(-1) !== "number") return list;
  const key = path.at(-2) as string;
  const keys = KEYS[key];
  return keys === undefined ? list.replace(/^a list of/, "one of") : `a map with ${keys.join(", ")}`;
}
