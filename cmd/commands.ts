// SPDX-License-Identifier: MIT
/**
 * The one table of commands: main.ts runs by it, and the man page and the shells' completions are made of it. A summary is
 * written here and nowhere else. Each command is loaded only when it is called for.
 */
import type { Command } from "commander";

/** What commands are for, in the order of the overall help. */
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
  /** What it does, in a line of the overall help. */
  readonly summary: string;
  load(): Promise<Command>;
}

/** Every command, in the order of the overall help, a group at a time. */
export const COMMANDS: Readonly<Record<string, Entry>> = {
  provision: {
    group: "provisioning",
    summary: "write the vsnd tree of a guest's sound cards",
    load: async () => (await import("./provision.ts")).provisionCommand(),
  },
  diff: {
    group: "provisioning",
    summary: "compare what is provisioned with what is wanted",
    load: async () => (await import("./diff.ts")).diffCommand(),
  },
  deprovision: {
    group: "provisioning",
    summary: "take a guest's sound cards away",
    load: async () => (await import("./deprovision.ts")).deprovisionCommand(),
  },
  list: {
    group: "provisioning",
    summary: "what is provisioned",
    load: async () => (await import("./list.ts")).listCommand(),
  },
  show: {
    group: "provisioning",
    summary: "a domain's cards, with policy and states",
    load: async () => (await import("./show.ts")).showCommand(),
  },
  check: {
    group: "provisioning",
    summary: "is this configuration file right",
    load: async () => (await import("./check.ts")).checkCommand(),
  },
  probe: {
    group: "provisioning",
    summary: "what this host's PCMs can really do",
    load: async () => (await import("./probe.ts")).probeCommand(),
  },
  import: {
    group: "provisioning",
    summary: "make YAML of xl's vsnd=[...], or of a running domain",
    load: async () => (await import("./import.ts")).importCommand(),
  },
  export: {
    group: "provisioning",
    summary: "make xl's vsnd=[...] of YAML, or of a running domain",
    load: async () => (await import("./export.ts")).exportCommand(),
  },
  serve: {
    group: "serving",
    summary: "the backend daemon",
    load: async () => (await import("./serve.ts")).serveCommand(),
  },
  trigger: {
    group: "control",
    summary: "start, pause, resume or stop a stream on the card",
    load: async () => (await import("./trigger.ts")).triggerCommand(),
  },
  volume: {
    group: "control",
    summary: "show or set a stream's volume",
    load: async () => (await import("./volume.ts")).volumeCommand(),
  },
  mute: {
    group: "control",
    summary: "silence a stream",
    load: async () => (await import("./volume.ts")).muteCommand(),
  },
  unmute: {
    group: "control",
    summary: "let a muted stream be heard again",
    load: async () => (await import("./volume.ts")).unmuteCommand(),
  },
  status: {
    group: "watching",
    summary: "what the daemon is doing",
    load: async () => (await import("./status.ts")).statusCommand(),
  },
  top: {
    group: "watching",
    summary: "what the daemon is doing, live",
    load: async () => (await import("./top.ts")).topCommand(),
  },
  wait: {
    group: "watching",
    summary: "wait until a stream is connected, open, running or closed",
    load: async () => (await import("./wait.ts")).waitCommand(),
  },
  trace: {
    group: "watching",
    summary: "record, show, replay and draw what goes over a stream's rings",
    load: async () => (await import("./trace.ts")).traceCommand(),
  },
  doctor: {
    group: "watching",
    summary: "is this host fit to serve guests, and what mends it",
    load: async () => (await import("./doctor.ts")).doctorCommand(),
  },
  play: {
    group: "trying",
    summary: "play a file into a stream, as a guest of the daemon",
    load: async () => (await import("./play.ts")).playCommand(),
  },
  record: {
    group: "trying",
    summary: "record a stream to a file, as a guest of the daemon",
    load: async () => (await import("./record.ts")).recordCommand(),
  },
  sandbox: {
    group: "trying",
    summary: "run a command inside an embedded Xen",
    load: async () => (await import("./sandbox.ts")).sandboxCommand(),
  },
  demo: {
    group: "trying",
    summary: "sandbox, provision, serve and play in one, with a verdict",
    load: async () => (await import("./demo.ts")).demoCommand(),
  },
  completions: {
    group: "help",
    summary: "a script that completes command lines of xsnd in a shell",
    load: async () => (await import("./completions.ts")).completionsCommand(candidates(), loadCommand),
  },
};

/** Every command, for a shell that completes the first word. */
const candidates = () => Object.entries(COMMANDS).map(([text, { summary }]) => ({ text, meaning: summary }));

/** Loads a command, with its line of the table. */
export async function loadCommand(name: string): Promise<Command> {
  const { summary, load } = COMMANDS[name];
  return (await load()).summary(summary);
}
