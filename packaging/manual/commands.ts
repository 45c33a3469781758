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
import { CONFIGURATION_COMMANDS } from "./configuration.ts";
import { type Block, type Page, type Part, referenceTo, sentence, type Term, term } from "./page.ts";

/** The page of the whole. */
const XSND = "xsnd(1)";

/** The page of the configuration file. */
const CONFIGURATION = "xsnd.yaml(5)";

/** What to do first. */
const FIRST_STEPS: readonly (readonly [line: string, what: string])[] = [
  ["xsnd demo", "play a melody through all parts of xsnd in an embedded Xen, and compare what arrives"],
  ["xsnd doctor", "check that this host can serve guests"],
  ["xsnd provision domU --device hw:0,0", "give the guest domU a card on the host's first device"],
  ["xsnd serve", "serve the guest's card"],
];

/** xsnd(1) and the pages of all commands, in the order of the overall help. */
export async function pagesOfCommands(): Promise<Page[]> {
  const commands = await Promise.all(Object.keys(COMMANDS).map(loadCommand));
  const pages = commands.map((command) => commandPages(command, ["xsnd"]));
  return [mainPage(pages.map(([page]) => page!)), ...pages.flat()];
}

/** @param pages those of the commands of the overall help */
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
            terms: names.flatMap((name, i) => COMMANDS[name]!.group === group ? [leadTo(pages[i]!)] : []),
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
        blocks: [{ references: [CONFIGURATION, "xl(1)", "xl.cfg(5)", "xenstore-ls(1)", "aplay(1)"] }],
      },
    ],
  };
}

/** The pages of a command and of the commands below it that have a manual. `path` is what is typed before the command's name. */
function commandPages(command: Command, path: readonly string[]): Page[] {
  const words = [...path, command.name()];
  const below = commandsBelow(command).filter((other) => manualOf(other) !== undefined);
  const pagesBelow = below.flatMap((other) => commandPages(other, words));
  return [commandPage(command, words, pagesBelow), ...pagesBelow];
}

function commandsBelow(command: Command): Command[] {
  return command.createHelp().visibleCommands(command).filter((other) =>
    other.name() !== "help"
  ) as Command[];
}

function commandPage(command: Command, words: readonly string[], pagesBelow: readonly Page[]): Page {
  const manual = manualOf(command);
  const page = { name: words.join("-"), section: 1, summary: command.summary() } as const;
  const variables = [...new Set([...manual?.environment ?? [], ...EVERY_COMMAND])];
  const typed = words.join(" ");
  const below = commandsBelow(command);
  const references = [
    words.length > 2 ? `${words.slice(0, -1).join("-")}(1)` : XSND,
    ...(CONFIGURATION_COMMANDS.includes(page.name) ? [CONFIGURATION] : []),
    ...manual?.seeAlso ?? [],
  ];
  return {
    ...page,
    parts: [
      {
        title: "Synopsis",
        blocks: [{
          synopsis: below.length === 0
            ? [usage(command, typed)]
            : below.map((other) => usage(other, `${typed} ${other.name()}`)),
        }],
      },
      { title: "Description", blocks: description(command) },
      ...part("Commands", commandList(below, pagesBelow)),
      ...part("Options", parameters(command)),
      ...(pagesBelow.length === 0 ? part("Exit status", exitStatus(command)) : []),
      environment(variables),
      ...(manual?.files === undefined ? [] : [files(manual.files)]),
      ...part("Examples", exampleBlocks(manual?.examples)),
      { title: "See also", blocks: [{ references: [...new Set(references)] }] },
    ],
  };
}

/** Commands below a command: each leads to its page, or is described if it has none. */
function commandList(below: readonly Command[], pages: readonly Page[]): Block[] {
  if (below.length === 0) return [];
  const described = below.filter((other) => manualOf(other) === undefined)
    .map((other) => term(other.name(), sentence(other.summary() || other.description())));
  return [{ terms: [...pages.map(leadTo), ...described] }];
}

/** A page in a list of pages. */
function leadTo(page: Page): Term {
  return term(referenceTo(page), sentence(page.summary));
}

/** A part, unless it is empty. */
function part(title: string, blocks: readonly Block[]): Part[] {
  return blocks.length === 0 ? [] : [{ title, blocks }];
}

function description(command: Command): Block[] {
  return [command.description() || sentence(command.summary()), ...manualOf(command)?.details ?? []];
}

/** The command line: `xsnd play [options] <file> <stream>`. What a usage of the command's own has before and after its options stays. */
function usage(command: Command, name: string): string {
  const given = command.usage();
  const at = given.indexOf("[options]");
  const required = at < 0 ? "" : given.slice(0, at);
  const own = at < 0 ? given : given.slice(at + "[options]".length).trim();
  const rest = own || command.registeredArguments.map(parameter).join(" ");
  return `${name} ${required}[options] ${rest}`.trimEnd();
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
