// SPDX-License-Identifier: MIT
/**
 * The table of all commands, with their groups and summaries. main.ts, the manual pages and the shells' completions are made
 * from this table. A command's module is loaded only when the command is called.
 */
import type { Command } from "commander";

/** Groups of commands, in the order of `xsnd help`. */
export const GROUPS = {
  provisioning: "Provisioning",
  serving: "Serving",
  control: "Control",
  watching: "Watching",
  trying: "Trying out",
  help: "Help",
} as const;

export interface Entry {
  readonly group: keyof typeof GROUPS;
  /** The command in a line, for `xsnd help`. */
  readonly summary: string;
  load(): Promise<Command>;
}

/** Every command, in the order of `xsnd help`. */
export const COMMANDS: Readonly<Record<string, Entry>> = {
  provision: {
    group: "provisioning",
    summary: "create or change the virtual sound cards of guests",
    load: async () => (await import("./provision.ts")).provisionCommand(),
  },
  diff: {
    group: "provisioning",
    summary: "compare the cards in XenStore with the wanted cards",
    load: async () => (await import("./diff.ts")).diffCommand(),
  },
  deprovision: {
    group: "provisioning",
    summary: "detach the virtual sound cards of a guest",
    load: async () => (await import("./deprovision.ts")).deprovisionCommand(),
  },
  list: {
    group: "provisioning",
    summary: "list the virtual sound cards of all guests",
    load: async () => (await import("./list.ts")).listCommand(),
  },
  show: {
    group: "provisioning",
    summary: "show the cards of a guest in full",
    load: async () => (await import("./show.ts")).showCommand(),
  },
  check: {
    group: "provisioning",
    summary: "validate a configuration file",
    load: async () => (await import("./check.ts")).checkCommand(),
  },
  example: {
    group: "provisioning",
    summary: "print a configuration with every key, annotated",
    load: async () => (await import("./example.ts")).exampleCommand(),
  },
  probe: {
    group: "provisioning",
    summary: "show the formats, rates and channels of this host's PCMs",
    load: async () => (await import("./probe.ts")).probeCommand(),
  },
  import: {
    group: "provisioning",
    summary: "convert vsnd=[...] of an xl.cfg, or a running domain, to YAML",
    load: async () => (await import("./import.ts")).importCommand(),
  },
  export: {
    group: "provisioning",
    summary: "convert YAML, or a running domain, to vsnd=[...] for xl.cfg",
    load: async () => (await import("./export.ts")).exportCommand(),
  },
  serve: {
    group: "serving",
    summary: "run the backend daemon",
    load: async () => (await import("./serve.ts")).serveCommand(),
  },
  trigger: {
    group: "control",
    summary: "pause, resume, stop or start a stream, as operator",
    load: async () => (await import("./trigger.ts")).triggerCommand(),
  },
  volume: {
    group: "control",
    summary: "show or set the volume of a stream",
    load: async () => (await import("./volume.ts")).volumeCommand(),
  },
  mute: {
    group: "control",
    summary: "mute a stream",
    load: async () => (await import("./volume.ts")).muteCommand(),
  },
  unmute: {
    group: "control",
    summary: "unmute a stream",
    load: async () => (await import("./volume.ts")).unmuteCommand(),
  },
  status: {
    group: "watching",
    summary: "show the streams that the daemon serves",
    load: async () => (await import("./status.ts")).statusCommand(),
  },
  top: {
    group: "watching",
    summary: "show the streams that the daemon serves, refreshed",
    load: async () => (await import("./top.ts")).topCommand(),
  },
  events: {
    group: "watching",
    summary: "tell what happens to the streams, a line each",
    load: async () => (await import("./events.ts")).eventsCommand(),
  },
  logs: {
    group: "watching",
    summary: "show the daemon's log, of all or of some streams",
    load: async () => (await import("./logs.ts")).logsCommand(),
  },
  wait: {
    group: "watching",
    summary: "wait until a stream is connected, open, running or closed",
    load: async () => (await import("./wait.ts")).waitCommand(),
  },
  trace: {
    group: "watching",
    summary: "record, show, replay and draw the packets of a stream",
    load: async () => (await import("./trace.ts")).traceCommand(),
  },
  doctor: {
    group: "watching",
    summary: "check whether this host can serve guests",
    load: async () => (await import("./doctor.ts")).doctorCommand(),
  },
  play: {
    group: "trying",
    summary: "play a file into a stream, as its guest",
    load: async () => (await import("./play.ts")).playCommand(),
  },
  record: {
    group: "trying",
    summary: "record a stream to a file, as its guest",
    load: async () => (await import("./record.ts")).recordCommand(),
  },
  sandbox: {
    group: "trying",
    summary: "run a command in an embedded Xen",
    load: async () => (await import("./sandbox.ts")).sandboxCommand(),
  },
  demo: {
    group: "trying",
    summary: "test the whole path: sandbox, provision, serve and play",
    load: async () => (await import("./demo.ts")).demoCommand(),
  },
  test: {
    group: "trying",
    summary: "test sound from a guest to devices, with a verdict for each check",
    load: async () => (await import("./test.ts")).testCommand(),
  },
  version: {
    group: "help",
    summary: "print the versions of xsnd, the daemon, Xen and the libraries",
    load: async () => (await import("./version.ts")).versionCommand(),
  },
  completions: {
    group: "help",
    summary: "print a completion script for bash, zsh or fish",
    load: async () => (await import("./completions.ts")).completionsCommand(candidates(), loadCommand),
  },
};

/** Every command, as candidates for the first word of a command line. */
const candidates = () => Object.entries(COMMANDS).map(([text, { summary }]) => ({ text, meaning: summary }));

/** Loads the command `name`, which must be in {@link COMMANDS}, and gives it its summary. */
export async function loadCommand(name: string): Promise<Command> {
  const entry = COMMANDS[name];
  if (entry === undefined) throw new RangeError(`no command ${name}`);
  const { summary, load } = entry;
  return (await load()).summary(summary);
}
