// SPDX-License-Identifier: MIT
/** Writing a configuration as YAML that people edit. */
import { Document, isScalar, isSeq, Scalar, visit } from "yaml";
import { isPrintable, printableYaml } from "../../base/text.ts";
import { KEYS } from "./schema.ts";

/** The YAML of a configuration: keys in the order of the schema, lists of scalars on one line, escapes by {@link printableYaml}. */
export function toYaml(value: unknown, comment?: string): string {
  const document = new Document(ordered(value, ""));
  if (comment !== undefined) document.commentBefore = comment;
  visit(document, {
    Seq: (_, seq) => {
      if (isSeq(seq) && seq.items.every(isScalar)) seq.flow = true;
    },
    Scalar: (_, scalar) => {
      if (typeof scalar.value === "string" && !isPrintable(scalar.value)) scalar.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return printableYaml(document.toString({ lineWidth: 0, flowCollectionPadding: false }));
}

/** A copy of `value` with the keys of each map in the order of {@link KEYS}. `key` is the last key on the path to `value`. */
function ordered(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value.map((item) => ordered(item, key));
  if (typeof value !== "object" || value === null) return value;
  const known = KEYS[key] ?? KEYS.domains ?? [];
  const isDomains = key === "domains";
  const entries = Object.entries(value);
  if (!isDomains) entries.sort(([one], [other]) => known.indexOf(one) - known.indexOf(other));
  return Object.fromEntries(
    entries.map(([name, item]) => [name, ordered(item, isDomains ? "domain" : name)]),
  );
}
