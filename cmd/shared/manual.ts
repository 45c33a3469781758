// SPDX-License-Identifier: MIT
/**
 * The manual of a command: everything that its options do not say. `--help` shows the examples and the exit codes; the
 * manual page of the command shows all of it.
 */
import type { Command, Help, Option } from "commander";
import { Exit } from "../../lib/base/error.ts";
import { helpWidth } from "./output.ts";

export interface Manual {
  /** Command lines as a user types them, and the purpose of each. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** The meaning of exit codes for this command. {@link COMMON_EXITS} has the meaning of codes that are not named here. */
  readonly exits?: Partial<Record<keyof typeof Exit, string>>;
  /** Paragraphs of the manual page alone, after the description that `--help` shows. */
  readonly details?: readonly string[];
  /** Environment variables that the command reads, besides {@link EVERY_COMMAND}. */
  readonly environment?: readonly Variable[];
  /** Files that the command reads or writes without being given their names. */
  readonly files?: readonly SystemFile[];
  /** Manual pages, as `xl.cfg(5)`. */
  readonly seeAlso?: readonly string[];
}

/** Environment variables that xsnd reads. */
export const VARIABLES = {
  XSND_CONTROL: "path of the daemon's control socket, instead of /run/xsnd/control.sock",
  XSND_FILES: "directories, separated by commas, where `xsnd serve` may write the files of dummy PCMs",
  XSND_SANDBOX: "directory of an embedded Xen, to use instead of the host's Xen; `xsnd sandbox` sets it",
  XSND_DOMID: "number of the domain to act as in the embedded Xen (0 if unset)",
  XENSTORED_PATH: "path of the XenStore socket that libxenstore connects to; `xsnd sandbox` sets it",
  XSND_LIBXENSTORE: "file to load instead of libxenstore.so.4",
  XSND_LIBXENGNTTAB: "file to load instead of libxengnttab.so.1",
  XSND_LIBXENHYPFS: "file to load instead of libxenhypfs.so.1",
  XSND_LIBXENEVTCHN: "file to load instead of libxenevtchn.so.1",
  XSND_LIBASOUND: "file to load instead of libasound.so.2",
  XSND_LIBC: "file to load instead of libc.so.6",
  XSND_DENO: "Deno executable that runs xsnd",
  NO_COLOR: "if set and not empty, no colours; off a terminal there are none anyway",
} as const;

export type Variable = keyof typeof VARIABLES;

/** Variables that every command reads. */
export const EVERY_COMMAND: readonly Variable[] = ["XSND_DENO", "XSND_LIBC"];
/** Variables of commands that read or write XenStore. */
export const STORE_VARIABLES: readonly Variable[] = [
  "XSND_SANDBOX",
  "XSND_DOMID",
  "XENSTORED_PATH",
  "XSND_LIBXENSTORE",
];
/** Variables of commands that also map pages and use event channels. */
export const XEN_VARIABLES: readonly Variable[] = [
  ...STORE_VARIABLES,
  "XSND_LIBXENGNTTAB",
  "XSND_LIBXENEVTCHN",
];
/** Variables of commands that talk to the daemon. */
export const CONTROL_VARIABLES: readonly Variable[] = ["XSND_CONTROL", "XSND_SANDBOX"];

/** Files that xsnd and its Debian package use. */
export const FILES = {
  "/run/xsnd/control.sock": "control socket of the daemon",
  "/etc/default/xsnd": "options with which the service xsnd.service starts `xsnd serve`",
  "/usr/share/doc/xsnd/examples": "example configuration files, and a dashboard for Grafana",
  "/usr/share/xsnd/xsnd.schema.json": "JSON Schema of the configuration file, for editors",
} as const;

export type SystemFile = keyof typeof FILES;

/** The meaning of exit codes, for every command that does not give its own. */
export const COMMON_EXITS: Readonly<Record<keyof typeof Exit, string>> = {
  done: "success",
  failed: "failure",
  usage: "the command line is wrong",
  noDaemon: "no daemon answers",
  permission: "permission denied",
  xenOrLibraryMissing: "Xen or a library is missing",
  badConfiguration: "the configuration is invalid",
  timedOut: "the time-out has passed",
  interrupted: "interrupted by a signal",
};

const manuals = new WeakMap<Command, Manual>();

/** Gives `command`, which has all its options, its manual; its usage line names the options that it requires. Returns `command`. */
export function withManual(command: Command, manual: Manual): Command {
  manuals.set(command, manual);
  const required = command.options.filter(({ mandatory }) => mandatory).map(briefly);
  if (required.length > 0) command.usage([...required, command.usage()].join(" "));
  return command.addHelpText("after", () => `\n${describe(manual, command.createHelp())}`);
}

/** An option in a usage line: `-o <file>`. */
function briefly({ short, long, flags }: Option): string {
  const value = /<.*>/.exec(flags)?.[0];
  return [short ?? long, value].filter((part) => part !== undefined).join(" ");
}

/** The manual that `command` was given, if any. */
export function manualOf(command: Command): Manual | undefined {
  return manuals.get(command);
}

/** Exit codes of a command and their meanings, in ascending order: success, usage, and the codes that its manual names. */
export function exitsOf({ exits = {} }: Manual): [code: number, meaning: string][] {
  const meanings = { done: COMMON_EXITS.done, usage: COMMON_EXITS.usage, ...exits };
  return Object.entries(meanings)
    .map(([name, meaning]): [number, string] => [Exit[name as keyof typeof Exit], meaning])
    .sort(([a], [b]) => a - b);
}

function describe(manual: Manual, help: Help): string {
  const width = helpWidth();
  /** Wraps `text` after `start`, with later lines indented to the end of `start`. */
  const hang = (start: string, text: string) => {
    const lines = help.boxWrap(text, width - start.length).split("\n");
    return lines.map((line, i) => (i === 0 ? start : " ".repeat(start.length)) + line);
  };
  const examples = manual.examples.flatMap(([line, what]) => [`  ${line}`, ...hang("      ", what)]);
  const exits = exitsOf(manual).flatMap(([code, meaning]) => hang(`  ${String(code).padEnd(4)} `, meaning));
  return ["Examples:", ...examples, "", "Exit codes:", ...exits].join("\n");
}
