// SPDX-License-Identifier: MIT
/** `xsnd diff`: how the cards in XenStore differ from those that are wanted. */
import { Command } from "commander";
import { Exit } from "../lib/base/error.ts";
import { planIn } from "../lib/vsnd/provision/plan.ts";
import { withManual } from "./shared/manual.ts";
import { print, printJson } from "./shared/output.ts";
import { planLines, planToJson } from "./shared/plan_output.ts";
import { withStore } from "./shared/store.ts";
import { wantedCards, type WantedOptions, withWantedCards } from "./shared/wanted_cards.ts";

interface Options extends WantedOptions {
  readonly json?: boolean;
}

export function diffCommand(): Command {
  const command = withWantedCards(new Command("diff"))
    .description(
      "Compare the cards in XenStore with those that the same arguments would have `xsnd provision` make, node by " +
        "node. Nothing is written. Cards that the file does not name are not looked at.",
    )
    .option("--json", "print the result as JSON")
    .action(async (domain: string | undefined, { json, ...wanted }: Options) => {
      const choose = await wantedCards("diff", domain, wanted);
      const cards = await withStore((store) => store.transaction((view) => planIn(view, choose)));
      if (json) printJson(cards.map(planToJson));
      else for (const line of planLines(cards, { done: false, shown: Infinity })) print(line);
      if (cards.some(({ action }) => action !== "unchanged")) Deno.exit(Exit.failed);
    });
  return withManual(command, {
    examples: [
      ["xsnd diff -f guests.yaml", "is everything as the file says?"],
      ["xsnd diff -f guests.yaml domU || xsnd provision -f guests.yaml domU", "provision if need be"],
    ],
    exits: {
      done: "they are the same",
      failed: "they differ",
      permission: "may not read XenStore",
      xenOrLibraryMissing: "there is no XenStore",
      badConfiguration: "the file is not right",
    },
  });
}
