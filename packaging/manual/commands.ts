// SPDX-License-Identifier: MIT
/** The manual pages of the commands: xsnd(1), and one a command, made from the commands' own help. */
import type { Argument, Command } from "commander";
import { COMMANDS, GROUPS, loadCommand } from "../../cmd/commands.ts";
import {
  COMMON_EXITS,
  EVERY_COMMAND,
  exitsOf,
  FILES,
  manualOf,
  type SystemFile,
  type Variable,
  VARIABLES,
} from "../../cmd/shared/manual.ts";
import { Exit } from "../../lib/base/error.ts";
import { type Block, type Page, type Part, referenceTo, sentence, term } from "./page.ts";

/** The page of the whole. */
const XSND = "xsnd(1)";

/** Commands that are daemons; the pages of the others are in section 1. */
const DAEMONS = ["serve"];

/** What to do first. */
const FIRST_STEPS: readonly (readonly [line: string, what: string])[] = [
  ["xsnd demo", "play a melody through all parts of xsnd in an embedded Xen, and compare what arrives"],
  ["xsnd doctor", "check that this host can serve guests"],
  ["xsnd provision domU --device hw:0,0", "give the guest domU a card on the host's first device"],
  ["xsnd serve", "serve the guest's card"],
];

/** xsnd(1) and the pages of all commands, in the order of the overall help. */
export async function commandPages(): Promise<Page[]> {
  const commands = await Promise.all(Object.keys(COMMANDS).map(loadCommand));
  const pages = commands.map(commandPage);
  return [mainPage(pages), ...pages];
}

function mainPage(pages: readonly Page[]): Page {
  const names = Object.keys(COMMANDS);
  return {
    name: "xsnd",
    section: 1,
    summary: "sound for Xen guests",
    parts: [
      {
        title: "Synopsis",
        blocks: [{ synopsis: ["xsnd <command> [options] [arguments]", "xsnd <command> --help"] }],
      },
      {
        title: "Description",
        blocks: [
          "Xen guests play and record through the para-virtualised device vsnd. The driver snd_xen_front runs in the guest. A " +
          "backend runs in dom0 or in a driver domain. The two speak the protocol sndif. xsnd is the backend. It also writes " +
          "the XenStore nodes by which a guest finds its cards, and controls and watches the streams.",
          "A command prints data on the standard output, and messages for people on the standard error. `--json` makes the " +
          "data JSON.",
        ],
      },
      {
        title: "Commands",
        blocks: [],
        parts: Object.entries(GROUPS).map(([group, title]) => ({
          title,
          blocks: [{
            terms: names.flatMap((name, i) =>
              COMMANDS[name]!.group === group
                ? [term(referenceTo(pages[i]!), sentence(pages[i]!.summary))]
                : []
            ),
          }],
        })),
      },
      {
        title: "Streams",
        blocks: [
          "The name of a stream is `DOMAIN/CARD/PCM/STREAM`, such as `domU/0/0/0`. DOMAIN is a guest's name or number. The other " +
          "parts are numbers that count from 0. Trailing parts can be left out where the rest names one stream only.",
        ],
      },
      {
        title: "Exit status",
        blocks: [
          {
            terms: Object.entries(Exit).map(([name, code]) =>
              term(String(code), sentence(COMMON_EXITS[name as keyof typeof Exit]))
            ),
          },
          "A command's page says what a code means for that command. xsnd sandbox ends with the exit status of the command that " +
          "it runs.",
        ],
      },
      environment(Object.keys(VARIABLES) as Variable[]),
      files(Object.keys(FILES) as SystemFile[]),
      examples(FIRST_STEPS),
      {
        title: "See also",
        blocks: [{ references: ["xsnd.yaml(5)", "xl(1)", "xl.cfg(5)", "xenstore-ls(1)", "aplay(1)"] }],
      },
    ],
  };
}

