// SPDX-License-Identifier: MIT
/** All that is wrong with a configuration, whatever it was written in: its shape, then the rules that tie values together. */
import type { z } from "zod";
import type { Config } from "../model/card.ts";
import { type DocumentPath, type Finding, formatPath } from "../model/finding.ts";
import { findingsOf } from "./schema_findings.ts";
import { resolveConfig } from "./resolve.ts";
import { configSchema } from "./schema.ts";
import { notesOfShared } from "./shared_ids.ts";

/** The cards that a document describes, with notes of what may surprise; or why it describes none. */
export type DocumentCheck =
  | { readonly config: Config; readonly notes: readonly Finding[] }
  | { readonly findings: readonly Finding[] };

/** Judges the plain value of a document. `nameOf` gives the name of a place in a file whose paths are others. */
export function checkDocument(
  value: unknown,
  nameOf: (path: DocumentPath) => string = formatPath,
): DocumentCheck {
  const shape = configSchema.safeParse(value);
  if (shape.success) {
    const { config, findings } = resolveConfig(shape.data);
    return findings.length > 0 ? { findings } : { config, notes: notesOfShared(shape.data, nameOf) };
  }
  const { issues } = shape.error;
  const findings = issues.flatMap((issue) => findingsOf(issue, value));
  // What ties the other values together is worth knowing at once, and not only when these are mended.
  const rest = configSchema.safeParse(without(issues, value));
  if (!rest.success) return { findings };
  const flawed = new Set(findings.map(({ path }) => formatPath(path)));
  // that nothing is left of a domain which is wrong itself goes without saying
  const further = resolveConfig(rest.data).findings
    .filter(({ path }) => path.length > 1 && !flawed.has(formatPath(path)));
  return { findings: [...findings, ...further] };
}

/** Stands in for a value without which a stream would have no shape. */
const STAND_IN: Readonly<Record<string, unknown>> = { type: "playback", device: "default" };

/** `value` without what the issues are about, so far as it can be left out. */
function without(issues: readonly z.core.$ZodIssue[], value: unknown): unknown {
  const copy = structuredClone(value);
  const remove = (path: DocumentPath) => {
    // of a list with a bad element nothing is left
    const last = path.findLastIndex((part) => typeof part === "string");
    const key = path[last];
    const parent = path.slice(0, last).reduce<unknown>(
      (node, part) => isObject(node) ? node[part] : node,
      copy,
    );
    if (!isObject(parent)) return;
    if (Object.hasOwn(STAND_IN, key)) parent[key] = STAND_IN[key];
    else delete parent[key];
  };
  for (const issue of issues) {
    const path = issue.path as DocumentPath;
    if (issue.code === "unrecognized_keys") { for (const key of issue.keys) remove([...path, key]); }
    else remove(path);
  }
  return copy;
}

function isObject(value: unknown): value is Record<string | number, unknown> {
  return typeof value === "object" && value !== null;
}
