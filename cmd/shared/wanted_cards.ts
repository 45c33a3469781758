// SPDX-License-Identifier: MIT
/** Saying which cards are wanted: those of a file, or one for a domain. */
import { type Command, Option } from "commander";
import { Exit, XsndError } from "../../lib/base/error.ts";
import type { Choice } from "../../lib/vsnd/provision/plan.ts";
import { cardsOfFile, defaultCardFor } from "../../lib/vsnd/provision/cards_to_provision.ts";

export interface WantedOptions {
  readonly file?: string;
  readonly device: string;
}

/** Gives `command` its argument and its options for that. */
export function withWantedCards(command: Command): Command {
  return command
    .argument("[domain]", "the guest, by name or number; with --file: this one only")
    .option("-f, --file <file>", "a YAML file of guests and their cards")
    .addOption(
      new Option("--device <name>", "without --file: an ALSA PCM name, or dummy:[FILE]").default("default")
        .conflicts("file"),
    );
}

/** The cards that `command`, a verb, is given. Throws {@link XsndError} (exit 2, 6) if they are none. */
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
