// SPDX-License-Identifier: MIT
/** What the help and the man page say of a command besides its options: examples, and what its exit codes mean. */
import type { Command, Help } from "commander";
import { Exit } from "../../lib/base/error.ts";

/** The widest that a line of help gets. */
const COLUMNS = 80;

export interface Manual {
  /** Command lines as one would type them, and what each is for. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** What exit codes mean for this command; those that are not named are as {@link COMMON_EXITS} says. */
  readonly exits?: Partial<Record<keyof typeof Exit, string>>;
}

/** What exit codes mean for every command that can end with them. */
export const COMMON_EXITS: Readonly<Record<keyof typeof Exit, string>> = {
  done: "done",
  failed: "failed",
  usage: "the command line is not understood",
  noDaemon: "no daemon answers",
  permission: "permission denied",
  xenOrLibraryMissing: "Xen, or a library, is missing",
  badConfiguration: "the configuration is not right",
  timedOut: "timed out",
  interrupted: "interrupted",
};

const manuals = new WeakMap<Command, Manual>();

/** Gives `command` its manual, which `--help` shows after the options. Returns `command`. */
export function withManual(command: Command, manual: Manual): Command {
  manuals.set(command, manual);
  return command.addHelpText("after", () => `\n${describe(manual, command.createHelp())}`);
}

/** The manual of a command that was given one. */
export function manualOf(command: Command): Manual | undefined {
  return manuals.get(command);
}

/** The exit codes of a command, as pairs of number and meaning, lowest first: done, usage, and what its manual names. */
export function exitsOf({ exits = {} }: Manual): [code: number, meaning: string][] {
  const meanings = { done: COMMON_EXITS.done, usage: COMMON_EXITS.usage, ...exits };
  return Object.entries(meanings)
    .map(([name, meaning]): [number, string] => [Exit[name as keyof typeof Exit], meaning])
    .sort(([a], [b]) => a - b);
}

function describe(manual: Manual, help: Help): string {
  /** `text` behind `start`, over as many lines as it takes. */
  const hang = (start: string, text: string) => {
    const lines = help.boxWrap(text, COLUMNS - start.length).split("\n");
    return lines.map((line, i) => (i === 0 ? start : " ".repeat(start.length)) + line);
  };
  const examples = manual.examples.flatMap(([line, what]) => [`  ${line}`, ...hang("      ", what)]);
  const exits = exitsOf(manual).flatMap(([code, meaning]) => hang(`  ${String(code).padEnd(4)} `, meaning));
  return ["Examples:", ...examples, "", "Exit codes:", ...exits].join("\n");
}
