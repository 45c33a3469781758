// SPDX-License-Identifier: MIT
/** `xsnd provision`: writes the XenStore nodes of virtual sound cards. */
import { Command, Option } from "commander";
import { declaredGuests } from "../lib/control/declared_guests.ts";
import { Exit, throwAll, XsndError } from "../lib/base/error.ts";
import { awaitCards, CARD_GOALS, type CardGoal } from "../lib/vsnd/provision/await_cards.ts";
import {
  type Choice,
  type PlannedCard,
  provision,
  provisionIn,
  requireNoChange,
  type WantedCard,
} from "../lib/vsnd/provision/plan.ts";
import { dryRun, type StoreChange } from "../lib/vsnd/provision/dry_run.ts";
import { provisionReplacing, replaceIn } from "../lib/vsnd/provision/replace.ts";
import { formatNode, formatPermissions } from "../lib/vsnd/nodes/xenstore_ls.ts";
import { cardPaths, type Domain } from "../lib/xenbus/mod.ts";
import type { Store, StoreView } from "../lib/xen/ports.ts";
import { STORE_VARIABLES, withManual } from "./shared/manual.ts";
import { timeoutOption } from "./shared/options.ts";
import { print, printJson, warn } from "./shared/output.ts";
import { planLines, planToJson } from "./shared/plan_output.ts";
import { withStore } from "./shared/store.ts";
import { wantedCards, type WantedOptions, withWantedCards } from "./shared/wanted_cards.ts";
import { noting } from "./shared/waiting_note.ts";

interface Options extends WantedOptions {
  readonly dryRun?: boolean;
  readonly nodes?: boolean;
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
      "Write the XenStore nodes of virtual sound cards, which the guest's driver and `xsnd serve` read. DOMAIN without --file " +
        "gets one card with a stereo playback stream and a stereo capture stream. A card that is already as wanted stays " +
        "untouched; DOMAIN without --file and without --device changes no card at all. While a guest uses its card, only the devices and the denied streams can change; the change takes " +
        "effect when the guest opens the stream again. The command opens the devices of new and changed streams for a moment.",
    )
    .addOption(
      new Option("--dry-run", "write nothing; print what would become of each card").conflicts("wait"),
    )
    .addOption(
      new Option("--nodes", "write nothing; print the nodes to write and to remove, too")
        .implies({ dryRun: true }).conflicts("wait"),
    )
    .option("--strict", "fail, instead of warn, if a device cannot be opened now")
    .option("--replace", "detach and attach a card that cannot change while it is in use")
    .addOption(
      new Option(
        "--wait <state>",
        "wait until a daemon serves the cards (initwait), or until the guests have connected too (connected)",
      )
        .choices(CARD_GOALS),
    )
    .addOption(timeoutOption("how long --replace and --wait may take, each", 10))
    .option("--json", "print the result as JSON")
    .action(async (domain: string | undefined, options: Options, command: Command) => {
      const wanted = await wantedCards("provision", domain, options);
      // Nobody has asked for the default card in another one's place.
      const isBare = options.file === undefined && command.getOptionValueSource("device") === "default";
      const choose: Choice = isBare ? (view) => unchanging(view, wanted(view)) : wanted;
      await withStore(async (store, domid) => {
        const served = choose(store).filter(({ address }) => address.backendDomid === domid);
        await examineDevices(store, served, options.strict === true);
        if (options.dryRun) printDryRun(store, choose, options);
        else await carryOut(store, choose, options);
      });
    });
  return withManual(command, {
    examples: [
      ["xsnd provision domU --device hw:0,0", "give domU one card, on the first device of the host"],
      [
        "xsnd provision -f guests.yaml --wait=connected",
        "provision all cards of a file, and wait for their guests",
      ],
      ["xsnd provision -f guests.yaml --dry-run", "say what would become of each card"],
      ["xsnd provision -f guests.yaml --nodes", "show the nodes, too, as `xenstore-ls -fp /` would"],
      ["xsnd provision domU -f guests.yaml --replace", "also change what a card in use cannot change"],
    ],
    exits: {
      failed: "the domain does not exist, or a card in use would have to change; nothing was written",
      permission: "this user or domain may not write to XenStore",
      xenOrLibraryMissing: "Xen or a library is missing",
      badConfiguration:
        "the file is invalid, or a device supports none of the allowed parameters, or with --strict a device cannot be " +
        "opened now; nothing was written",
      timedOut: "--replace or --wait took too long",
    },
    details: [
      "The command reads and writes XenStore in one transaction: it provisions all cards, or changes nothing.",
      "With --nodes, lines that begin with # describe the cards. The other lines are nodes as `xenstore-ls -fp /` prints them, " +
      "or nodes to remove.",
    ],
    environment: [...STORE_VARIABLES, "XSND_LIBASOUND"],
    files: ["/usr/share/doc/xsnd/examples", "/usr/share/xsnd/xsnd.schema.json"],
    seeAlso: ["xsnd-diff(1)", "xsnd-deprovision(1)", "xsnd-check(1)", "xsnd-serve(1)", "xl.cfg(5)"],
  });
}

