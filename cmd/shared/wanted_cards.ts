// SPDX-License-Identifier: MIT
/** The arguments of `provision` and `diff` that say which cards are wanted: the cards of a file, or one default card. */
import { type Command, Option } from "commander";
import { Exit, XsndError } from "../../lib/base/error.ts";
import type { Choice } from "../../lib/vsnd/provision/plan.ts";
import { cardsOfFile, defaultCardFor } from "../../lib/vsnd/provision/cards_to_provision.ts";

export interface WantedOptions {
  readonly file?: string;
  readonly device: string;
}

/** Adds the argument and options of {@link WantedOptions} to `command`. */
export function withWantedCards(command: Command): Command {
  return command
    .argument("[domain]", "name or number of the guest; with --file: only this guest")
    .option("-f, --file <file>", "YAML file with guests and their cards; - is standard input")
    .addOption(
      new Option("--device <name>", "without --file: ALSA PCM, or dummy:[FILE]").default("default")
        .conflicts("file"),
    );
}

/** The cards that `command` (its name) is to act on. Throws {@link XsndError}: exit 2 without a domain or file, exit 6 for an invalid file. */
export async function wantedCards(
  command: string,
  domain: string | undefined,
  { file, device }: WantedOptions,
): Promise<Choice> {
  if (file !== undefined) {
    const { loadConfig } = await import("../../lib/vsnd/config/yaml_file.ts");
    const config = loadConfig(file);
    return (view) => cardsOfFile(view, config, file, domain);
  }
  if (domain !== undefined) return (view) => defaultCardFor(view, domain, device);
  throw new XsndError(
    `${command} what? name a DOMAIN, or a file with --file; see \`xsnd ${command} --help\``,
    Exit.usage,
  );
}
