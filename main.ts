// SPDX-License-Identifier: MIT
/**
 * The command line: runs the command that the first word names, and turns errors into messages and exit codes.
 */
import { Command, CommanderError } from "commander";
import { COMMANDS, GROUPS, loadCommand } from "./cmd/commands.ts";
import { helpWidth } from "./cmd/shared/output.ts";
import { suggestChoices } from "./cmd/shared/suggest_choices.ts";
import { Exit, firstError, XsndError } from "./lib/base/error.ts";
import { reportFailure } from "./lib/base/failure.ts";
import { VERSION } from "./lib/base/version.ts";

/** Runs `args` and returns the exit code. */
async function main(words: string[]): Promise<number> {
  const args = asked(words);
  const program = new Command("xsnd")
    .description("Sound for Xen guests: provision, serve and control para-virtual sound cards (vsnd).")
    .version(VERSION)
    .showSuggestionAfterError()
    .commandsGroup(`${GROUPS.help}:`)
    .helpCommand("help [command...]", "show the help of a command")
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, "xsnd: ")),
      getOutHelpWidth: helpWidth,
    })
    .exitOverride();
  for (const [name, { group, summary }] of Object.entries(COMMANDS)) {
    // No option precedes the name of a command, so the first word tells which command to load.
    const command = args[0] === name
      ? suggestChoices(inherit(await loadCommand(name), program))
      : new Command(name).summary(summary);
    program.addCommand(command.helpGroup(`${GROUPS[group]}:`));
  }
  try {
    await program.parseAsync(args, { from: "user" });
    return Exit.done;
  } catch (error) {
    return exitCodeOf(firstError(error));
  }
}

/** The words that commander understands: `help trace record` asks what `trace record --help` asks. */
function asked(words: string[]): string[] {
  const [first, ...rest] = words;
  if (first === undefined) return ["--help"];
  const isOfCommand = first === "help" && COMMANDS[rest[0] ?? ""] !== undefined;
  return isOfCommand ? [...rest, "--help"] : words;
}

/** Copies the settings of `parent` to `command` and its subcommands. */
function inherit(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent);
  for (const below of command.commands) inherit(below as Command, command);
  return command;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.done : Exit.usage;
  if (error instanceof Deno.errors.BrokenPipe) return Exit.done;
  if (error instanceof XsndError) {
    reportFailure(error.message);
    return error.exitCode;
  }
  throw error;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
