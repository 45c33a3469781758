/**
 * The one table of commands: main.ts runs by it, and the man page and the shells' completions are made of it. Each command
 * is loaded only when it is called for.
 */
import type { Command } from "commander";

export interface Entry {
  /** What it does, in a line of the overall help. */
  readonly summary: string;
  load(): Promise<Command>;
}

/** Every command, in the order of the overall help. */
export const COMMANDS: Readonly<Record<string, Entry>> = {
  provision: {
    summary: "write the vsnd tree of a guest's sound cards",
    load: async () => (await import("./provision.ts")).provisionCommand(),
  },
  diff: {
    summary: "compare what is provisioned with what is wanted",
    load: async () => (await import("./diff.ts")).diffCommand(),
  },
  deprovision: {
    summary: "take a guest's sound cards away",
    load: async () => (await import("./deprovision.ts")).deprovisionCommand(),
  },
  list: { summary: "what is provisioned", load: async () => (await import("./list.ts")).listCommand() },
  show: {
    summary: "a domain's cards, with policy and states",
    load: async () => (await import("./show.ts")).showCommand(),
  },
  serve: { summary: "the backend daemon", load: async () => (await import("./serve.ts")).serveCommand() },
  trigger: {
    summary: "start, pause, resume or stop a stream on the card",
    load: async () => (await import("./trigger.ts")).triggerCommand(),
  },
  volume: {
    summary: "show or set a stream's volume",
    load: async () => (await import("./volume.ts")).volumeCommand(),
  },
  mute: {
    summary: "silence a stream",
    load: async () => (await import("./volume.ts")).muteCommand(),
  },
  unmute: {
    summary: "let a muted stream be heard again",
    load: async () => (await import("./volume.ts")).unmuteCommand(),
  },
  status: {
    summary: "what the daemon is doing",
    load: async () => (await import("./status.ts")).statusCommand(),
  },
  wait: {
    summary: "wait until a stream is connected, open, running or closed",
    load: async () => (await import("./wait.ts")).waitCommand(),
  },
  top: {
    summary: "what the daemon is doing, live",
    load: async () => (await import("./top.ts")).topCommand(),
  },
  play: {
    summary: "play a file into a stream, as a guest of the daemon",
    load: async () => (await import("./play.ts")).playCommand(),
  },
  record: {
    summary: "record a stream to a file, as a guest of the daemon",
    load: async () => (await import("./record.ts")).recordCommand(),
  },
  trace: {
    summary: "record, show, replay and draw what goes over a stream's rings",
    load: async () => (await import("./trace.ts")).traceCommand(),
  },
  sandbox: {
    summary: "run a command inside an embedded Xen",
    load: async () => (await import("./sandbox.ts")).sandboxCommand(),
  },
  demo: {
    summary: "sandbox, provision, serve and play in one, with a verdict",
    load: async () => (await import("./demo.ts")).demoCommand(),
  },
  doctor: {
    summary: "is this host fit to serve guests, and what mends it",
    load: async () => (await import("./doctor.ts")).doctorCommand(),
  },
  check: {
    summary: "is this configuration file right",
    load: async () => (await import("./check.ts")).checkCommand(),
  },
  probe: {
    summary: "what this host's PCMs can really do",
    load: async () => (await import("./probe.ts")).probeCommand(),
  },
  import: {
    summary: "make YAML of xl's vsnd=[...], or of a running domain",
    load: async () => (await import("./import.ts")).importCommand(),
  },
  export: {
    summary: "make xl's vsnd=[...] of YAML, or of a running domain",
    load: async () => (await import("./export.ts")).exportCommand(),
  },
};