function unchanging(view: StoreView, wanted: readonly WantedCard[]): readonly WantedCard[] {
  requireNoChange(view, wanted);
  return wanted;
}

async function carryOut(store: Store, choose: Choice, options: Options): Promise<void> {
  const timeoutMs = options.timeout * 1000;
  const { cards, failures } = options.replace
    ? await noting("until the cards are replaced", timeoutMs, provisionReplacing(store, choose, timeoutMs))
    : { cards: provision(store, choose), failures: [] };
  if (options.json) printJson(cards.map(planToJson));
  else await report(cards);
  throwAll(failures);
  if (options.wait === undefined) return;
  const awaited = cards.map((card) => ({ ...card, paths: cardPaths(card.address) }));
  const names = cards.map(({ domain, address }) => `${domain.name}/${address.card}`).join(", ");
  const what = options.wait === "connected" ? `until ${names} connect` : `until a daemon serves ${names}`;
  await noting(what, timeoutMs, awaitCards(store, awaited, options.wait, timeoutMs));
}

/** Prints what has become of the cards, and in the end whether they outlive a reboot of their guests. */
async function report(cards: readonly PlannedCard[]): Promise<void> {
  for (const line of planLines(cards, { done: true })) print(line);
  const declared = await declaredGuests();
  const isDeclared = ({ name, domid }: Domain) =>
    declared?.guests.some(({ domain }) => domain === name || domain === String(domid)) === true;
  const names = (domains: readonly Domain[]) => [...new Set(domains.map(({ name }) => name))].join(", ");
  const domains = cards.map(({ domain }) => domain);
  const [lasting, passing] = [
    names(domains.filter(isDeclared)),
    names(domains.filter((d) => !isDeclared(d))),
  ];
  if (lasting !== "") print(`the cards of ${lasting} are made again after each reboot, by ${declared!.file}`);
  if (passing !== "") {
    print(
      `the cards of ${passing} end at a reboot, unless the file of \`xsnd serve --config\` declares them`,
    );
  }
}

/** Prints what would become of the cards; with `nodes` in lines with `#`, before nodes as `xenstore-ls -fp` shows them, and removals. */
function printDryRun(store: Store, choose: Choice, { replace, nodes, json }: Options): void {
  const { result, changes } = dryRun(store, (view) => (replace ? replaceIn : provisionIn)(view, choose));
  if (json) return printJson({ cards: result.map(planToJson), changes: changes.map(changeToJson) });
  const lines = planLines(result, { done: false });
  if (nodes !== true) return lines.forEach((line) => print(line));
  for (const line of lines) print(`# ${line}`);
  for (const change of changes) print(change.op === "remove" ? `remove ${change.path}` : formatNode(change));
}

function changeToJson(change: StoreChange) {
  if (change.op === "remove") return change;
  return { ...change, permissions: formatPermissions(change.permissions) };
}

/**
 * Tests the devices of new and changed streams only, since a guest that opens its stream at the same moment finds the device
 * busy. Warns of devices that cannot be opened now. Throws XsndError (exit 6) if a device supports none of the parameters that its
 * stream allows, and with `strict` also if a device cannot be opened.
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
