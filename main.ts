// SPDX-License-Identifier: MIT
/**
 * The command line: the command that the first word names, and the one place where failures become messages and exit
 * codes.
 */
import { Command, CommanderError } from "commander";
import { COMMANDS, GROUPS, loadCommand } from "./cmd/commands.ts";
import { suggestChoices } from "./cmd/shared/suggest_choices.ts";
import { Exit, firstError, XsndError } from "./lib/base/error.ts";
import { reportFailure } from "./lib/base/failure.ts";
import { VERSION } from "./lib/base/version.ts";

/** Runs `args` and returns the exit code. */
async function main(args: string[]): Promise<number> {
  const program = new Command("xsnd")
    .description("Sound for Xen guests: provision, serve and control para-virtualised vsnd cards.")
    .version(VERSION)
    .showSuggestionAfterError()
    .commandsGroup(`${GROUPS.help}:`)
    .helpCommand("help [command]", "explain a command")
    .exitOverride();
  for (const [name, { group, summary }] of Object.entries(COMMANDS)) {
    // Options come before or after a command, but not before its name: the first word decides what is loaded.
    const command = args[0] === name
      ? suggestChoices(inherit(await loadCommand(name), program))
      : new Command(name).summary(summary);
    program.addCommand(command.helpGroup(`${GROUPS[group]}:`));
  }
  try {
    if (args[0] === "help" && COMMANDS[args[1]] !== undefined) args = [args[1], "--help"];
    await program.parseAsync(args.length === 0 ? ["--help"] : args, { from: "user" });
    return Exit.done;
  } catch (error) {
    return exitCodeOf(firstError(error));
  }
}

/** Gives `command`, and those below it, the settings of `parent`. */
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
