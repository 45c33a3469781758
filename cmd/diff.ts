// SPDX-License-Identifier: MIT
/** `xsnd diff`: compares the cards in XenStore with the wanted cards. */
import { Command } from "commander";
import { Exit } from "../lib/base/error.ts";
import { planIn } from "../lib/vsnd/provision/plan.ts";
import { STORE_VARIABLES, withManual } from "./shared/manual.ts";
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
      "Compare the cards in XenStore, node by node, with the cards that `xsnd provision` would make from the same arguments. " +
        "The command writes nothing. It ignores cards that the file does not name.",
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
      ["xsnd diff -f guests.yaml", "compare all cards of a file"],
      [
        "xsnd diff -f guests.yaml domU || xsnd provision -f guests.yaml domU",
        "provision only if there is a difference",
      ],
    ],
    exits: {
      done: "no difference",
      failed: "the cards differ, or the domain does not exist",
      permission: "this user or domain may not read XenStore",
      xenOrLibraryMissing: "Xen or a library is missing",
      badConfiguration: "the file is invalid",
    },
    environment: STORE_VARIABLES,
    seeAlso: ["xsnd-provision(1)", "xsnd-show(1)"],
  });
}
