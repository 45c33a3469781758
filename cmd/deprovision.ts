// SPDX-License-Identifier: MIT
/** `xsnd deprovision`: takes virtual sound cards away. */
import { Command, InvalidArgumentError } from "commander";
import { Exit, throwAll, XsndError } from "../lib/base/error.ts";
import { deprovisionCard } from "../lib/vsnd/provision/deprovision.ts";
import { type CardRecord, cardRecords } from "../lib/vsnd/nodes/inventory.ts";
import { type Domain, resolveDomain } from "../lib/xenbus/mod.ts";
import type { Store } from "../lib/xen/ports.ts";
import { withManual } from "./shared/manual.ts";
import { timeoutOption } from "./shared/options.ts";
import { print, printJson } from "./shared/output.ts";
import { withStore } from "./shared/store.ts";

interface Options {
  /** Seconds. */
  readonly timeout: number;
  readonly force?: boolean;
  readonly json?: boolean;
}

export function deprovisionCommand(): Command {
  const command = new Command("deprovision")
    .description(
      "Ask the backend to close a card, wait until it has, and remove the card from XenStore; at once if no backend " +
        "serves it. Without CARD: all cards of the guest.",
    )
    .argument("<domain>", "the guest, by name or number")
    .argument("[card]", "the card's number in the guest", cardNumber)
    .addOption(timeoutOption("how long the backend may take to close", 10))
    .option("--force", "do not wait for a backend; for one that is no longer there")
    .option("--json", "print the result as JSON")
    .action((name: string, card: number | undefined, { timeout, force = false, json }: Options) =>
      withStore(async (store) => {
        const domain = resolveDomain(store, name);
        const records = chosen(store, domain, card);
        const results = await Promise.allSettled(
          records.map((record) => deprovisionCard(store, record, { timeoutMs: timeout * 1000, force })),
        );
        const removed = records.filter((_, index) => results[index].status === "fulfilled");
        report(domain, removed, json);
        throwAll(results.flatMap((result) => result.status === "rejected" ? [result.reason] : []));
      })
    );
  return withManual(command, {
    examples: [
      ["xsnd deprovision domU", "all cards of the guest"],
      ["xsnd deprovision domU 1 --timeout 30", "its card 1, with patience"],
      ["xsnd deprovision domU --force", "when its backend is gone for good"],
    ],
    exits: {
      failed: "the guest has no such card, or is not there",
      permission: "only the toolstack's domain may do this",
      xenOrLibraryMissing: "no Xen here, or a library is missing",
      timedOut: "the backend has not closed the card within the time-out",
    },
  });
}

function chosen(store: Store, domain: Domain, card: number | undefined): CardRecord[] {
  const records = cardRecords(store, domain.domid);
  const wanted = records.filter(({ address }) => card === undefined || address.card === card);
  if (wanted.length > 0) return wanted;
  const numbers = records.map(({ address }) => address.card).join(", ");
  throw new XsndError(
    numbers === ""
      ? `${domain.name} has no virtual sound card`
      : `${domain.name} has no card ${card}; it has ${numbers}`,
    Exit.failed,
  );
}

function report({ name, domid }: Domain, removed: readonly CardRecord[], json: boolean | undefined): void {
  const cards = removed.map(({ address }) => address.card);
  if (json) printJson(cards.map((card) => ({ domain: name, domid, card, action: "removed" })));
  else for (const card of cards) print(`${name} card ${card}: removed`);
}

function cardNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError("A card is a number; `xsnd list` shows them.");
  return Number(text);
}
