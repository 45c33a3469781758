// SPDX-License-Identifier: MIT
/** `xsnd deprovision`: removes virtual sound cards from XenStore. */
import { Command, InvalidArgumentError } from "commander";
import { Exit, throwAll, XsndError } from "../lib/base/error.ts";
import { ControlClient } from "../lib/control/control_client.ts";
import type { StatusReport } from "../lib/control/protocol.ts";
import { deprovisionCards, type Deprovisioned } from "../lib/vsnd/provision/deprovision_cards.ts";
import { type Domain, resolveDomain } from "../lib/xenbus/mod.ts";
import { CONTROL_VARIABLES, STORE_VARIABLES, withManual } from "./shared/manual.ts";
import { timeoutOption } from "./shared/options.ts";
import { print, printJson } from "./shared/output.ts";
import { withStore } from "./shared/store.ts";
import { noting } from "./shared/waiting_note.ts";

/** How long a daemon may take to say what it serves, ms. */
const ANSWER_MS = 1000;

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
        "A card without a backend is removed at once. A card whose guest plays or records stays, unless --force is given. " +
        "Without CARD: detach all cards of the guest.",
    )
    .argument("<domain>", "name or number of the guest")
    .argument("[card]", "number of the card in the guest", cardNumber)
    .addOption(timeoutOption("how long the backend may take to close a card", 10))
    .option(
      "--force",
      "also a card whose guest plays or records, and one whose backend does not close it or is gone",
    )
    .option("--json", "print the result as JSON")
    .action(deprovision);
  return withManual(command, {
    examples: [
      ["xsnd deprovision domU", "detach all cards of domU"],
      ["xsnd deprovision domU 1 --timeout 30", "detach card 1, and wait up to 30 seconds"],
      [
        "xsnd deprovision domU --force",
        "detach the cards though domU plays, or though their backend is gone",
      ],
    ],
    exits: {
      failed: "the guest or the card does not exist, or a stream of the card is open",
      permission: "this domain is not the toolstack's",
      xenOrLibraryMissing: "Xen or a library is missing",
      timedOut: "the backend did not close the card before the time-out",
    },
    details: [
      "The command removes cards of xl's, too, in the order in which libxl detaches a device.",
      "After a time-out nothing has been removed, unless --force was given. Another call continues to wait.",
    ],
    environment: [...new Set([...STORE_VARIABLES, ...CONTROL_VARIABLES])],
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
    const status = await daemonStatus();
    const open = status === undefined ? [] : openStreams(status, domain, card);
    if (open.length > 0 && !force) throw inUse(open);
    const timeoutMs = timeout * 1000;
    const detach = (force: boolean) => deprovisionCards(store, domain, card, { timeoutMs, force });
    // A daemon that answers closes the card in order.
    const detached = force && status !== undefined ? inOrderIfPossible(detach) : detach(force);
    const what = `until the backend has closed the cards of ${domain.name}`;
    const { removed, failures } = await noting(what, timeoutMs, detached);
    const cards = removed.map(({ address }) => address.card);
    if (json) {
      printJson(cards.map((card) => ({ domain: domain.name, domid: domain.domid, card, action: "removed" })));
    } else {
      for (const card of cards) print(`${domain.name} card ${card}: removed`);
    }
    throwAll(failures);
  });
}

/** Has the backend close the cards, and takes away what it does not close in time. */
async function inOrderIfPossible(detach: (force: boolean) => Promise<Deprovisioned>): Promise<Deprovisioned> {
  const { removed, failures } = await detach(false);
  if (failures.length === 0) return { removed, failures };
  const forced = await detach(true);
  return { removed: [...removed, ...forced.removed], failures: forced.failures };
}

/** What the daemon serves; undefined if none answers, or this user may not ask. */
async function daemonStatus(): Promise<StatusReport | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    using daemon = await ControlClient.connect(0);
    const tooLong = new Promise<undefined>((resolve) =>
      timer = setTimeout(() => resolve(undefined), ANSWER_MS)
    );
    return await Promise.race([daemon.call({ command: "status" }), tooLong]);
  } catch (error) {
    if (error instanceof XsndError) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The streams of the domain, or of its card, that the guest has open. */
function openStreams({ streams }: StatusReport, { domid }: Domain, card: number | undefined): string[] {
  return streams.filter(({ domid: its, stream, state }) =>
    its === domid && (card === undefined || stream.split("/")[1] === String(card)) &&
    state !== "closed" && state !== "detached"
  ).map(({ stream }) => stream);
}

function inUse(streams: readonly string[]): XsndError {
  const [is, has] = streams.length === 1 ? ["is", "its guest has it"] : ["are", "their guest has them"];
  return new XsndError(
    `${
      streams.join(", ")
    } ${is} in use: ${has} open, and its programs would fail; end them, or detach with --force`,
    Exit.failed,
  );
}

function cardNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError("A card is a number; `xsnd list` shows them.");
  return Number(text);
}
