// SPDX-License-Identifier: MIT
/** `xsnd completions`: prints a shell's completion script, and answers the requests of that script. */
import { Command } from "commander";
import { XsndError } from "../lib/base/error.ts";
import { type Candidate, complete, type Completion, type LiveNames } from "../lib/completion/complete.ts";
import { SCRIPTS } from "../lib/completion/shells.ts";
import type { StoreView } from "../lib/xen/ports.ts";
import { STORE_VARIABLES, withManual } from "./shared/manual.ts";
import { print } from "./shared/output.ts";

/**
 * @param commands every command's name and summary
 * @param load makes the command of a name
 */
export function completionsCommand(
  commands: readonly Candidate[],
  load: (name: string) => Promise<Command>,
): Command {
  const command = new Command("completions").description(
    "Print the script with which a shell completes commands, options, their choices, file names, and the names of domains " +
      "and streams in XenStore.",
  ).helpCommand(false);
  for (const [shell, script] of Object.entries(SCRIPTS)) {
    command.addCommand(
      new Command(shell).summary(`the script for ${shell}`).action(() => console.log(script.trimEnd())),
    );
  }
  const candidates = new Command("candidates").argument("[words...]").action(async (words: string[]) => {
    show(await complete(words, commands, load, LIVE));
  });
  command.addCommand(candidates, { hidden: true });
  return withManual(command, {
    examples: [
      [
        "source <(xsnd completions bash)",
        "put this line into ~/.bashrc; the Debian package needs no such line",
      ],
      [
        "xsnd completions zsh >~/.zfunc/_xsnd",
        "write the script into a directory of fpath, before compinit runs",
      ],
      [
        "xsnd completions fish >~/.config/fish/completions/xsnd.fish",
        "write the script where fish looks for it",
      ],
    ],
    environment: STORE_VARIABLES,
  });
}

const LIVE: LiveNames = {
  streams: () =>
    fromStore(async (view) => (await import("../lib/completion/live_names.ts")).streamNames(view)),
  domains: () =>
    fromStore(async (view) => (await import("../lib/completion/live_names.ts")).domainNames(view)),
};

/** Names from XenStore; none without Xen or permission, since a shell shows no reason while it completes. */
async function fromStore(read: (view: StoreView) => Promise<string[]>): Promise<string[]> {
  const { withStore } = await import("./shared/store.ts");
  try {
    return await withStore(read);
  } catch (error) {
    if (error instanceof XsndError) return [];
    throw error;
  }
}

function show({ candidates, files }: Completion): void {
  for (const { text, meaning } of candidates) console.log(meaning ? `${text}\t${meaning}` : text);
  if (files) print(":files");
}
