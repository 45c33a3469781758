/**
 * The command line: a table of commands, each loaded only when it is called for, and the one place where failures become
 * messages and exit codes.
 */
import { Command, CommanderError } from "commander";
import { Exit, XsndError } from "./lib/error.ts";

interface Entry {
  readonly summary: string;
  load(): Promise<Command>;
}

const commands: Readonly<Record<string, Entry>> = {
  provision: {
    summary: "write the vsnd tree of a guest's sound cards",
    load: async () => (await import("./cmd/provision.ts")).provisionCommand(),
  },
  deprovision: {
    summary: "take a guest's sound cards away",
    load: async () => (await import("./cmd/deprovision.ts")).deprovisionCommand(),
  },
  list: { summary: "what is provisioned", load: async () => (await import("./cmd/list.ts")).listCommand() },
  show: {
    summary: "a domain's cards, with policy and states",
    load: async () => (await import("./cmd/show.ts")).showCommand(),
  },
  serve: { summary: "the backend daemon", load: async () => (await import("./cmd/serve.ts")).serveCommand() },
  trigger: {
    summary: "start, pause, resume or stop a stream on the card",
    load: async () => (await import("./cmd/trigger.ts")).triggerCommand(),
  },
  volume: {
    summary: "show or set a stream's volume",
    load: async () => (await import("./cmd/volume.ts")).volumeCommand(),
  },
  mute: {
    summary: "silence a stream",
    load: async () => (await import("./cmd/volume.ts")).muteCommand(),
  },
  unmute: {
    summary: "let a muted stream be heard again",
    load: async () => (await import("./cmd/volume.ts")).unmuteCommand(),
  },
  status: {
    summary: "what the daemon is doing",
    load: async () => (await import("./cmd/status.ts")).statusCommand(),
  },
  play: {
    summary: "play a file into a stream, as a guest of the daemon",
    load: async () => (await import("./cmd/play.ts")).playCommand(),
  },
  record: {
    summary: "record a stream to a file, as a guest of the daemon",
    load: async () => (await import("./cmd/record.ts")).recordCommand(),
  },
  sandbox: {
    summary: "run a command inside an embedded Xen",
    load: async () => (await import("./cmd/sandbox.ts")).sandboxCommand(),
  },
  demo: {
    summary: "sandbox, provision, serve and play in one, with a verdict",
    load: async () => (await import("./cmd/demo.ts")).demoCommand(),
  },
  check: {
    summary: "is this configuration file right",
    load: async () => (await import("./cmd/check.ts")).checkCommand(),
  },
};

const VERSION = "0.1.0";

/** Runs `args` and returns the exit code. */
async function main(args: string[]): Promise<number> {
  const program = new Command("xsnd")
    .description("Sound for Xen guests: provision, serve and control para-virtualised vsnd cards.")
    .version(VERSION)
    .showSuggestionAfterError()
    .exitOverride();
  for (const [name, { summary, load }] of Object.entries(commands)) {
    // Options come before or after a command, but not before its name: the first word decides what is loaded.
    if (args[0] === name) program.addCommand((await load()).copyInheritedSettings(program));
    else program.addCommand(new Command(name).summary(summary));
  }
  try {
    if (args[0] === "help" && commands[args[1]] !== undefined) args = [args[1], "--help"];
    await program.parseAsync(args.length === 0 ? ["--help"] : args, { from: "user" });
    return Exit.done;
  } catch (error) {
    return exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.done : Exit.usage;
  if (error instanceof Deno.errors.BrokenPipe) return Exit.done;
  if (error instanceof XsndError) {
    console.error(`xsnd: ${error.message}`);
    return error.exitCode;
  }
  throw error;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
