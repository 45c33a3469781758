// SPDX-License-Identifier: MIT
/**
 * The manual page xsnd(1), in the man macros of roff, made of what the commands say of themselves.
 *
 *     deno task man >xsnd.1 && man ./xsnd.1
 */
import type { Argument, Command } from "commander";
import { COMMANDS, GROUPS, loadCommand } from "../cmd/commands.ts";
import { COMMON_EXITS, exitsOf, FILES, manualOf, VARIABLES } from "../cmd/shared/manual.ts";
import { Exit } from "../lib/base/error.ts";
import { VERSION } from "../lib/base/version.ts";
import { releasesOf } from "./changelog.ts";

const SEE_ALSO = ["xl(1)", "xl.cfg(5)", "xenstore-ls(1)", "aplay(1)", "systemctl(1)"];

/** The page; `date` is that of the release. */
export async function manPage(date: string): Promise<string> {
  const commands = await Promise.all(Object.keys(COMMANDS).map(loadCommand));
  return [
    `.TH XSND 1 ${date} "xsnd ${VERSION}" "User Commands"`,
    ".SH NAME",
    "xsnd \\- sound for Xen guests",
    ".SH SYNOPSIS",
    ".B xsnd",
    ".I command",
    ".RI [ options ]",
    ".RI [ arguments ]",
    ".SH DESCRIPTION",
    text(
      "Xen guests play and record through the para-virtualised vsnd device: the driver snd_xen_front in the guest, the " +
        "sndif protocol between the domains, and a backend in dom0 or a driver domain. xsnd is that backend, and writes and " +
        "shows the XenStore trees by which guests find it.",
    ),
    ".PP",
    text(
      "What a command prints on the standard output is data; what it says to people goes to the standard error. With --json " +
        "the data is JSON.",
    ),
    ".SH COMMANDS",
    ...Object.entries(GROUPS).flatMap(([group, title]) => [
      `.SS ${title}`,
      ...commands.filter((command) => COMMANDS[command.name()].group === group).flatMap((command) =>
        describe(command, "xsnd")
      ),
    ]),
    ".SH STREAMS",
    text(
      "A stream is named DOMAIN/CARD/PCM/STREAM, as domU/0/0/0: the domain by its name or number, and the others by numbers " +
        "that count from 0. Trailing parts may be left out while the rest is unambiguous.",
    ),
    ".SH EXIT STATUS",
    ...Object.entries(Exit).flatMap(([name, code]) =>
      item(bold(String(code)), COMMON_EXITS[name as keyof typeof Exit])
    ),
    text("xsnd sandbox ends with the exit status of the command that it runs."),
    ".SH ENVIRONMENT",
    ...items(VARIABLES),
    ".SH FILES",
    ...items(FILES),
    ".SH EXAMPLES",
    ...commands.flatMap((command) => manualOf(command)?.examples ?? []).flatMap(([line, what]) =>
      item(bold(line), what)
    ),
    ".SH SEE ALSO",
    ...SEE_ALSO.map((page, i) => reference(page, i === SEE_ALSO.length - 1 ? "" : ",")),
    "",
  ].join("\n");
}

/** A command with its options and exit codes, and those of the commands below it. */
function describe(command: Command, parent: string): string[] {
  const name = `${parent} ${command.name()}`;
  const help = command.createHelp();
  const below = help.visibleCommands(command).filter((other) => other.name() !== "help");
  const parameters = below.length > 0 ? "command" : parametersOf(command);
  const options = help.visibleOptions(command).filter((option) => option.long !== "--help");
  const manual = manualOf(command);
  const lines = [
    ".TP",
    `${bold(name)} ${escape(parameters)}`.trimEnd(),
    text(command.description() || capital(command.summary())),
    ...options.length > 0 || manual !== undefined ? [".RS"] : [],
    ...options.flatMap((option) => item(bold(option.flags), help.optionDescription(option))),
    ...manual === undefined
      ? []
      : item("Exit status", exitsOf(manual).map(([code, what]) => `${code} ${what}`).join("; ")),
    ...options.length > 0 || manual !== undefined ? [".RE"] : [],
  ];
  return [...lines, ...below.flatMap((other) => describe(other, name))];
}

function parametersOf(command: Command): string {
  const usage = command.usage();
  const own = usage.startsWith("[options]") ? usage.slice("[options]".length).trim() : usage;
  return own || command.registeredArguments.map(parameter).join(" ");
}

function parameter(argument: Argument): string {
  const name = argument.variadic ? `${argument.name()}...` : argument.name();
  return argument.required ? `<${name}>` : `[${name}]`;
}

function item(term: string, description: string): string[] {
  return [".TP", term, text(description)];
}

function items(described: Readonly<Record<string, string>>): string[] {
  return Object.entries(described).flatMap(([term, what]) => item(bold(term), what));
}

function reference(page: string, comma: string): string {
  const [, name, section] = /^(.+)\((\d)\)$/.exec(page)!;
  return `.BR ${escape(name)} (${section})${comma}`;
}

function capital(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

function bold(word: string): string {
  return `\\fB${escape(word)}\\fR`;
}

/** Running text: lines of at most 80 octets, a sentence begins one, and none is taken for a request. */
function text(words: string): string {
  const set = escape(words).replace(/\\`(.+?)\\`/g, "\\fB$1\\fR");
  const lines: string[] = [];
  for (const sentence of set.split(/(?<=[.;:]) (?=\S)/)) {
    let line = "";
    for (const word of sentence.split(" ")) {
      if (line !== "" && line.length + 1 + word.length > 78) {
        lines.push(line);
        line = "";
      }
      line += line === "" ? word : ` ${word}`;
    }
    lines.push(line);
  }
  return lines.map((line) => line.replace(/^(?=[.'])/, "\\&")).join("\n");
}

function escape(words: string): string {
  return words.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("`", "\\`").replaceAll("'", "\\(aq")
    .replaceAll("~", "\\(ti").replaceAll("^", "\\(ha").replaceAll('"', "\\(dq");
}

if (import.meta.main) {
  const changelog = Deno.readTextFileSync(new URL("../CHANGELOG.md", import.meta.url));
  console.log((await manPage(releasesOf(changelog)[0].date)).trimEnd());
}
