// SPDX-License-Identifier: MIT
/** Reads the report that `deno test --junit-path` writes. */

export interface TestCase {
  readonly name: string;
  readonly outcome: "passed" | "failed" | "ignored";
}

/** The tests in a report, in its order. */
export function testCases(xml: string): TestCase[] {
  return xml.split("<testcase ").slice(1).map((text) => {
    const [element] = text.split(/<testcase |<\/testsuite>/);
    const name = unescape(/\bname="([^"]*)"/.exec(element!)?.[1] ?? "");
    const outcome = /<(failure|error)\b/.test(element!)
      ? "failed"
      : /<skipped\b/.test(element!)
      ? "ignored"
      : "passed";
    return { name, outcome };
  });
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

function unescape(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    if (hex !== undefined) return String.fromCodePoint(parseInt(hex, 16));
    return ENTITIES[name] ?? whole;
  });
}
