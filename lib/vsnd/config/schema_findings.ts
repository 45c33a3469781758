// SPDX-License-Identifier: MIT
/** What a finding says of a value that the schema refuses: what is wrong, why it matters, what to write instead. */
import type { z } from "zod";
import type { DocumentPath, Finding } from "../model/finding.ts";
import { type ConfigKey, describeKey } from "./key_table.ts";
import { KEYS } from "./schema.ts";

const WHOLE_FILE = "a map with the key domains";
const DOMAIN = "a map with the key cards";
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
  const { values, why } = isDomain
    ? { values: DOMAIN }
    : key === ""
    ? { values: WHOLE_FILE }
    : describeKey(key);
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
    instead: `write ${elementOf(path, values)}`,
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
