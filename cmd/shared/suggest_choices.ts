// SPDX-License-Identifier: MIT
/** Suggestions for a mistyped choice; commander makes those for commands and options. */
import { type Argument, type Command, InvalidArgumentError, type Option } from "commander";
import { didYouMean } from "../../lib/base/suggest.ts";

/** Lets each argument and option of `command` that has choices suggest the one that was meant. Returns `command`. */
export function suggestChoices(command: Command): Command {
  for (const item of [...command.registeredArguments, ...command.options]) suggestChoice(item);
  for (const subcommand of command.commands) suggestChoices(subcommand);
  return command;
}

function suggestChoice(item: Argument | Option): void {
  const { argChoices: choices, parseArg: parse } = item;
  if (choices === undefined || parse === undefined) return;
  item.argParser((value: string, previous: unknown) => {
    if (choices.includes(value)) return parse(value, previous);
    throw new InvalidArgumentError(`Allowed choices are ${choices.join(", ")}${didYouMean(value, choices)}.`);
  });
}
