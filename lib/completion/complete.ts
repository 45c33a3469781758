// SPDX-License-Identifier: MIT
/**
 * What may stand next on a command line of xsnd, found in the same description of its commands that parses them. The
 * shells' scripts (shells.ts) only ask and show.
 */
import type { Argument, Command, Option } from "commander";

/** What one may type, and for people what it means. */
export interface Candidate {
  readonly text: string;
  readonly meaning?: string;
}

/** Names that only the host knows; asked for when they are wanted. */
export interface LiveNames {
  streams(): Promise<readonly string[]>;
  domains(): Promise<readonly string[]>;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** The shell is to offer files as well. */
  readonly files: boolean;
}

const NOTHING: Completion = { candidates: [], files: false };

/**
 * Completes the last of `words`, which stand after the program's name; it may be empty. `load` returns a command with its
 * options, `names` lists all commands. What an argument or an option takes is told by its choices or by its name in
 * the help: a file, a stream, a domain.
 */
export async function complete(
  words: readonly string[],
  names: readonly Candidate[],
  load: (name: string) => Promise<Command>,
  live: LiveNames,
): Promise<Completion> {
  // bash takes `--for=open` for three words.
  const apart = words.filter((word, i) => word !== "=" || i === words.length - 1);
  const [current, before] = [apart.at(-1) ?? "", apart.slice(0, -1)];
  if (before.length === 0) return startingWith(current, current.startsWith("-") ? OVERALL_OPTIONS : names);
  if (before[0] === "help") return before.length === 1 ? startingWith(current, names) : NOTHING;
  if (!names.some(({ text }) => text === before[0])) return NOTHING;
  return await completeCommand(await load(before[0]), before.slice(1), current, live);
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
    const word = before[i];
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
  if (command.commands.length > 0) {
    const visible = command.createHelp().visibleCommands(command);
    return startingWith(current, visible.map((other) => ({ text: other.name(), meaning: other.summary() })));
  }
  const argument = command.registeredArguments[position] ?? variadic(command.registeredArguments.at(-1));
  return argument === undefined ? NOTHING : await valuesFor(argument, argument.name(), current, live);
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

/** The options that are not there yet. */
function optionsOf(command: Command, before: readonly string[]): Candidate[] {
  return [
    ...command.options.filter((option) =>
      !option.hidden && !before.some((word) => optionOf(command, word) === option)
    ).map(({ long, short, description }) => ({ text: (long ?? short)!, meaning: description })),
    { text: "--help", meaning: "show what the command does" },
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
