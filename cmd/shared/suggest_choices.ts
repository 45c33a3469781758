// SPDX-License-Identifier: MIT
/** Suggests the closest choice for a mistyped value of an argument or option. commander does so for the names of commands and options only. */
import { type Argument, type Command, InvalidArgumentError, type Option } from "commander";
import { didYouMean } from "../../lib/base/suggest.ts";

/** Makes all arguments and options of `command` with choices suggest the closest choice. Returns `command`. */
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