function commandPage(command: Command): Page {
  const manual = manualOf(command);
  const name = `xsnd-${command.name()}`;
  const below = command.createHelp().visibleCommands(command).filter((other) => other.name() !== "help");
  const own = `xsnd ${command.name()}`;
  const variables = [...new Set([...manual?.environment ?? [], ...EVERY_COMMAND])];
  return {
    name,
    section: DAEMONS.includes(command.name()) ? 8 : 1,
    summary: command.summary(),
    parts: [
      {
        title: "Synopsis",
        blocks: [{
          synopsis: below.length === 0
            ? [usage(command, own)]
            : below.map((other) => usage(other, `${own} ${other.name()}`)),
        }],
      },
      { title: "Description", blocks: description(command) },
      ...(below.length === 0 ? [] : [{
        title: "Commands",
        blocks: [],
        parts: below.map((other) => ({
          title: `${own} ${other.name()}`,
          blocks: [
            ...description(other),
            ...parameters(other),
            ...labelled("Exit status:", exitStatus(other)),
            ...labelled("Examples:", exampleBlocks(manualOf(other)?.examples)),
          ],
        })),
      }]),
      ...part("Options", parameters(command)),
      ...(below.length === 0 ? part("Exit status", exitStatus(command)) : []),
      environment(variables),
      ...(manual?.files === undefined ? [] : [files(manual.files)]),
      ...part("Examples", exampleBlocks(manual?.examples)),
      { title: "See also", blocks: [{ references: [...new Set([XSND, ...manual?.seeAlso ?? []])] }] },
    ],
  };
}

/** A part, unless it is empty. */
function part(title: string, blocks: readonly Block[]): Part[] {
  return blocks.length === 0 ? [] : [{ title, blocks }];
}

/** Blocks below a line that says what they are, where a part has no parts. */
function labelled(label: string, blocks: readonly Block[]): Block[] {
  return blocks.length === 0 ? [] : [label, ...blocks];
}

function description(command: Command): Block[] {
  return [command.description() || sentence(command.summary()), ...manualOf(command)?.details ?? []];
}

/** The command line: `xsnd play [options] <file> <stream>`. */
function usage(command: Command, name: string): string {
  const given = command.usage();
  const own = given.startsWith("[options]") ? given.slice("[options]".length).trim() : given;
  return `${name} [options] ${own || command.registeredArguments.map(parameter).join(" ")}`.trimEnd();
}

function parameter(argument: Argument): string {
  const name = argument.variadic ? `${argument.name()}...` : argument.name();
  return argument.required ? `<${name}>` : `[${name}]`;
}

/** Arguments that have a description, then options. */
function parameters(command: Command): Block[] {
  const help = command.createHelp();
  const terms = [
    ...help.visibleArguments(command).map((one) =>
      term(parameter(one), sentence(help.argumentDescription(one)))
    ),
    ...help.visibleOptions(command).filter(({ long }) => long !== "--help")
      .map((one) => term(one.flags, sentence(help.optionDescription(one)))),
  ];
  return terms.length === 0 ? [] : [{ terms }];
}

function exitStatus(command: Command): Block[] {
  const manual = manualOf(command);
  if (manual === undefined) return [];
  return [{ terms: exitsOf(manual).map(([code, meaning]) => term(String(code), sentence(meaning))) }];
}

function environment(variables: readonly Variable[]): Part {
  return {
    title: "Environment",
    blocks: [{ terms: variables.map((name) => term(name, sentence(VARIABLES[name]))) }],
  };
}

function files(paths: readonly SystemFile[]): Part {
  return { title: "Files", blocks: [{ terms: paths.map((path) => term(path, sentence(FILES[path]))) }] };
}

function examples(lines: readonly (readonly [line: string, what: string])[]): Part {
  return { title: "Examples", blocks: exampleBlocks(lines) };
}

function exampleBlocks(lines: readonly (readonly [line: string, what: string])[] = []): Block[] {
  return lines.length === 0 ? [] : [{ terms: lines.map(([line, what]) => term(line, sentence(what))) }];
}
