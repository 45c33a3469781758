// SPDX-License-Identifier: MIT
/**
 * Completes a command line of xsnd. The candidates come from the commander commands that also parse the command line. The
 * shells' scripts (shells.ts) only request and show candidates.
 */
import type { Argument, Command, Option } from "commander";

/** A word to complete to, and its meaning for people. */
export interface Candidate {
  readonly text: string;
  readonly meaning?: string;
}

/** Names from XenStore, read only when a completion needs them. */
export interface LiveNames {
  streams(): Promise<readonly string[]>;
  domains(): Promise<readonly string[]>;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** Whether the shell is to add file names. */
  readonly files: boolean;
}

const NOTHING: Completion = { candidates: [], files: false };

/**
 * Completes the last of `words`, which may be empty. `words` follow the program's name. `names` lists all commands, `load`
 * returns a command with its options. The kind of value of an argument or option follows from its choices or from its name
 * in the help: file, stream or domain.
 */
export async function complete(
  words: readonly string[],
  names: readonly Candidate[],
  load: (name: string) => Promise<Command>,
  live: LiveNames,
): Promise<Completion> {
  // bash splits `--for=open` into three words.
  const apart = words.filter((word, i) => word !== "=" || i === words.length - 1);
  const [current, before] = [apart.at(-1) ?? "", apart.slice(0, -1)];
  const [first, ...rest] = before;
  if (first === undefined) return startingWith(current, current.startsWith("-") ? OVERALL_OPTIONS : names);
  const isCommand = (word: string) => names.some(({ text }) => text === word);
  if (first === "help") {
    const [asked, ...more] = rest;
    if (asked === undefined) return startingWith(current, names);
    return isCommand(asked) && more.length === 0
      ? startingWith(current, subcommands(await load(asked)))
      : NOTHING;
  }
  if (!isCommand(first)) return NOTHING;
  return await completeCommand(await load(first), rest, current, live);
}

const OVERALL_OPTIONS: readonly Candidate[] = [{ text: "--help" }, { text: "--version" }];

async function completeCommand(
  command: Command,
  before: readonly string[],
  current: string,
  live: LiveNames,
): Promise<Completion> {
  let position = 0;
  for (let i = 0; i < before.length; i++) {
    const word = before[i]!;
    const subcommand = position === 0 && command.commands.find((other) => other.name() === word);
    if (subcommand) return await completeCommand(subcommand, before.slice(i + 1), current, live);
    if (word === "--") return { candidates: [], files: true };
    const option = optionOf(command, word);
    if (option === undefined) position++;
    else if (takesNext(option, word) && ++i === before.length) {
      return await valuesFor(option, option.flags, current === "=" ? "" : current, live);
    }
  }
  const [flag, value] = split(current);
  const option = optionOf(command, flag);
  if (value !== undefined && option !== undefined) {
    const { candidates, files } = await valuesFor(option, option.flags, value, live);
    return { candidates: candidates.map((each) => ({ ...each, text: `${flag}=${each.text}` })), files };
  }
  if (current.startsWith("-")) return startingWith(current, optionsOf(command, before));
  if (command.commands.length > 0) return startingWith(current, subcommands(command));
  const argument = command.registeredArguments[position] ?? variadic(command.registeredArguments.at(-1));
  return argument === undefined ? NOTHING : await valuesFor(argument, argument.name(), current, live);
}

function subcommands(command: Command): Candidate[] {
  if (command.commands.length === 0) return [];
  const visible = command.createHelp().visibleCommands(command);
  return visible.map((other) => ({ text: other.name(), meaning: other.summary() }));
}

function variadic(argument: Argument | undefined): Argument | undefined {
  return argument?.variadic ? argument : undefined;
}

function optionOf(command: Command, word: string): Option | undefined {
  const [flag] = split(word);
  return command.options.find(({ long, short }) => flag !== "" && (flag === long || flag === short));
}

function takesNext(option: Option, word: string): boolean {
  return option.required && !word.includes("=");
}

function split(word: string): [flag: string, value: string | undefined] {
  const at = word.startsWith("--") ? word.indexOf("=") : -1;
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

/** The options of `command` that `before` does not contain. */
function optionsOf(command: Command, before: readonly string[]): Candidate[] {
  return [
    ...command.options.filter((option) =>
      !option.hidden && !before.some((word) => optionOf(command, word) === option)
    ).map(({ long, short, description }) => ({ text: (long ?? short)!, meaning: description })),
    { text: "--help", meaning: "show the help of the command" },
  ];
}

async function valuesFor(
  { argChoices }: Argument | Option,
  name: string,
  prefix: string,
  live: LiveNames,
): Promise<Completion> {
  if (argChoices !== undefined) return startingWith(prefix, argChoices.map((text) => ({ text })));
  if (/\b(file|directory|command)\b/i.test(name)) return { candidates: [], files: true };
  const names = /\bstream\b/i.test(name)
    ? await live.streams()
    : /\bdomain\b/i.test(name)
    ? await live.domains()
    : [];
  return startingWith(prefix, names.map((text) => ({ text })));
}

function startingWith(prefix: string, candidates: readonly Candidate[]): Completion {
  return { candidates: candidates.filter(({ text }) => text.startsWith(prefix)), files: false };
}
