// SPDX-License-Identifier: MIT
/** `xsnd trace show`: prints the records of a trace. */
import { Command } from "commander";
import { RecordKind, TRACE_VERSION } from "../lib/trace/trace_format.ts";
import { withManual } from "./shared/manual.ts";
import { print, printJsonLine } from "./shared/output.ts";
import { describeSummary, verdictLines } from "./shared/trace_output.ts";

interface Options {
  readonly summary?: boolean;
  readonly positions?: boolean;
  readonly json?: boolean;
}

export function traceShowCommand(): Command {
  const command = new Command("show")
    .summary("print each record of FILE, and why the sound stuttered")
    .description(
      "Decode a trace. `>` marks packets from the guest and `<` packets to the guest. Times are in seconds since the trace " +
        "began. A round trip lasts from the moment when the daemon takes the request off the ring until its response is ready.",
    )
    .argument("<file>", "a trace; - is standard input")
    .option("--summary", "print no records: say why the sound stuttered, and the figures")
    .option("--positions", "also print the device's position at each of its interrupts")
    .option("--json", "print a JSON object a line: the file's head, the records, and a summary")
    .action(show);
  return withManual(command, {
    examples: [
      ["xsnd trace show stutter.trace --summary", "say why the sound stuttered"],
      ["xsnd trace show stutter.trace | less", "read requests, responses and events"],
      [
        "xsnd trace show a.trace --json | jq 'select(.kind==\"response\" and .status<0)'",
        "list the refused requests",
      ],
    ],
    exits: { failed: "FILE cannot be read, or is not a trace", permission: "this user may not read FILE" },
    seeAlso: ["xsnd-trace-record(1)", "xsnd-trace-plot(1)"],
  });
}

async function show(path: string, options: Options): Promise<void> {
  const [{ readTrace }, { Decoder }, { fieldsOf, lineOf }, { summarize }, { judge }] = await Promise.all([
    import("../lib/trace/trace_file.ts"),
    import("../lib/trace/packets.ts"),
    import("../lib/trace/describe_record.ts"),
    import("../lib/trace/summary.ts"),
    import("../lib/trace/verdict.ts"),
  ]);
  const { head, records, truncated } = readTrace(path);
  if (options.json) printJsonLine({ kind: "head", version: TRACE_VERSION, ...head });
  else print(`# ${head.stream}, ${head.type} on ${head.device}, from ${head.startedAt} on`);
  const decoder = new Decoder();
  for (const record of options.summary ? [] : records) {
    const decoded = decoder.next(record);
    if (record.kind === RecordKind.position && !options.positions) continue;
    if (options.json) printJsonLine({ time: record.time / 1e6, ...fieldsOf(decoded) });
    else print(lineOf(decoded));
  }
  const [summary, verdict] = [summarize(records), judge(head.type, records)];
  if (options.json) return printJsonLine({ kind: "summary", ...summary, verdict, truncated });
  print(`# ${describeSummary(summary)}`);
  for (const line of verdictLines(verdict)) print(`# ${line}`);
  if (truncated) {
    print("# the file ends in the middle of a record: its recorder was killed, or the disk is full");
  }
}
