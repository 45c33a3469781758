// SPDX-License-Identifier: MIT
/** Checking the plain value of a configuration, in whatever syntax it was written: the schema first, then the rules across values. */
import type { z } from "zod";
import type { Config } from "../model/card.ts";
import { type DocumentPath, type Finding, formatPath } from "../model/finding.ts";
import { findingsOf } from "./schema_findings.ts";
import { resolveConfig } from "./resolve.ts";
import { configSchema } from "./schema.ts";
import { notesOfShared } from "./shared_ids.ts";

/** The cards of a document, with notes about values that may surprise; or the findings because of which there are none. */
export type DocumentCheck =
  | { readonly config: Config; readonly notes: readonly Finding[] }
  | { readonly findings: readonly Finding[] };

/** Checks the plain value of a document. `nameOf` names a place in notes; a file in xl's syntax has other paths than YAML. */
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
  // Findings about the rest of the document come with these, so that one run reports all.
  const rest = configSchema.safeParse(without(issues, value));
  if (!rest.success) return { findings };
  const flawed = new Set(findings.map(({ path }) => formatPath(path)));
  // A finding about a domain that has become empty by leaving values out would be wrong.
  const further = resolveConfig(rest.data).findings
    .filter(({ path }) => path.length > 1 && !flawed.has(formatPath(path)));
  return { findings: [...findings, ...further] };
}

/** Replacements for wrong values of required keys. */
const STAND_IN: Readonly<Record<string, unknown>> = { type: "playback", device: "default" };

/** A copy of `value` without the values that the issues are about, so far as they can be left out. */
function without(issues: readonly z.core.$ZodIssue[], value: unknown): unknown {
  const copy = structuredClone(value);
  const remove = (path: DocumentPath) => {
    // A list with a bad element is left out as a whole.
    const last = path.findLastIndex((part) => typeof part === "string");
    const key = path[last];
    if (key === undefined) return;
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
