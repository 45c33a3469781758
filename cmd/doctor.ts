// SPDX-License-Identifier: MIT
/** `xsnd doctor`: checks whether this host can serve guests, and says how to fix what is wrong. */
import { Command } from "commander";
import { styleText } from "node:util";
import { examine, type GroupedFinding } from "../lib/doctor/examine.ts";
import type { Level } from "../lib/doctor/doctor_finding.ts";
import { Exit } from "../lib/base/error.ts";
import { CONTROL_VARIABLES, withManual, XEN_VARIABLES } from "./shared/manual.ts";
import { duration } from "./shared/options.ts";
import { count, print, printable, printJson, printWrapped, wrapped } from "./shared/output.ts";

const COLOURS = { ok: "green", warn: "yellow", fail: "red", skip: "dim" } as const;
const SUBJECT_COLUMNS = 17;
/** Indent of details, below the level and the subject. */
const INDENT = " ".repeat(2 + 4 + 2 + SUBJECT_COLUMNS + 2);

export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description(
      "Check everything that serving guests needs: Xen, libraries, device nodes, XenStore and its cards, sound, limits and the " +
        "daemon. Each finding has the level ok, warn, fail or skip (nothing to check), and a remedy. A failure names the page of the " +
        "docs that says more. The command changes nothing; it opens the PCMs that cards name for a moment.",
    )
    .option("--timeout <seconds>", "how long each check may take", duration, 5)
    .option("--json", "print a JSON object")
    .action(async ({ timeout, json }: { timeout: number; json?: boolean }) => {
      const all: GroupedFinding[] = [];
      for await (const findings of examine(timeout * 1000)) {
        for (const finding of findings) {
          if (!json) printFinding(finding, finding.group !== all.at(-1)?.group);
          all.push(finding);
        }
      }
      const number = (wanted: Level) => all.filter(({ level }) => level === wanted).length;
      const [failed, warnings] = [number("fail"), number("warn")];
      if (json) printJson({ version: 1, fit: failed === 0, findings: all });
      else printVerdict(failed, warnings);
      // Also without a failure: a check that hangs would keep the process alive.
      Deno.exit(failed > 0 ? Exit.failed : Exit.done);
    });
  return withManual(command, {
    examples: [
      ["xsnd doctor", "check a host before and after its set-up"],
      ["xsnd sandbox -- xsnd doctor", "check an embedded Xen"],
      [`xsnd doctor --json | jq '.findings[] | select(.level == "fail")'`, "list the failures in a script"],
    ],
    exits: { done: "no check failed; there may be warnings", failed: "a check failed" },
    environment: [
      ...new Set([...XEN_VARIABLES, ...CONTROL_VARIABLES]),
      "XSND_LIBXENHYPFS",
      "XSND_LIBASOUND",
      "NO_COLOR",
    ],
    files: ["/run/xsnd/control.sock"],
    seeAlso: ["xsnd-serve(1)", "xsnd-probe(1)", "xsnd-demo(1)"],
  });
}

function printFinding(finding: GroupedFinding, isFirst: boolean): void {
  const { group, level, mend, command, page } = finding;
  if (isFirst) console.log(styleText("bold", group));
  // Only the level has a colour, so that wrapped lines contain no escape sequences.
  console.log(`  ${styleText(COLOURS[level], level.padEnd(4))}  ${subjectAndDetail(finding)}`);
  if (mend !== undefined) printWrapped(mend, INDENT);
  // A command stays on one line, however long, so that it can be copied.
  if (command !== undefined) print(`${INDENT}$ ${command}`);
  if (page !== undefined) printWrapped(`see ${page}`, INDENT);
}

/** Two columns. A subject that is wider than its column has a line of its own. */
function subjectAndDetail({ subject, detail }: GroupedFinding): string {
  const details = wrapped(detail, INDENT).join("\n");
  const name = printable(subject);
  return name.length > SUBJECT_COLUMNS
    ? `${name}\n${details}`
    : name.padEnd(SUBJECT_COLUMNS + 2) + details.slice(INDENT.length);
}

function printVerdict(failed: number, warnings: number): void {
  const verdict = failed > 0
    ? styleText("red", `${count(failed, "failure")}, ${count(warnings, "warning")}`)
    : styleText("green", warnings === 0 ? "fit" : `fit, with ${count(warnings, "warning")}`);
  console.log(`\n${verdict}`);
}
