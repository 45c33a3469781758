// SPDX-License-Identifier: MIT
/** Options of commands that go on for long, and log what happens. */
import { type Command, Option } from "commander";
import { LOG_FORMATS, type LogFormat, type LogOptions } from "../../lib/log/mod.ts";

/** What {@link addLogOptions} lets a command be told. */
export interface LogChoice {
  readonly logFormat: LogFormat;
  readonly verbose?: boolean;
  readonly quiet?: boolean;
}

export function addLogOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--log-format <format>", "lines for people, or an object a line").choices([...LOG_FORMATS])
        .default("text"),
    )
    .option("-v, --verbose", "log more, for who looks for a fault")
    .addOption(new Option("-q, --quiet", "log warnings and errors alone").conflicts("verbose"));
}

export function logOptions({ logFormat: format, verbose, quiet }: LogChoice): LogOptions {
  return { format, level: verbose ? "debug" : quiet ? "warning" : "info" };
}
