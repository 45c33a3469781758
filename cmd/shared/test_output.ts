// SPDX-License-Identifier: MIT
/** Verdicts for pipelines: the Test Anything Protocol, version 14, and the XML that came with JUnit. */
import type { Verdict } from "../../lib/demo/self_test.ts";
import { printable } from "./output.ts";

/** The lines of one verdict. A failure has its reason in a YAML block. */
export function tapLines(number: number, { name, passed, reason }: Verdict): string[] {
  const line = `${passed ? "ok" : "not ok"} ${number} - ${name.replace(/[#\\]/g, "\\$&")}`;
  return reason === undefined
    ? [line]
    : [line, "  ---", `  message: ${JSON.stringify(printable(reason))}`, "  ..."];
}

/** A report with one test suite. */
export function junit(verdicts: readonly Verdict[]): string {
  const failures = verdicts.filter(({ passed }) => !passed).length;
  const time = verdicts.reduce((sum, { seconds }) => sum + seconds, 0).toFixed(3);
  const numbers = `tests="${verdicts.length}" failures="${failures}" time="${time}"`;
  const cases = verdicts.map(({ name, seconds, reason }) => {
    const head = `    <testcase classname="xsnd" name="${escaped(name)}" time="${seconds.toFixed(3)}"`;
    return reason === undefined
      ? `${head}/>\n`
      : `${head}>\n      <failure message="${escaped(reason)}"/>\n    </testcase>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${numbers}>\n  <testsuite name="xsnd test" ${numbers}>\n` +
    `${cases.join("")}  </testsuite>\n</testsuites>\n`;
}

const ENTITIES: Readonly<Record<string, string>> = { "<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;" };

function escaped(text: string): string {
  return printable(text).replace(/[<>&"]/g, (character) => ENTITIES[character]!);
}
