// SPDX-License-Identifier: MIT
/** `xsnd deprovision`: removes virtual sound cards from XenStore. */
import { Command, InvalidArgumentError } from "commander";
import { throwAll } from "../lib/base/error.ts";
import { deprovisionCards } from "../lib/vsnd/provision/deprovision_cards.ts";
import { resolveDomain } from "../lib/xenbus/mod.ts";
import { STORE_VARIABLES, withManual } from "./shared/manual.ts";
import { timeoutOption } from "./shared/options.ts";
import { print, printJson } from "./shared/output.ts";
import { withStore } from "./shared/store.ts";
import { noting } from "./shared/waiting_note.ts";

interface Options {
  /** Seconds. */
  readonly timeout: number;
  readonly force?: boolean;
  readonly json?: boolean;
}

export function deprovisionCommand(): Command {
  const command = new Command("deprovision")
    .description(
      "Detach a card: ask the backend to close it, wait until the backend has closed it, and remove the card from XenStore. " +
        "A card without a backend is removed at once. Without CARD: detach all cards of the guest.",
    )
    .argument("<domain>", "name or number of the guest")
    .argument("[card]", "number of the card in the guest", cardNumber)
    .addOption(timeoutOption("how long the backend may take to close a card", 10))
    .option("--force", "remove the card without waiting for a backend; use it if the backend is gone")
    .option("--json", "print the result as JSON")
    .action(deprovision);
  return withManual(command, {
    examples: [
      ["xsnd deprovision domU", "detach all cards of domU"],
      ["xsnd deprovision domU 1 --timeout 30", "detach card 1, and wait up to 30 seconds"],
      ["xsnd deprovision domU --force", "remove the cards of a backend that is gone"],
    ],
    exits: {
      failed: "the guest or the card does not exist",
      permission: "this domain is not the toolstack's",
      xenOrLibraryMissing: "Xen or a library is missing",
      timedOut: "the backend did not close the card before the time-out",
    },
    details: [
      "The command removes cards of xl's, too, in the order in which libxl detaches a device.",
      "After a time-out nothing has been removed. Another call continues to wait.",
    ],
    environment: STORE_VARIABLES,
    seeAlso: ["xsnd-provision(1)", "xsnd-list(1)", "xl(1)"],
  });
}

function deprovision(
  name: string,
  card: number | undefined,
  { timeout, force = false, json }: Options,
): Promise<void> {
  return withStore(async (store) => {
    const domain = resolveDomain(store, name);
    const options = { timeoutMs: timeout * 1000, force };
    const { removed, failures } = await noting(
      `until the backend has closed the cards of ${domain.name}`,
      options.timeoutMs,
      deprovisionCards(store, domain, card, options),
    );
    const cards = removed.map(({ address }) => address.card);
    if (json) {
      printJson(cards.map((card) => ({ domain: domain.name, domid: domain.domid, card, action: "removed" })));
    } else {
      for (const card of cards) print(`${domain.name} card ${card}: removed`);
    }
    throwAll(failures);
  });
}

function cardNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError("A card is a number; `xsnd list` shows them.");
  return Number(text);
}
