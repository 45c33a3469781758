// SPDX-License-Identifier: MIT
/** `xsnd provision`: writes the XenStore tree of virtual sound cards. */
import { Command, Option } from "commander";
import { Exit, throwAll, XsndError } from "../lib/base/error.ts";
import { awaitCards, CARD_GOALS, type CardGoal } from "../lib/vsnd/provision/await_cards.ts";
import { type Choice, provision, provisionIn, type WantedCard } from "../lib/vsnd/provision/plan.ts";
import { dryRun, type StoreChange } from "../lib/vsnd/provision/dry_run.ts";
import { provisionReplacing, replaceIn } from "../lib/vsnd/provision/replace.ts";
import { formatNode, formatPermissions } from "../lib/vsnd/nodes/xenstore_ls.ts";
import { cardPaths } from "../lib/xenbus/mod.ts";
import type { Store } from "../lib/xen/ports.ts";
import { withManual } from "./shared/manual.ts";
import { timeoutOption } from "./shared/options.ts";
import { print, printJson } from "./shared/output.ts";
import { planLines, planToJson } from "./shared/plan_output.ts";
import { warn } from "./shared/source.ts";
import { withStore } from "./shared/store.ts";
import { wantedCards, type WantedOptions, withWantedCards } from "./shared/wanted_cards.ts";

interface Options extends WantedOptions {
  readonly dryRun?: boolean;
  readonly replace?: boolean;
  readonly strict?: boolean;
  readonly wait?: CardGoal;
  /** Seconds. */
  readonly timeout: number;
  readonly json?: boolean;
}

export function provisionCommand(): Command {
  const command = withWantedCards(new Command("provision"))
    .description(
      "Write what a guest's sound driver and `xsnd serve` read from XenStore. DOMAIN alone gets one card with a " +
        "stereo playback and a stereo capture stream. A card that is as wanted is left alone. Under a guest that uses " +
        "its card only devices, and which streams are denied, can change; that holds from the next time that it opens the " +
        "stream. The devices of new and changed streams are opened for a moment.",
    )
    .addOption(
      new Option("--dry-run", "write nothing; print what would be written and removed").conflicts("wait"),
    )
    .option("--strict", "refuse a device that cannot be opened now, which otherwise is a warning")
    .option("--replace", "detach a card that cannot change while it is in use, and attach it anew")
    .addOption(
      new Option("--wait <state>", "wait until a daemon has taken the cards up, or their guests have, too")
        .choices(CARD_GOALS),
    )
    .addOption(timeoutOption("how long --replace and --wait may take, each", 10))
    .option("--json", "print the result as JSON")
    .action(async (domain: string | undefined, options: Options) => {
      const choose = await wantedCards("provision", domain, options);
      await withStore(async (store, domid) => {
        const served = choose(store).filter(({ address }) => address.backendDomid === domid);
        await examineDevices(store, served, options.strict === true);
        if (options.dryRun) printRehearsal(store, choose, options);
        else await carryOut(store, choose, options);
      });
    });
  return withManual(command, {
    examples: [
      ["xsnd provision domU --device hw:0,0", "one card, on the host's first"],
      ["xsnd provision -f guests.yaml --wait=connected", "all of a file's, until their guests use them"],
      ["xsnd provision -f guests.yaml --dry-run", "the nodes as `xenstore-ls -fp /` would show them"],
      ["xsnd provision domU -f guests.yaml --replace", "also what a running guest cannot be given as it is"],
    ],
    exits: {
      failed: "a card in use would change, or there is no such domain; nothing was written",
      permission: "may not write to XenStore",
      xenOrLibraryMissing: "there is no XenStore",
      badConfiguration:
        "the file is not right, or a device can do nothing of what is allowed, or with --strict cannot " +
        "be opened now; nothing was written",
      timedOut: "--replace or --wait took too long",
    },
  });
}

async function carryOut(store: Store, choose: Choice, options: Options): Promise<void> {
  const timeoutMs = options.timeout * 1000;
  const { cards, failures } = options.replace
    ? await provisionReplacing(store, choose, timeoutMs)
    : { cards: provision(store, choose), failures: [] };
  if (options.json) printJson(cards.map(planToJson));
  else for (const line of planLines(cards, { done: true })) print(line);
  throwAll(failures);
  if (options.wait === undefined) return;
  const awaited = cards.map((card) => ({ ...card, paths: cardPaths(card.address) }));
  await awaitCards(store, awaited, options.wait, timeoutMs);
}

/** Lines with `#` are for people; the others are what `xenstore-ls -fp` shows of the nodes, and removals. */
function printRehearsal(store: Store, choose: Choice, { replace, json }: Options): void {
  const { result, changes } = dryRun(store, (view) => (replace ? replaceIn : provisionIn)(view, choose));
  if (json) return printJson({ cards: result.map(planToJson), changes: changes.map(changeToJson) });
  for (const line of planLines(result, { done: false })) print(`# ${line}`);
  for (const change of changes) print(change.op === "remove" ? `remove ${change.path}` : formatNode(change));
}

function changeToJson(change: StoreChange) {
  if (change.op === "remove") return change;
  return { ...change, permissions: formatPermissions(change.permissions) };
}

/**
 * Asks the devices of new and changed streams, and of no others: a guest that opens its stream in that moment would find the
 * device busy. Says on stderr which cannot be opened now. Throws XsndError (exit 6) if a device can do nothing of what its stream
 * allows, and if `strict` also for one that cannot be opened.
 */
async function examineDevices(store: Store, cards: readonly WantedCard[], strict: boolean): Promise<void> {
  const { changedStreams } = await import("../lib/vsnd/provision/changed_streams.ts");
  const streams = changedStreams(store, cards);
  if (streams.length === 0) return;
  const { checkDevices } = await import("../lib/probe/check_devices.ts");
  const { impossible, unusable } = await checkDevices(streams);
  const refusals = strict ? [...impossible, ...unusable] : impossible;
  if (refusals.length > 0) throw new XsndError(refusals.join("\n"), Exit.badConfiguration);
  unusable.forEach(warn);
}
