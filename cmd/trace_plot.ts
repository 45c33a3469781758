// SPDX-License-Identifier: MIT
/** `xsnd trace plot`: draws a trace as one HTML page. */
import { Command } from "commander";
import { STANDARD } from "../lib/base/standard_file.ts";
import { withManual } from "./shared/manual.ts";
import { print } from "./shared/output.ts";

/** The page of the trace at `path`. */
function pageName(path: string): string {
  return path === STANDARD ? STANDARD : `${path.replace(/\.trace$/, "")}.html`;
}

export function tracePlotCommand(): Command {
  const command = new Command("plot")
    .summary("draw FILE as an HTML page")
    .description(
      "Say why the sound stuttered, and draw four graphs over a common time axis: the position reported to the guest against " +
        "the device's clock, the fill of the buffer, round trips and xruns. The result is one HTML file that needs no network.",
    )
    .argument("<file>", "a trace; - is standard input")
    .option(
      "-o, --output <file>",
      "HTML file to write; - is standard output; default: FILE with the ending .html",
    )
    .action(async (path: string, { output = pageName(path) }: { output?: string }) => {
      const [{ readTrace, createFile }, { pageOf }] = await Promise.all([
        import("../lib/trace/trace_file.ts"),
        import("../lib/trace/page.ts"),
      ]);
      const page = new TextEncoder().encode(pageOf(readTrace(path)));
      using append = createFile(output);
      append(page);
      if (output !== STANDARD) print(`drawn to ${output}; open it in a browser`);
    });
  return withManual(command, {
    examples: [["xsnd trace plot stutter.trace", "write stutter.html, a page for a browser"]],
    exits: {
      failed: "the trace cannot be read, or the page cannot be written",
      permission: "this user may not read the trace, or may not write the page",
    },
    seeAlso: ["xsnd-trace-record(1)", "xsnd-trace-show(1)"],
  });
}
