// SPDX-License-Identifier: MIT
/** `xsnd completions`: scripts for shells, and what those scripts ask for. */
import { Command } from "commander";
import { type Candidate, complete, type Completion, type LiveNames } from "../lib/completion/complete.ts";
import { SCRIPTS } from "../lib/completion/shells.ts";
import { XsndError } from "../lib/base/error.ts";
import type { StoreView } from "../lib/xen/ports.ts";
import { withManual } from "./shared/manual.ts";
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
    "Print the script that lets a shell complete commands, options and their choices, files, and the names of the " +
      "domains and streams that there are when the key is pressed.",
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
      ["source <(xsnd completions bash)", "in ~/.bashrc; the Debian package brings it along"],
      ["xsnd completions zsh >~/.zfunc/_xsnd", "a directory of fpath, before compinit"],
      ["xsnd completions fish >~/.config/fish/completions/xsnd.fish", "for good"],
    ],
  });
}

/** As XenStore has them; none where there is no Xen, or nobody may read it: a shell that completes is not told why. */
const LIVE: LiveNames = {
  streams: () =>
    fromStore(async (view) => {
      const { readAllCards } = await import("../lib/vsnd/nodes/inventory.ts");
      const { formatStreamName } = await import("../lib/stream/stream_name.ts");
      return readAllCards(view).flatMap(({ domain, address, pcms }) =>
        pcms.flatMap(({ streams }, p) =>
          streams.map((_, s) => formatStreamName(domain.name, address.card, p, s))
        )
      );
    }),
  domains: () =>
    fromStore(async (view) => {
      const { listDomains } = await import("../lib/xenbus/mod.ts");
      return listDomains(view).map(({ name }) => name);
    }),
};

async function fromStore(read: (view: StoreView) => Promise<string[]>): Promise<string[]> {
  const { withStore } = await import("./shared/store.ts");
  try {
    return (await withStore(read)).filter(isPlain);
  } catch (error) {
    if (error instanceof XsndError) return [];
    throw error;
  }
}

/** Whether a name means the same in every shell: a guest's name is not the shell's to run. */
function isPlain(name: string): boolean {
  return /^[\w.+@:/-]+$/.test(name);
}

function show({ candidates, files }: Completion): void {
  for (const { text, meaning } of candidates) console.log(meaning ? `${text}\t${meaning}` : text);
  if (files) print(":files");
}
