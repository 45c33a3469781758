// SPDX-License-Identifier: MIT
/** Reading a configuration file in YAML or in xl's syntax. The first line tells which. */
import { ConfigError, MAX_LOCATED, refuseForeign } from "./config_error.ts";
import { readConfigText } from "./config_text.ts";
import { type CheckedConfig, readYaml } from "./yaml_file.ts";
import { foreignText } from "./file_kind.ts";
import { type Finding, formatPath } from "../model/finding.ts";
import { checkDocument } from "./check_document.ts";
import { looksLikeXl, parseXl, positionOf, withoutMark, XlSyntaxError } from "../xl/syntax.ts";
import { XlReading } from "../xl/read_vsnd.ts";
import type { PlacedFinding, XlDefaults } from "../xl/xl_findings.ts";

const DEFAULTS: XlDefaults = { domain: "domU", device: "default" };

/**
 * Findings about an xl.cfg that count for one use only. `hazards`: values that xl takes and the guest's driver does not.
 * `limits`: values that YAML cannot express.
 */
type Besides = "hazards" | "limits";

/** The cards of a file in YAML or in xl's syntax. Throws {@link ConfigError} with all findings. */
export function checkFile(file: string, besides: Besides = "hazards"): CheckedConfig {
  const text = readConfigText(file);
  if (!looksLikeXl(text)) return readYaml(text, file);
  return checkXl(readXl(text, file, DEFAULTS), file, besides);
}

const BYTE_ORDER_MARK: PlacedFinding = {
  path: [],
  offset: 0,
  what: "the file begins with a byte order mark (BOM)",
  why: "xl refuses the file",
  instead: "save the file as UTF-8 without a byte order mark",
};

/** Parses a text in xl's syntax. Throws {@link ConfigError} for a syntax error. */
export function readXl(source: string, file: string, defaults: XlDefaults): XlReading {
  refuseForeign(foreignText(source, file, "xl"), file);
  const text = withoutMark(source);
  try {
    const reading = new XlReading(text, parseXl(text), defaults);
    if (text !== source) reading.hazards.push(BYTE_ORDER_MARK);
    return reading;
  } catch (error) {
    if (!(error instanceof XlSyntaxError)) throw error;
    const { message, offset, instead } = error;
    const finding = { path: [], what: `not xl's syntax: ${message}`, why: "xl refuses the file" };
    throw new ConfigError(file, [{
      ...finding,
      ...(instead !== undefined && { instead }),
      ...positionOf(text, offset),
    }]);
  }
}

/** The cards of a file in xl's syntax. Throws {@link ConfigError} with all findings, `besides` among them. */
export function checkXl(reading: XlReading, file: string, besides: Besides): CheckedConfig {
  const checked = checkDocument(reading.value, (path) => formatPath(reading.placeOf(path).path));
  const ofValues = "findings" in checked ? checked.findings.map((finding) => reading.translate(finding)) : [];
  // A value that xl refuses or misreads gets one finding.
  const known = new Set(reading.findings.flatMap(({ path }) => [formatPath(path), "vsnd"]));
  const findings = [
    ...reading.findings,
    ...ofValues.filter(({ path }) => !known.has(formatPath(path))),
    ...reading[besides],
  ];
  if (findings.length > 0 || "findings" in checked) {
    const located = findings.slice(0, MAX_LOCATED).map((finding) => reading.locate(finding));
    throw new ConfigError(file, located, findings.length);
  }
  const locate = (finding: Finding) => reading.locate(reading.translate(finding));
  return { config: checked.config, notes: checked.notes.map(locate), locate };
}
