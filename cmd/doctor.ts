// SPDX-License-Identifier: MIT
/** `xsnd doctor`: is this host fit, and what to do where it is not. */
import { Command } from "commander";
import { styleText } from "node:util";
import { examine, type GroupedFinding } from "../lib/doctor/examine.ts";
import type { Level } from "../lib/doctor/doctor_finding.ts";
import { Exit } from "../lib/base/error.ts";
import { withManual } from "./shared/manual.ts";
import { duration } from "./shared/options.ts";
import { count, print, printable, printJson, printWrapped, wrapped } from "./shared/output.ts";

const COLOURS = { ok: "green", warn: "yellow", fail: "red", skip: "dim" } as const;
const SUBJECT_COLUMNS = 17;
/** Of the details: after the level and the subject. */
const INDENT = " ".repeat(2 + 4 + 2 + SUBJECT_COLUMNS + 2);

export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description(
      "Look at all that serving guests needs: Xen, libraries, devices, XenStore, the cards in it, sound, limits and the " +
        "daemon. Each finding is ok, warn, fail or skip (nothing to look at), with what mends it. Changes nothing; the " +
        "PCMs that cards name are opened for a moment.",
    )
    .option("--timeout <seconds>", "how long each check may take", duration, 5)
    .option("--json", "print one JSON object")
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
      // Also where nothing failed: a check that hangs would keep the process.
      Deno.exit(failed > 0 ? Exit.failed : Exit.done);
    });
  return withManual(command, {
    examples: [
      ["xsnd doctor", "on a host, before and after it is set up"],
      ["xsnd sandbox -- xsnd doctor", "of an embedded Xen"],
      [`xsnd doctor --json | jq '.findings[] | select(.level == "fail")'`, "for scripts"],
    ],
    exits: { done: "nothing failed; there may be warnings", failed: "something failed" },
  });
}

function printFinding(finding: GroupedFinding, isFirst: boolean): void {
  const { group, level, mend, command } = finding;
  if (isFirst) console.log(styleText("bold", group));
  // The level is all that is coloured, so that what is broken into lines has no colours in it.
  console.log(`  ${styleText(COLOURS[level], level.padEnd(4))}  ${subjectAndDetail(finding)}`);
  if (mend !== undefined) printWrapped(mend, INDENT);
  // In one piece, however long, so that it can be copied.
  if (command !== undefined) print(`${INDENT}$ ${command}`);
}

/** In two columns; a subject too long for its own has a line to itself. */
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
